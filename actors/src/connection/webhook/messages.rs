//! The requests that only a connection without a socket accepts.

use actix::Message;
use bytes::Bytes;
use serde::Serialize;
use tertulia_core::{
    id::{ConversationId, ExternalConsumerId},
    rest::RestRequest,
    ums::ConversationRequest,
};

use super::{LoadError, UnloadError, WebhookError};
use crate::{
    conversation::FramePermit,
    request::{Answer, Reply},
};

/// What a connector reports of a consumer when it opens a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerProfile {
    /// The first name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// The last name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
}

/// A notification whose sender is known to be the platform. The reply comes when the notification is in the queues of
/// its conversations.
#[derive(Message)]
#[rtype(result = "Result<(), WebhookError>")]
pub(crate) struct WebhookArrived {
    pub(crate) body: Bytes,
    pub(crate) place: FramePermit,
}

/// Opens a conversation for a consumer.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct OpenConversation {
    pub(crate) consumer: ExternalConsumerId,
    pub(crate) profile: ConsumerProfile,
    pub(crate) request: ConversationRequest,
    pub(crate) reply: Reply<ConversationId>,
}

/// Sends a REST request as the agent.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct AskRest {
    pub(crate) row: RestRequest,
    pub(crate) reply: Reply<Answer>,
}

/// Loads a conversation into memory ([SR-4](crate::rules#sr-4)).
#[derive(Message)]
#[rtype(result = "Result<ConversationId, LoadError>")]
pub(crate) struct Load {
    pub(crate) snapshot: String,
}

/// Unloads a conversation from memory ([CV-F15](crate::rules#cv-f15)).
#[derive(Message)]
#[rtype(result = "Result<(), UnloadError>")]
pub(crate) struct Unload {
    pub(crate) conversation: ConversationId,
}
