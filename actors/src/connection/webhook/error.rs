//! Why a notification is not taken, or a conversation neither loaded nor unloaded.

use tertulia_core::{
    id::{ConnectionId, ConversationId},
    webhook::SignatureError,
};

/// Why a notification is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// There is no such connection, or it has a socket and takes none.
    #[error("connection {0} does not accept webhooks")]
    UnknownConnection(ConnectionId),
    /// It is not shown to be the platform's: to be answered with 401.
    #[error(transparent)]
    BadSignature(#[from] SignatureError),
    /// It is no notification of conversations or messages: to be answered with 400.
    #[error("the webhook's body is not a notification: {0}")]
    Malformed(String),
    /// There is no room now: to be answered with 503, so that the platform tries again.
    #[error("connection {0} has no room for another notification now")]
    Overloaded(ConnectionId),
}

/// Why a conversation is not loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// There is no such connection, or it has a socket and its conversations are its own.
    #[error("connection {0} cannot load conversations")]
    UnknownConnection(ConnectionId),
    /// The text is no snapshot.
    #[error("the text is not a snapshot of a conversation: {0}")]
    Malformed(String),
    /// There is no room.
    #[error("connection {0} has no room for another conversation")]
    Overloaded(ConnectionId),
}

/// Why a conversation is not unloaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnloadError {
    /// There is no such connection, or it has a socket and its conversations are its own.
    #[error("connection {0} cannot unload conversations")]
    UnknownConnection(ConnectionId),
    /// It is not in memory, or lives there on its own account ([CV-F15](crate::rules#cv-f15)).
    #[error("conversation {0} was not loaded")]
    NotLoaded(ConversationId),
}
