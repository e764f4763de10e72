//! Plans commands: chooses the plan of each command, and has the checks that several plans share.

use serde_json::Value;

use super::{AnswerKind, Command, CommandError, Identity, Limits, Plan, PlannedRequest, Refusal, Repeat};
use crate::{
    conversation::{Conversation, Dialog},
    id::{AgentId, CommandKey, DialogId},
    note::WrittenNote,
    rich_content::check_metadata,
    ums::{ConversationUpdate, FieldChange, Request},
};

impl Command {
    /// Returns what the command must send when `me` runs it on `conversation`. What it publishes has the key `key`,
    /// unless the caller's metadata has a key of its own.
    ///
    /// # Errors
    /// [`CommandError`] if the command is impossible or not allowed; then nothing must be sent.
    pub fn requests(
        &self,
        conversation: &Conversation,
        me: &Identity,
        key: &CommandKey,
        limits: &Limits,
    ) -> Result<Plan, CommandError> {
        let planner = Planner { conversation, me, key, limits };
        planner.plan(self).map_err(|refusal| CommandError { conversation: conversation.id().clone(), refusal })
    }
}

/// The input of every plan.
pub(super) struct Planner<'a> {
    pub(super) conversation: &'a Conversation,
    pub(super) me: &'a Identity,
    pub(super) key: &'a CommandKey,
    pub(super) limits: &'a Limits,
}

impl Planner<'_> {
    fn plan(&self, command: &Command) -> Result<Plan, Refusal> {
        match command {
            Command::SendText(text) => self.send_text(text),
            Command::SendRichText(rich) => self.send_rich_text(rich),
            Command::SendFileNotice(notice) => self.send_file_notice(notice),
            Command::QueryMessages { dialog, range } => self.query_messages(dialog.as_ref(), *range),
            Command::Join { role, dialog } => self.join(role, dialog.as_ref()),
            Command::Leave { dialog } => self.leave(dialog.as_ref()),
            Command::Transfer { agent, skill } => self.transfer(agent.as_ref(), skill.as_ref()),
            Command::Close => self.close(),
            Command::CloseDialog { dialog, by, cause } => self.close_dialog(dialog, by.as_ref(), cause.as_ref()),
            Command::CloseAtOnce => self.close_at_once(),
            Command::AcceptStatus { dialog, status, sequences, metadata } => {
                self.accept_status(dialog.as_ref(), status, sequences, metadata)
            }
            Command::ChatState { dialog, chat_state } => self.chat_state(dialog.as_ref(), chat_state),
            Command::SetTtr { ttr_type, value } => Ok(self.set_ttr(ttr_type, *value)),
            Command::SetManualEttr { time } => self.set_manual_ettr(*time),
            Command::SetCsat { rate, resolved, status } => self.set_csat(*rate, *resolved, status),
            Command::SetAgentNote(note) => self.set_agent_note(note),
            Command::SetNote { note } => self.set_note(note),
            Command::ConsumerTakeover { new_consumer } => self.consumer_takeover(new_consumer),
            Command::Raw { kind, body, metadata } => Ok(Plan::Request(Box::new(PlannedRequest {
                request: Request::Raw { kind: kind.clone(), body: body.clone() },
                metadata: metadata.clone(),
                answer: AnswerKind::Anything,
                repeat: Repeat::Never,
                note: None,
            }))),
        }
    }

    /// Returns the agent; fails if this side is not an agent.
    pub(super) fn agent(&self, what: &'static str) -> Result<&AgentId, Refusal> {
        match self.me {
            Identity::Brand { agent_id, .. } => Ok(agent_id),
            Identity::Consumer { .. } | Identity::Connector { .. } => Err(Refusal::NotSupported(what.into())),
        }
    }

    /// Returns the dialog to write in if the caller names none ([CV-P1](crate::rules#cv-p1),
    /// [CV-P2](crate::rules#cv-p2)).
    pub(super) fn open_dialog(&self) -> Result<&Dialog, Refusal> {
        let open = self.conversation.open_dialog().filter(|_| self.conversation.is_open());
        open.ok_or(Refusal::NoOpenDialog)
    }

    /// Returns the dialog with this id, open or closed.
    pub(super) fn known_dialog(&self, id: &DialogId) -> Result<&Dialog, Refusal> {
        self.conversation.dialog(id).ok_or_else(|| Refusal::UnknownDialog(id.clone()))
    }

    /// Returns the dialog with this id if it has messages, open or closed.
    pub(super) fn readable_dialog(&self, id: &DialogId) -> Result<&Dialog, Refusal> {
        let dialog = self.known_dialog(id)?;
        if dialog.has_messages() {
            Ok(dialog)
        } else {
            Err(Refusal::NotSupported("a co-browse dialog has no messages".into()))
        }
    }

    /// Returns the dialog with this id, or the open one, if messages may be written in it.
    pub(super) fn writable_dialog(&self, id: Option<&DialogId>) -> Result<&Dialog, Refusal> {
        let Some(id) = id else { return self.open_dialog() };
        let dialog = self.readable_dialog(id)?;
        let is_open = dialog.is_open() && self.conversation.is_open();
        if is_open { Ok(dialog) } else { Err(Refusal::DialogClosed(id.clone())) }
    }

    /// The dialog's id as a change of participants needs it: absent for MAIN (protocol [§5.7](crate::protocol#57)).
    pub(super) fn unless_main(&self, dialog: &Dialog) -> Option<DialogId> {
        (!dialog.dialog_id.is_main_of(self.conversation.id())).then(|| dialog.dialog_id.clone())
    }

    /// Checks that entries of metadata follow the rules of their types, and are not too many (protocol
    /// [§7.12](crate::protocol#712)).
    pub(super) fn check_metadata(&self, metadata: &[Value]) -> Result<(), Refusal> {
        for (index, entry) in metadata.iter().enumerate() {
            check_metadata(entry, self.limits.strictness)
                .map_err(|invalid| Refusal::MetadataInvalid { index, invalid })?;
        }
        let (count, limit) = (metadata.len(), self.limits.metadata_items);
        if count > limit { Err(Refusal::MetadataTooMany { count, limit }) } else { Ok(()) }
    }

    /// Plans a change of the conversation's fields, applied all or nothing (protocol [§5.7](crate::protocol#57)).
    pub(super) fn update(&self, changes: Vec<FieldChange>, repeat: Repeat) -> Plan {
        self.update_with(changes, repeat, None)
    }

    pub(super) fn update_with(&self, changes: Vec<FieldChange>, repeat: Repeat, note: Option<WrittenNote>) -> Plan {
        let update =
            ConversationUpdate { conversation_id: self.conversation.id().clone(), conversation_field: changes };
        Plan::Request(Box::new(PlannedRequest {
            request: Request::UpdateConversation(update),
            metadata: Vec::new(),
            answer: AnswerKind::Changed,
            repeat,
            note,
        }))
    }
}
