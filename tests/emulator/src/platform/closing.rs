//! How dialogs and conversations end, with or without a survey (protocol [§5.7](crate::protocol#57)).

use serde_json::{Value, json};

use super::Platform;
use super::conversation::{Conversation, Dialog, Participant};
use super::names::{ConversationId, DialogId, DialogType, Millis, Role, State};

/// Who ends something and why.
#[derive(Debug, Clone)]
pub(super) struct Ending {
    pub(super) by: String,
    pub(super) cause: Option<String>,
    pub(super) survey: bool,
}

impl Platform {
    /// Closes one dialog. When it was MAIN and a survey is wanted, a survey dialog opens; when no dialog is open
    /// any more, the conversation ends. The caller announces the change.
    pub(super) fn close_dialog(&mut self, id: &ConversationId, dialog: &DialogId, ending: &Ending, at: Millis) {
        let survey_id = DialogId::new(self.uuid());
        let app_install = self.settings.survey_app_install_id.clone();
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        let Some(closing) = conversation.dialog_mut(dialog.as_str()).filter(|dialog| dialog.is_open()) else { return };
        closing.close(at, &ending.by, ending.cause.clone());
        let main = closing.dialog_type == DialogType::Main;
        if main {
            conversation.state = State::Close;
            conversation.close_reason = Some(close_reason(&ending.by));
            conversation.ttr.answered();
            if ending.survey {
                conversation.dialogs.push(survey_dialog(survey_id.clone(), conversation, &app_install, at));
                self.sockets.listen_along(&id.main_dialog(), &survey_id);
                self.side_dialogs.insert(survey_id, id.clone());
            }
        }
        if !conversation.has_open_dialog() {
            conversation.stage = State::Close;
            conversation.ended = Some(at);
            conversation.close_reason.get_or_insert(close_reason(&ending.by));
        }
        if main {
            self.withdraw_offer(id);
            self.release_assignee(id);
        }
    }

    /// Closes every dialog at once, without a survey.
    pub(super) fn close_all(&mut self, id: &ConversationId, by: &str, at: Millis) {
        let Some(conversation) = self.conversations.get(id) else { return };
        let open: Vec<DialogId> =
            conversation.dialogs.iter().filter(|dialog| dialog.is_open()).map(|dialog| dialog.id.clone()).collect();
        let ending = Ending { by: by.to_owned(), cause: None, survey: false };
        for dialog in open {
            self.close_dialog(id, &dialog, &ending, at);
        }
    }

    /// A simulated consumer ends its conversation.
    pub(crate) fn close_by_consumer(&mut self, id: &str, now: Millis) -> Result<(), super::Refusal> {
        let id = self.conversation(id)?.id.clone();
        let at = self.conversation_mut(id.as_str())?.touch(now);
        self.close_all(&id, "CONSUMER", at);
        self.changed(&id, now);
        self.offer_waiting(now);
        Ok(())
    }
}

fn close_reason(by: &str) -> &'static str {
    match by {
        "CONSUMER" => "CONSUMER",
        "SYSTEM" => "SYSTEM",
        "TIMEOUT" => "TIMEOUT",
        _ => "AGENT",
    }
}

fn survey_dialog(id: DialogId, conversation: &Conversation, app_install: &str, at: Millis) -> Dialog {
    let consumer = conversation.main().into_iter().flat_map(|main| &main.participants);
    let participants: Vec<Participant> = consumer.filter(|p| p.role == Role::Consumer).cloned().collect();
    let meta_data: Value = json!({"appInstallId": app_install});
    Dialog {
        id,
        dialog_type: DialogType::PostSurvey,
        channel: "MESSAGING".to_owned(),
        state: State::Open,
        participants,
        created: at,
        updated: at,
        ended: None,
        closed_by: None,
        closed_cause: None,
        meta_data,
        records: Vec::new(),
        read_marks: Vec::new(),
    }
}
