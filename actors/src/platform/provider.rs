//! Agents' tokens obtained elsewhere, such as from a service shared by all processes of a brand.

use std::fmt;

use futures_util::future::BoxFuture;
use secrecy::SecretString;
use tertulia_core::id::UserId;

/// Provides the tokens of one agent.
///
/// Called for the first token, and for a new token when the platform no longer accepts the last one, even while its
/// socket is still open. The provider must refresh its tokens itself and always return tokens of the same agent.
pub trait TokenProvider: fmt::Debug + Send + Sync {
    /// Returns a token that is valid now.
    ///
    /// # Errors
    /// [`TokenError`], which decides whether the connection gives up or asks again later.
    fn token(&self) -> BoxFuture<'_, Result<AgentToken, TokenError>>;
}

/// An agent's token.
#[derive(Clone, Debug)]
pub struct AgentToken {
    /// The token that opens the socket.
    pub bearer: SecretString,
    /// The id of the token's user, digits.
    pub user_id: String,
    /// The user's public id, if known.
    pub public_id: Option<UserId>,
    /// The user's name, if known.
    pub name: Option<String>,
}

/// Why the provider has no token.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Permanent: asking again cannot help.
    #[error("no token for the agent: {0}")]
    Refused(String),
    /// Temporary: the connection asks again later.
    #[error("no token for the agent for now: {0}")]
    Unavailable(String),
}
