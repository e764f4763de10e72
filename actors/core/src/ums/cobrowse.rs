//! Co-browsing and calls: a dialog without messages whose metadata contain the session's state (protocol
//! [§6.1](crate::protocol#61)).

use serde_json::{Value, json};

use super::{
    ChannelType, ConversationUpdate, DialogChange, DialogChangeKind, DialogStatus, DialogType, FieldChange, Request,
};
use crate::id::{ConversationId, DialogId};

/// The state of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CobrowseSession {
    /// The other side is invited.
    Invited,
    /// The other side agreed.
    Accepted,
    /// The session is over; its dialog ends with it.
    Closed,
}

impl CobrowseSession {
    /// The value in the dialog's metadata.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invited => "INVITED",
            Self::Accepted => "ACCEPTED",
            Self::Closed => "CLOSED",
        }
    }

    /// Starts a session in a conversation. `details` are further members of the metadata, such as `mode`, `serviceId`
    /// or `callLink`, which the co-browsing service provides.
    #[must_use]
    pub fn invitation(conversation: &ConversationId, details: serde_json::Map<String, Value>) -> Request {
        let dialog = DialogChange {
            dialog_type: Some(DialogType::Other),
            channel_type: Some(ChannelType::Cobrowse),
            meta_data: Some(Self::Invited.meta_data(details)),
            ..DialogChange::default()
        };
        changed(conversation, DialogChangeKind::Create, dialog)
    }

    /// Sets the state of a dialog's session. The platform replaces the metadata, so `details` must contain all their
    /// further members.
    #[must_use]
    pub fn step(
        self,
        conversation: &ConversationId,
        dialog: DialogId,
        details: serde_json::Map<String, Value>,
    ) -> Request {
        let dialog = DialogChange {
            dialog_id: Some(dialog),
            state: (self == Self::Closed).then_some(DialogStatus::Close),
            meta_data: Some(self.meta_data(details)),
            ..DialogChange::default()
        };
        changed(conversation, DialogChangeKind::Update, dialog)
    }

    fn meta_data(self, mut details: serde_json::Map<String, Value>) -> Value {
        details.insert("sessionState".to_owned(), json!(self.as_str()));
        Value::Object(details)
    }
}

fn changed(conversation: &ConversationId, kind: DialogChangeKind, dialog: DialogChange) -> Request {
    Request::UpdateConversation(ConversationUpdate {
        conversation_id: conversation.clone(),
        conversation_field: vec![FieldChange::DialogChange { kind, dialog }],
    })
}
