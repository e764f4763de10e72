//! The roles of connections.

use std::fmt;

use serde::{Serialize, Serializer};

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

impl Serialize for Role {
    /// Serializes the role as it is spelled in the service's configuration.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Agent => "brand",
            Self::Consumer => "consumer",
            Self::Connector => "connector",
            Self::Intake | Self::RestAgent => "intake",
        })
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for Role {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .enum_values(Some(["brand", "consumer", "connector", "intake"]))
            .description(Some("The role of a connection on the platform, spelled as in the configuration."))
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for Role {}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
