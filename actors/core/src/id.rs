//! Identifiers as newtypes, so that a dialog is never mistaken for a conversation nor an agent id for a user id.

use std::{borrow::Borrow, fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ums::Text;

macro_rules! identifiers {
    ($($(#[doc = $doc:literal])* $name:ident;)+) => {$(
        $(#[doc = $doc])*
        ///
        /// Cheap to clone. Parsed from a JSON string or number, because the platform sends both (protocol
        /// [§4.4](crate::protocol#44)).
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = String, description = concat!($($doc),*)))]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id as the platform writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The text of the id, without a copy.
            #[must_use]
            pub fn share(&self) -> Arc<str> {
                Arc::clone(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(id: &str) -> Self {
                Self(id.into())
            }
        }

        impl From<String> for $name {
            fn from(id: String) -> Self {
                Self(id.into())
            }
        }

        impl From<&Text<'_>> for $name {
            fn from(id: &Text<'_>) -> Self {
                Self(id.as_str().into())
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                &*self.0 == other
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Text::deserialize(deserializer).map(|text| Self::from(&text))
            }
        }
    )+};
}

identifiers! {
    /// A brand's account, also called site or brand id.
    AccountId;
    /// A participant: a consumer's id, or the public id (PID, a UUID) of an agent.
    UserId;
    /// An agent in the brand dialect: `{account}.{user}`, the "old id" of protocol [§0.4](crate::protocol#04).
    AgentId;
    /// A conversation; also the id of its MAIN dialog.
    ConversationId;
    /// A dialog within a conversation.
    DialogId;
    /// A skill; `-1` means no skill.
    SkillId;
    /// An offer of a conversation to one agent: `{conversation}_{account}_{start ms}`.
    RingId;
    /// A subscription on one socket.
    SubscriptionId;
    /// A request on one socket, echoed by its response.
    RequestId;
    /// A connection's name: unique in its process, used in URLs, metrics and logs.
    ConnectionId;
    /// The caller's key of a command: a repeated key has its effect only once.
    CommandKey;
    /// A node's name: one process among those that share a database. Unique among the nodes.
    NodeId;
    /// A label of nodes, which connections refer to. Each node's name is one of its labels.
    NodeLabel;
    /// A consumer's id at a connector, such as `whatsapp:15550100` (protocol [§10.2](crate::protocol#102)).
    ExternalConsumerId;
}

/// The longest id accepted from the platform, in bytes. The platform's ids are UUIDs, or a few UUIDs joined; a longer
/// id would only make records too large to store.
pub const LONGEST_ID: usize = 256;

impl ConversationId {
    /// Returns the id as sent; `None` if it is longer than [`LONGEST_ID`].
    #[must_use]
    pub fn from_wire(id: &Text<'_>) -> Option<Self> {
        (id.as_str().len() <= LONGEST_ID).then(|| Self::from(id))
    }
}

impl AgentId {
    /// The id of a participant who has one id for both purposes, such as a consumer. It is in memory once.
    pub(crate) fn sharing(id: &UserId) -> Self {
        Self(Arc::clone(&id.0))
    }
}

impl DialogId {
    /// The id of a conversation's MAIN dialog, which equals the conversation's (protocol [§0.4](crate::protocol#04)).
    #[must_use]
    pub fn main_of(conversation: &ConversationId) -> Self {
        Self(conversation.0.clone())
    }

    /// Whether this is the MAIN dialog of `conversation`.
    #[must_use]
    pub fn is_main_of(&self, conversation: &ConversationId) -> bool {
        self.0 == conversation.0
    }
}

impl AgentId {
    /// The agent `user` of `account` (protocol [§0.4](crate::protocol#04)).
    #[must_use]
    pub fn of(account: &AccountId, user: &str) -> Self {
        Self(format!("{account}.{user}").into())
    }
}
