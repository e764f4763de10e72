//! Agents' tokens obtained elsewhere, such as from a service that all processes of a brand share.

use std::fmt;

use futures_util::future::BoxFuture;
use secrecy::SecretString;
use tertulia_core::id::UserId;

/// Gives one agent's tokens.
///
/// It is asked for the first token and for each next one: when the platform does not take the last one any more, also
/// while the socket that was opened with it lives on. It prolongs what it gives by itself, and always gives tokens of
/// the same agent.
pub trait TokenProvider: fmt::Debug + Send + Sync {
    /// A token that the platform takes now.
    ///
    /// # Errors
    /// [`TokenError`], by which the connection gives up or asks again later.
    fn token(&self) -> BoxFuture<'_, Result<AgentToken, TokenError>>;
}

/// An agent's token.
#[derive(Clone, Debug)]
pub struct AgentToken {
    /// The token that opens the socket.
    pub bearer: SecretString,
    /// The user it belongs to, digits.
    pub user_id: String,
    /// The user's public id, if it is known.
    pub public_id: Option<UserId>,
    /// The user's name, if it is known.
    pub name: Option<String>,
}

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// There will be none: to ask again cannot help.
    #[error("no token for the agent: {0}")]
    Refused(String),
    /// There is none just now.
    #[error("no token for the agent for now: {0}")]
    Unavailable(String),
}
