//! One subscription of the present socket.

use std::collections::HashSet;

use crate::{
    id::{ConversationId, SubscriptionId},
    session::Millis,
    ums::ConversationQuery,
};

/// A subscription on this connection, before and after the platform gave it an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriptionKey(pub(super) u64);

/// A caller's wish for a subscription, over all sockets of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WishNumber(pub(super) u64);

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) query: ConversationQuery,
    pub(super) id: Option<SubscriptionId>,
    pub(super) life: Life,
    /// How often the subscription was refused or not answered.
    pub(super) tries: u32,
    /// Whether the answer is still to come.
    pub(super) is_asked: bool,
    /// `None` once the snapshot is whole.
    pub(super) snapshot: Option<Snapshot>,
}

/// A snapshot that is on its way.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// Conversations seen in its pages so far.
    pub(super) seen: Vec<ConversationId>,
    pub(super) purpose: Purpose,
    /// Since when a single change stands for a further page; the page itself may have been overtaken by it.
    pub(super) alone_since: Option<Millis>,
}

/// Who waits for a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The resume plan, for the connection's own subscription.
    Own,
    /// The resume plan, for a wish that stands since an earlier socket.
    Restored,
    /// The caller whose wish began on this socket.
    Begun(WishNumber),
    /// The resume plan, for what became of a conversation that is missing.
    Missing(ConversationId),
    /// A conversation that wants its state told anew.
    Refresh(ConversationId),
    /// A message of a conversation that is not known.
    Stranger(ConversationId),
    /// Nobody: a change overtook the first page, and was taken for the whole snapshot.
    Late,
}

/// How long a subscription is kept.
#[derive(Debug)]
pub(super) enum Life {
    /// As long as it is wanted.
    Standing {
        /// What is in it now.
        members: HashSet<ConversationId>,
        /// Who wants it; the connection itself where nobody else does.
        wish: Option<WishNumber>,
    },
    /// Until its first notification was taken: a further page of another, or a question asked once.
    Once {
        /// Of which one it is a page.
        page_of: Option<SubscriptionKey>,
    },
}

impl Life {
    pub(super) const QUESTION: Self = Self::Once { page_of: None };

    pub(super) fn standing(wish: Option<WishNumber>) -> Self {
        Self::Standing { members: HashSet::new(), wish }
    }

    pub(super) fn has(&self, id: &ConversationId) -> bool {
        matches!(self, Self::Standing { members, .. } if members.contains(id))
    }
}
