//! The method, path and body of each REST request.

use std::fmt::Write;

use fluent_uri::pct_enc::{EString, encoder::Data};
use serde_json::{Map, Value, json};

use super::{DialogPlace, RestMessage, RestRequest};
use crate::{
    id::{AccountId, ConversationId, DialogId},
    ums::MessageAudience,
};

/// The HTTP method of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestMethod {
    /// Reads.
    Get,
    /// Creates something.
    Post,
    /// Changes.
    Patch,
    /// Deletes.
    Delete,
}

impl RestRequest {
    /// The method.
    #[must_use]
    pub fn method(&self) -> RestMethod {
        match self {
            Self::Conversation(_) | Self::Dialog(_) | Self::Participant { .. } | Self::Messages { .. } => {
                RestMethod::Get
            }
            Self::SetStage { .. } | Self::SetTtr { .. } | Self::SetManualEttr { .. } | Self::CloseDialog { .. } => {
                RestMethod::Patch
            }
            Self::AddParticipant { .. }
            | Self::Publish { .. }
            | Self::UploadPath { .. }
            | Self::DownloadPath { .. } => RestMethod::Post,
            Self::RemoveParticipant { .. } | Self::Transfer { .. } => RestMethod::Delete,
        }
    }

    /// The request that must be read first, because this one is conditional on its version (`ETag`, `If-Match`).
    #[must_use]
    pub fn version_of(&self) -> Option<Self> {
        match self {
            Self::SetStage { conversation, .. }
            | Self::SetTtr { conversation, .. }
            | Self::SetManualEttr { conversation, .. }
            | Self::Transfer { conversation, .. } => Some(Self::Conversation(conversation.clone())),
            Self::CloseDialog { place, .. } | Self::RemoveParticipant { place, .. } => {
                Some(Self::Dialog(place.clone()))
            }
            _ => None,
        }
    }

    /// The path with its query, on the messaging service of `account`.
    #[must_use]
    pub fn path(&self, account: &AccountId) -> String {
        let conversation = |id: &ConversationId| format!("/v1/conversations/{}", segment(id.as_str()));
        match self {
            Self::Conversation(id)
            | Self::SetStage { conversation: id, .. }
            | Self::SetTtr { conversation: id, .. }
            | Self::SetManualEttr { conversation: id, .. } => conversation(id),
            Self::Dialog(place) | Self::CloseDialog { place, .. } => place.path(),
            Self::Participant { place, participant } | Self::RemoveParticipant { place, participant } => {
                format!("{}/participants/{}", place.path(), segment(participant))
            }
            Self::AddParticipant { place, .. } => format!("{}/participants", place.path()),
            Self::Transfer { conversation, from, agent, skill } => {
                let main = DialogPlace { conversation: conversation.clone(), dialog: DialogId::main_of(conversation) };
                let skill = skill.as_ref().map(|skill| ("transferToSkillId", skill.to_string()));
                let agent = agent.as_ref().map(|agent| ("transferToAgentId", agent.clone()));
                let path = format!("{}/participants/{}", main.path(), segment(from));
                with_query(path, skill.into_iter().chain(agent))
            }
            Self::Publish { place, .. } => format!("{}/messages", place.path()),
            Self::Messages { place, newer_than, older_than, limit } => {
                let limit = limit.map(|limit| ("limit", limit.to_string()));
                let newer = newer_than.map(|newer| ("newerThanSequence", newer.to_string()));
                let older = older_than.map(|older| ("olderThanSequence", older.to_string()));
                with_query(format!("{}/messages", place.path()), limit.into_iter().chain(newer).chain(older))
            }
            Self::UploadPath { .. } => format!("/v1/brands/{}/file-upload-path", segment(account.as_str())),
            Self::DownloadPath { .. } => format!("/v1/brands/{}/file-download-path", segment(account.as_str())),
        }
    }

    /// The body, if the request has one.
    #[must_use]
    pub fn body(&self) -> Option<Value> {
        Some(match self {
            Self::SetStage { stage, .. } => json!({ "stage": stage }),
            Self::SetTtr { ttr_type, value, .. } => json!({ "type": ttr_type, "value": value }),
            Self::SetManualEttr { time, .. } => json!({ "manualETTR": time }),
            Self::CloseDialog { reason, .. } => json!({ "state": "CLOSE", "closeReason": reason }),
            Self::AddParticipant { participant, role, state, .. } => {
                json!({ "id": participant, "role": role, "state": state })
            }
            Self::Publish { audience, message, metadata, .. } => message.body(audience, metadata),
            Self::UploadPath { file_size, file_type } => json!({ "fileSize": file_size, "fileType": file_type }),
            Self::DownloadPath { relative_path } => json!({ "relativePath": relative_path }),
            Self::Conversation(_)
            | Self::Dialog(_)
            | Self::Participant { .. }
            | Self::Messages { .. }
            | Self::RemoveParticipant { .. }
            | Self::Transfer { .. } => return None,
        })
    }
}

impl DialogPlace {
    fn path(&self) -> String {
        let (conversation, dialog) = (segment(self.conversation.as_str()), segment(self.dialog.as_str()));
        format!("/v1/conversations/{conversation}/dialogs/{dialog}")
    }
}

impl RestMessage {
    fn body(&self, audience: &MessageAudience, metadata: &[Value]) -> Value {
        let (kind, content, quick_replies) = match self {
            Self::PlainText { text, quick_replies } => ("PLAIN_TEXT", json!({ "text": text }), quick_replies.as_ref()),
            Self::RichContent { content, quick_replies } => ("RICH_CONTENT", content.clone(), quick_replies.as_ref()),
            Self::HostedFile(file) => ("HOSTED_FILE", file.clone(), None),
            Self::ExternalFile(file) => ("EXTERNAL_FILE", file.clone(), None),
            Self::SecureFormInvitation(form) => ("SECURE_FORM_INVITATION", form.clone(), None),
            Self::SecureFormSubmission(form) => ("SECURE_FORM_SUBMISSION", form.clone(), None),
            Self::Acknowledgement { status, sequences } => {
                ("ACKNOWLEDGEMENT", json!({ "sequenceList": sequences, "status": status }), None)
            }
            Self::ChatState(state) => ("CHAT_STATE", json!({ "chatState": state }), None),
        };
        let mut body = Map::new();
        body.insert("type".to_owned(), kind.into());
        body.insert("content".to_owned(), content);
        if !matches!(self, Self::Acknowledgement { .. } | Self::ChatState(_)) {
            body.insert("messageAudience".to_owned(), audience.as_str().into());
        }
        if !metadata.is_empty() {
            body.insert("metadata".to_owned(), metadata.into());
        }
        if let Some(quick_replies) = quick_replies {
            body.insert("quickReplies".to_owned(), quick_replies.clone());
        }
        Value::Object(body)
    }
}

/// Encodes an id as one segment of a path. An id of only dots would mean another path.
pub fn segment(id: &str) -> String {
    if id.chars().all(|character| character == '.') {
        return id.replace('.', "%2E");
    }
    encoded(id)
}

/// Encodes text as part of a URL.
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = EString::<Data>::new();
    encoded.encode_str::<Data>(text);
    encoded.into_string()
}

fn with_query(mut path: String, parameters: impl Iterator<Item = (&'static str, String)>) -> String {
    for (at, (name, value)) in parameters.enumerate() {
        let separator = if at == 0 { '?' } else { '&' };
        // Writing to a string cannot fail.
        let _ = write!(path, "{separator}{name}={}", encoded(&value));
    }
    path
}
