//! The roles of connections.

use std::fmt;

/// What a connection is on the platform. The role decides which methods of a
/// [`ConnectionHandle`](crate::ConnectionHandle) the connection supports.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// An agent or bot with a socket.
    Agent,
    /// A consumer with a socket.
    Consumer,
    /// A connector: speaks for many consumers by the Send API and webhooks.
    Connector,
    /// An intake: serves stateless workers by webhooks and the Send API.
    Intake,
    /// A connector or an intake that acts as an agent by the REST API.
    RestAgent,
}

impl Role {
    /// The name of the role.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Consumer => "consumer",
            Self::Connector => "connector",
            Self::Intake => "intake",
            Self::RestAgent => "rest-agent",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
