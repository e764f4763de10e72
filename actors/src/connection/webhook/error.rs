//! Why a notification was refused, or a conversation not loaded or not unloaded.

use tertulia_core::{
    id::{ConnectionId, ConversationId},
    webhook::SignatureError,
};

/// Why a notification was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// The connection does not exist, or has a socket and does not accept webhooks.
    #[error("connection {0} does not accept webhooks")]
    UnknownConnection(ConnectionId),
    /// The signature does not prove that the platform sent it: respond with 401.
    #[error(transparent)]
    BadSignature(#[from] SignatureError),
    /// The body is not a notification of conversations or messages: respond with 400.
    #[error("the webhook's body is not a notification: {0}")]
    Malformed(String),
    /// No room at the moment: respond with 503, so that the platform tries again.
    #[error("connection {0} has no room for another notification now")]
    Overloaded(ConnectionId),
}

/// Why a conversation was not loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The connection does not exist, or has a socket and manages its conversations itself.
    #[error("connection {0} cannot load conversations")]
    UnknownConnection(ConnectionId),
    /// The text is not a snapshot.
    #[error("the text is not a snapshot of a conversation: {0}")]
    Malformed(String),
    /// The connection holds as many conversations as it may.
    #[error("connection {0} has no room for another conversation")]
    Overloaded(ConnectionId),
}

/// Why a conversation was not unloaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnloadError {
    /// The connection does not exist, or has a socket and manages its conversations itself.
    #[error("connection {0} cannot unload conversations")]
    UnknownConnection(ConnectionId),
    /// The conversation is not in memory, or is not unloaded by callers ([CV-F15](crate::rules#cv-f15)).
    #[error("conversation {0} was not loaded")]
    NotLoaded(ConversationId),
}
