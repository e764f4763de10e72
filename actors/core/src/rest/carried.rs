//! Converts requests of the protocol to REST, and responses of REST to frames of the protocol.

use serde::Deserialize;
use serde_json::{Value, value::RawValue};
use thiserror::Error;

use super::{DialogPlace, RestMessage, RestRequest};
use crate::{
    id::{ConversationId, DialogId},
    ums::{
        CloseReason, ContentType, ConversationUpdate, DialogChange, DialogChangeKind, DialogStatus, FieldChange,
        FileSize, Json, MessageContent, MessageQuery, ParticipantChangeKind, ParticipantRole, ParticipantStatus,
        PublishRequest, Request, Stage, UploadUrlRequest,
    },
};

/// Why a request cannot be sent by REST.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct NotByRest(pub &'static str);

const NO_ROW: NotByRest = NotByRest("the platform's REST cannot ask this");

impl RestRequest {
    /// Returns the REST request equivalent to `request`, with the frame's `metadata`, in `conversation`.
    ///
    /// # Errors
    /// [`NotByRest`] if the REST API has no such request: notes, satisfaction, takeovers, and everything that needs a
    /// socket.
    pub fn of(request: &Request, metadata: &[Value], conversation: &ConversationId) -> Result<Self, NotByRest> {
        match request {
            Request::Publish(publish) => published(publish, metadata),
            Request::UpdateConversation(update) => changed(update),
            Request::QueryMessages(query) => {
                let MessageQuery { dialog_id, newer_than_sequence, older_than_sequence, max_quantity } = query;
                let place = DialogPlace { conversation: conversation.clone(), dialog: dialog_id.clone() };
                let (newer_than, older_than) = (*newer_than_sequence, *older_than_sequence);
                Ok(Self::Messages { place, newer_than, older_than, limit: *max_quantity })
            }
            Request::UploadUrl(UploadUrlRequest { file_size, file_type }) => {
                let file_size = match file_size {
                    FileSize::Number(bytes) => *bytes,
                    FileSize::Digits(digits) => {
                        digits.parse().map_err(|_| NotByRest("the file's size is no number"))?
                    }
                };
                Ok(Self::UploadPath { file_size, file_type: file_type.clone() })
            }
            Request::DownloadUrl(url) => Ok(Self::DownloadPath { relative_path: url.relative_path.clone() }),
            _ => Err(NO_ROW),
        }
    }
}

fn published(publish: &PublishRequest, metadata: &[Value]) -> Result<RestRequest, NotByRest> {
    let PublishRequest { conversation_id, dialog_id, message_audience, event } = publish;
    let value = |json: &Json<'_>| json.to_value();
    let message = match event {
        MessageContent::Content { content_type, message, quick_replies } => match content_type {
            ContentType::PlainText => {
                RestMessage::PlainText { text: value(message), quick_replies: quick_replies.as_ref().map(value) }
            }
            ContentType::HostedFile => RestMessage::HostedFile(value(message)),
            ContentType::SecureFormInvitation => RestMessage::SecureFormInvitation(value(message)),
            ContentType::SecureFormSubmission => RestMessage::SecureFormSubmission(value(message)),
            ContentType::Html | ContentType::Unlisted(_) => return Err(NO_ROW),
        },
        MessageContent::Rich { content, quick_replies } => {
            RestMessage::RichContent { content: value(content), quick_replies: quick_replies.as_ref().map(value) }
        }
        MessageContent::AcceptStatus { status, sequences } => {
            RestMessage::Acknowledgement { status: status.clone(), sequences: sequences.clone() }
        }
        MessageContent::ChatState { chat_state } => RestMessage::ChatState(chat_state.clone()),
        MessageContent::Unlisted { .. } => return Err(NO_ROW),
    };
    let place = DialogPlace { conversation: conversation_id.clone(), dialog: dialog_id.clone() };
    Ok(RestRequest::Publish { place, audience: message_audience.clone(), message, metadata: metadata.to_vec() })
}

fn changed(update: &ConversationUpdate) -> Result<RestRequest, NotByRest> {
    let conversation = update.conversation_id.clone();
    let place = |dialog: Option<&DialogId>| DialogPlace {
        conversation: conversation.clone(),
        dialog: dialog.cloned().unwrap_or_else(|| DialogId::main_of(&conversation)),
    };
    match update.conversation_field.as_slice() {
        [FieldChange::Stage { .. } | FieldChange::ConversationStateField { .. }] => {
            Ok(RestRequest::SetStage { conversation, stage: Stage::Close })
        }
        [FieldChange::Ttr { ttr_type, value }] => {
            Ok(RestRequest::SetTtr { conversation, ttr_type: ttr_type.clone(), value: *value })
        }
        [FieldChange::ManualETTR { time }] => Ok(RestRequest::SetManualEttr { conversation, time: *time }),
        [
            FieldChange::DialogChange {
                kind: DialogChangeKind::Update,
                dialog: DialogChange { dialog_id, state: Some(DialogStatus::Close), closed_by, .. },
            },
        ] => Ok(RestRequest::CloseDialog {
            place: place(dialog_id.as_ref()),
            reason: closed_by.clone().unwrap_or(CloseReason::Agent),
        }),
        [FieldChange::ParticipantsChange { kind, role, user_id: Some(user), dialog_id }]
            if *role != ParticipantRole::Consumer =>
        {
            let (place, participant) = (place(dialog_id.as_ref()), user.clone());
            let state = match kind {
                ParticipantChangeKind::Add => ParticipantStatus::Active,
                ParticipantChangeKind::Suggest => ParticipantStatus::Suggested,
                ParticipantChangeKind::Remove => return Ok(RestRequest::RemoveParticipant { place, participant }),
                _ => return Err(NO_ROW),
            };
            Ok(RestRequest::AddParticipant { place, participant, role: role.clone(), state })
        }
        changes => transferred(conversation, changes),
    }
}

/// A transfer ([TR-1](crate::rules#tr-1)): its last change removes the agent whom the REST request names.
fn transferred(conversation: ConversationId, changes: &[FieldChange]) -> Result<RestRequest, NotByRest> {
    let (mut agent, mut skill) = (None, None);
    for change in changes {
        match change {
            FieldChange::Skill { skill: to, .. } => skill = Some(to.clone()),
            FieldChange::ParticipantsChange { kind: ParticipantChangeKind::Suggest, user_id: Some(to), .. } => {
                agent = Some(to.clone());
            }
            FieldChange::ParticipantsChange { role, .. } if *role != ParticipantRole::Consumer => {}
            _ => return Err(NO_ROW),
        }
    }
    match changes.last() {
        Some(FieldChange::ParticipantsChange {
            kind: ParticipantChangeKind::Remove,
            role: ParticipantRole::AssignedAgent,
            user_id: Some(from),
            ..
        }) if agent.is_some() || skill.is_some() => {
            Ok(RestRequest::Transfer { conversation, from: from.clone(), agent, skill })
        }
        _ => Err(NotByRest("the platform's REST transfers only what is assigned to an agent")),
    }
}

/// Returns the body of a response of REST as a socket would have received it; `None` without a body. For a change only
/// the status counts; a history may be in a member `messages`. The text of a refusal is cut after 256 characters.
#[must_use]
pub fn answer_body(request: &RestRequest, status: u16, body: &str) -> Option<Box<RawValue>> {
    if status >= 400 {
        let text: String = body.chars().take(256).collect();
        return serde_json::from_str(body).or_else(|_| serde_json::value::to_raw_value(&text)).ok();
    }
    let body = match request {
        RestRequest::Publish { .. } | RestRequest::UploadPath { .. } | RestRequest::DownloadPath { .. } => body,
        RestRequest::Messages { .. } => messages(body),
        RestRequest::Conversation(_) | RestRequest::Dialog(_) | RestRequest::Participant { .. } => body,
        _ => return None,
    };
    // Text that is not JSON is not a response to a request that needs one; its parser reports the error.
    serde_json::from_str::<Option<Box<RawValue>>>(body).ok().flatten()
}

fn messages(body: &str) -> &str {
    #[derive(Deserialize)]
    struct Listed<'a> {
        #[serde(borrow)]
        messages: &'a RawValue,
    }

    // A list of one element would be read as the members of an object in their order.
    if !body.trim_start().starts_with('{') {
        return body;
    }
    serde_json::from_str::<Listed<'_>>(body).map_or(body, |listed| listed.messages.get())
}
