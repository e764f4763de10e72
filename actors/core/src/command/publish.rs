//! What a command publishes: text, structured content, files, receipts and chat states ([CV-F6](crate::rules#cv-f6),
//! [CV-F7](crate::rules#cv-f7), [CV-F8](crate::rules#cv-f8), [CV-F16](crate::rules#cv-f16)).

use serde_json::Value;

use super::{
    AnswerKind, Limits, Plan, PlannedRequest, Refusal, Repeat, SendFileNotice, SendRichText, SendText, key::with_key,
    planning::Planner,
};
use crate::{
    conversation::Dialog,
    id::DialogId,
    rich_content::{check_content, check_quick_replies},
    ums::{
        ChatState, ContentType, DeliveryStatus, DialogType, Json, MessageAudience, MessageContent, PublishRequest,
        Request,
    },
};

impl Planner<'_> {
    pub(super) fn send_text(&self, asked: &SendText) -> Result<Plan, Refusal> {
        let SendText { text, private, metadata, quick_replies, dialog } = asked;
        if text.is_empty() {
            return Err(Refusal::TextEmpty);
        }
        let (length, limit) = (text.chars().count(), self.limits.text_chars);
        if length > limit {
            return Err(Refusal::TextTooLong { length, limit });
        }
        let event = MessageContent::Content {
            content_type: ContentType::PlainText,
            message: Json::from(&Value::from(text.as_str())),
            quick_replies: self.quick_replies(quick_replies.as_ref(), *private)?,
        };
        self.send(dialog.as_ref(), event, *private, metadata)
    }

    pub(super) fn send_rich_text(&self, asked: &SendRichText) -> Result<Plan, Refusal> {
        let SendRichText { content, private, metadata, quick_replies, dialog } = asked;
        check_content(content, self.limits.strictness).map_err(Refusal::RichTextInvalid)?;
        let content = Json::from(content);
        let (length, limit) = (content.get().chars().count(), self.limits.rich_chars);
        if length > limit {
            return Err(Refusal::RichTextTooLong { length, limit });
        }
        let quick_replies = self.quick_replies(quick_replies.as_ref(), *private)?;
        self.send(dialog.as_ref(), MessageContent::Rich { content, quick_replies }, *private, metadata)
    }

    pub(super) fn send_file_notice(&self, asked: &SendFileNotice) -> Result<Plan, Refusal> {
        let SendFileNotice { file, private, metadata, dialog } = asked;
        if file.relative_path.is_empty() || file.file_type.is_empty() {
            return Err(Refusal::FileIncomplete);
        }
        let (length, limit) = (file.preview.as_ref().map_or(0, String::len), self.limits.preview_bytes);
        if length > limit {
            return Err(Refusal::PreviewTooLarge { length, limit });
        }
        let event = MessageContent::Content {
            content_type: ContentType::HostedFile,
            message: Json::from(&serde_json::to_value(file).unwrap_or_default()),
            quick_replies: None,
        };
        self.send(dialog.as_ref(), event, *private, metadata)
    }

    /// Publishes content that is looked up by its key before it is repeated.
    fn send(
        &self,
        dialog: Option<&DialogId>,
        event: MessageContent<'static>,
        private: bool,
        metadata: &[Value],
    ) -> Result<Plan, Refusal> {
        let audience = if private {
            self.agent("only an agent can publish for agents alone")?;
            MessageAudience::AgentsAndManagers
        } else {
            MessageAudience::All
        };
        let dialog = self.writable_dialog(dialog)?;
        let (metadata, key) = with_key(metadata, self.key)?;
        self.check_metadata(&metadata)?;
        let repeat = Repeat::Lookup {
            dialog_id: dialog.dialog_id.clone(),
            key,
            from: dialog.next_sequence().unwrap_or_default(),
        };
        Ok(self.publish(dialog, audience, event, metadata, repeat))
    }

    fn quick_replies(&self, asked: Option<&Value>, private: bool) -> Result<Option<Json<'static>>, Refusal> {
        let Some(quick_replies) = asked else { return Ok(None) };
        if private {
            let why = "quick replies are for consumers, who do not see what is for agents alone";
            return Err(Refusal::NotSupported(why.into()));
        }
        let Limits { quick_replies: channel, strictness, .. } = *self.limits;
        check_quick_replies(quick_replies, channel, strictness).map_err(Refusal::QuickRepliesInvalid)?;
        Ok(Some(Json::from(quick_replies)))
    }

    pub(super) fn accept_status(
        &self,
        dialog: Option<&DialogId>,
        status: &DeliveryStatus,
        sequences: &[u64],
        metadata: &[Value],
    ) -> Result<Plan, Refusal> {
        if sequences.is_empty() {
            return Ok(Plan::Nothing);
        }
        let dialog = match dialog {
            Some(id) => self.readable_dialog(id)?,
            None => self.conversation.open_dialog().or(self.conversation.main_dialog()).ok_or(Refusal::NoOpenDialog)?,
        };
        self.check_metadata(metadata)?;
        let event = MessageContent::AcceptStatus { status: status.clone(), sequences: sequences.to_vec() };
        Ok(self.publish(dialog, MessageAudience::All, event, metadata.to_vec(), Repeat::Safe))
    }

    pub(super) fn chat_state(&self, dialog: Option<&DialogId>, chat_state: &ChatState) -> Result<Plan, Refusal> {
        let dialog = self.writable_dialog(dialog)?;
        if dialog.dialog_type == Some(DialogType::PostSurvey) {
            return Err(Refusal::NotSupported("a survey takes no chat states".into()));
        }
        let event = MessageContent::ChatState { chat_state: chat_state.clone() };
        Ok(self.publish(dialog, MessageAudience::All, event, Vec::new(), Repeat::Safe))
    }

    /// Every kind of event contains the conversation and the audience (protocol [§5.6](crate::protocol#56)).
    fn publish(
        &self,
        dialog: &Dialog,
        message_audience: MessageAudience,
        event: MessageContent<'static>,
        metadata: Vec<Value>,
        repeat: Repeat,
    ) -> Plan {
        let request = PublishRequest {
            conversation_id: self.conversation.id().clone(),
            dialog_id: dialog.dialog_id.clone(),
            message_audience,
            event,
        };
        // The sequence in the response to a chat state is not a sequence of the dialog (protocol §9.4).
        let answer = match request.event {
            MessageContent::ChatState { .. } => AnswerKind::Anything,
            _ => AnswerKind::Published,
        };
        let request = Request::Publish(request);
        Plan::Request(Box::new(PlannedRequest { request, metadata, answer, repeat, note: None }))
    }
}
