//! One subscription of the present socket.

use std::collections::HashSet;

use crate::{
    id::{ConversationId, SubscriptionId},
    session::Millis,
    ums::ConversationQuery,
};

/// Identifies a subscription of this connection, before and after the platform gave it an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriptionKey(pub(super) u64);

/// Identifies a caller's subscription over all sockets of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallerNumber(pub(super) u64);

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) query: ConversationQuery,
    pub(super) id: Option<SubscriptionId>,
    pub(super) life: Life,
    /// How often the subscription was refused or had no response.
    pub(super) tries: u32,
    /// Whether the response is still expected.
    pub(super) is_asked: bool,
    /// `None` after the snapshot is complete.
    pub(super) snapshot: Option<Snapshot>,
}

/// A snapshot that is being received.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// The conversations in its pages so far.
    pub(super) seen: Vec<ConversationId>,
    pub(super) purpose: Purpose,
    /// Since when a single change has been taken for a further page; the change may have overtaken the page itself.
    pub(super) alone_since: Option<Millis>,
}

/// Who waits for a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The resume plan, for the connection's own subscription.
    Own,
    /// The resume plan, for a caller's subscription that was begun on an earlier socket.
    Restored,
    /// The caller whose subscription began on this socket.
    Begun(CallerNumber),
    /// The resume plan, for the state of a missing conversation.
    Missing(ConversationId),
    /// A conversation that needs a fresh state.
    Refresh(ConversationId),
    /// A message of an unknown conversation.
    Stranger(ConversationId),
    /// Nobody: a change overtook the first page, and was taken for the whole snapshot.
    Late,
}

/// How long a subscription is kept.
#[derive(Debug)]
pub(super) enum Life {
    /// As long as it is wanted.
    Standing {
        /// The conversations that are in it now.
        members: HashSet<ConversationId>,
        /// The caller's subscription; `None` if only the connection wants it.
        caller: Option<CallerNumber>,
    },
    /// Until its first notification was processed: a further page of another subscription, or a single question.
    Once {
        /// The subscription of which it is a page.
        page_of: Option<SubscriptionKey>,
    },
}

impl Life {
    pub(super) const QUESTION: Self = Self::Once { page_of: None };

    pub(super) fn standing(caller: Option<CallerNumber>) -> Self {
        Self::Standing { members: HashSet::new(), caller }
    }

    pub(super) fn has(&self, id: &ConversationId) -> bool {
        matches!(self, Self::Standing { members, .. } if members.contains(id))
    }
}
