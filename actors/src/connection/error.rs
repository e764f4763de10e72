//! Why a connection did not do what its handle was asked for.

use tertulia_core::{
    id::{ConnectionId, ConversationId},
    webhook::SignatureError,
};

use super::Role;
use crate::{platform::HttpError, request::RequestError};

/// Why a connection did not do what its handle was asked for.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionError {
    /// No connection has this id, or its actor has ended.
    #[error("connection {0} does not exist")]
    UnknownConnection(ConnectionId),
    /// The connection's role does not have this method; nothing was done.
    #[error("connection {connection} does not support {method}: its role is {role}")]
    NotSupported {
        /// The connection.
        connection: ConnectionId,
        /// The name of the method.
        method: &'static str,
        /// The role of the connection.
        role: Role,
    },
    /// The connection has given up.
    #[error("connection {connection} failed: {reason}")]
    Failed {
        /// The connection.
        connection: ConnectionId,
        /// Why it gave up.
        reason: String,
    },
    /// The connection was not ready in time.
    #[error("connection {connection} was not ready in time; last trouble: {trouble}")]
    NotReady {
        /// The connection.
        connection: ConnectionId,
        /// The last error of the connection.
        trouble: String,
    },
    /// The request failed.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The HTTP request failed. After a failed step-up the old identity stays in use.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The account has no service of this name.
    #[error("the account has no service {0:?}")]
    UnknownService(String),
    /// The request must not be forwarded to a service of the platform. Nothing was sent.
    #[error("the request is not forwarded: {0}")]
    NotForwarded(&'static str),
    /// The service refuses the token of the connection's login (401). Either the service also refused the renewed
    /// token, or the token was not renewed, or the request was too large to be sent again.
    #[error("the service {0} refuses the token of the login (401)")]
    TokenRefused(String),
    /// The service cannot be reached, or its answer cannot be delivered.
    #[error("the service {service} failed: {detail}")]
    ServiceFailed {
        /// The service.
        service: String,
        /// What failed.
        detail: String,
    },
    /// The body of the request broke off.
    #[error("the body of the request broke off: {0}")]
    BrokenBody(String),
    /// The offer was never made to this connection, or has ended.
    #[error("no such ring")]
    UnknownRing,
    /// The offer was accepted or is being accepted, and the conversation did not arrive in time.
    #[error("the conversation did not arrive in time")]
    ConversationNotArrived,
    /// Another step-up of the same connection is running.
    #[error("a step-up is already running")]
    StepUpRunning,
    /// The signature does not prove that the platform sent the webhook: respond with 401.
    #[error(transparent)]
    BadSignature(#[from] SignatureError),
    /// The body is not a notification of conversations or messages: respond with 400.
    #[error("the webhook's body is not a notification: {0}")]
    MalformedNotification(String),
    /// The text is not a snapshot.
    #[error("the text is not a snapshot of a conversation: {0}")]
    MalformedSnapshot(String),
    /// The connection has no room at the moment for another notification or conversation. Respond to a webhook with
    /// 503, so that the platform tries again.
    #[error("connection {0} has no room now")]
    Overloaded(ConnectionId),
    /// The conversation is not in memory, or is not unloaded by callers ([CV-F15](crate::rules#cv-f15)).
    #[error("conversation {0} was not loaded")]
    NotLoaded(ConversationId),
    /// The conversation is not in quarantine.
    #[error("conversation {0} is not in quarantine")]
    NotQuarantined(ConversationId),
}
