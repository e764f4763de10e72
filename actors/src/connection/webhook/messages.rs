//! The requests that only a connection without a socket accepts.

use actix::Message;
use bytes::Bytes;
use tertulia_core::{
    id::{ConversationId, ExternalConsumerId},
    rest::RestRequest,
    ums::{ConversationRequest, UserProfile},
};

use crate::{
    connection::ConnectionError,
    conversation::FramePermit,
    request::{Answer, Reply},
};

/// A notification whose sender is known to be the platform. The reply comes when the notification is in the queues of
/// its conversations.
#[derive(Message)]
#[rtype(result = "Result<(), ConnectionError>")]
pub(crate) struct WebhookArrived {
    pub(crate) body: Bytes,
    pub(crate) place: FramePermit,
}

/// Opens a conversation for a consumer.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct OpenConversation {
    pub(crate) consumer: ExternalConsumerId,
    pub(crate) profile: UserProfile<'static>,
    pub(crate) request: ConversationRequest,
    pub(crate) reply: Reply<ConversationId>,
}

/// Sends a REST request as the agent.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct AskRest {
    pub(crate) request: RestRequest,
    pub(crate) reply: Reply<Answer>,
}

/// Loads a conversation into memory ([SR-4](crate::rules#sr-4)).
#[derive(Message)]
#[rtype(result = "Result<ConversationId, ConnectionError>")]
pub(crate) struct Load {
    pub(crate) snapshot: String,
}

/// Unloads a conversation from memory ([CV-F15](crate::rules#cv-f15)).
#[derive(Message)]
#[rtype(result = "Result<(), ConnectionError>")]
pub(crate) struct Unload {
    pub(crate) conversation: ConversationId,
}
