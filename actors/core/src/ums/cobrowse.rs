//! Co-browsing and calls: a dialog without messages whose metadata say how far the session has come (protocol
//! [§6.1](crate::protocol#61)).

use serde_json::{Value, json};

use super::{
    ChannelType, ConversationUpdate, DialogChange, DialogChangeKind, DialogStatus, DialogType, FieldChange, Request,
};
use crate::id::{ConversationId, DialogId};

/// How far a session has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CobrowseSession {
    /// The other side is asked.
    Invited,
    /// The other side agreed.
    Accepted,
    /// It is over; its dialog ends with it.
    Closed,
}

impl CobrowseSession {
    /// The word in the dialog's metadata.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invited => "INVITED",
            Self::Accepted => "ACCEPTED",
            Self::Closed => "CLOSED",
        }
    }

    /// Begins a session in a conversation. `details` are the further members of the metadata, such as `mode`,
    /// `serviceId` or `callLink`, which the co-browsing service gives.
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

    /// Takes the session of a dialog to this point. The platform keeps only what is told, so that `details` are all
    /// further members of the metadata.
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
