//! The identity of a connection, which decides what it may request.

use crate::{
    id::{AccountId, AgentId, UserId},
    ums::{CloseReason, Dialect},
};

/// The identity of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// An agent or bot.
    Brand {
        /// The account.
        account: AccountId,
        /// The agent in the brand dialect, `account.user`.
        agent_id: AgentId,
        /// The agent's public id.
        user_id: UserId,
        /// The name shown to others.
        name: Option<String>,
    },
    /// A consumer.
    Consumer {
        /// The account.
        account: AccountId,
        /// The consumer.
        user_id: UserId,
    },
    /// A connector, which speaks for many consumers: the token of each request says for whom.
    Connector {
        /// The account.
        account: AccountId,
    },
}

impl Identity {
    /// The account.
    #[must_use]
    pub fn account(&self) -> &AccountId {
        match self {
            Self::Brand { account, .. } | Self::Consumer { account, .. } | Self::Connector { account } => account,
        }
    }

    /// The user id; for an agent the public id. A connector has none.
    #[must_use]
    pub fn user_id(&self) -> Option<&UserId> {
        match self {
            Self::Brand { user_id, .. } | Self::Consumer { user_id, .. } => Some(user_id),
            Self::Connector { .. } => None,
        }
    }

    /// The dialect this side speaks.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Brand { .. } => Dialect::Brand,
            Self::Consumer { .. } | Self::Connector { .. } => Dialect::Consumer,
        }
    }

    /// The close reason of this side.
    pub(super) fn closes_as(&self) -> CloseReason {
        match self {
            Self::Brand { .. } => CloseReason::Agent,
            Self::Consumer { .. } | Self::Connector { .. } => CloseReason::Consumer,
        }
    }
}
