//! What the actor is to do, and why a snapshot does not come.

use std::collections::HashSet;

use thiserror::Error;

use super::{SubscriptionKey, WishNumber};
use crate::{
    id::{ConversationId, SubscriptionId},
    time::Timestamp,
    ums::{AnswerError, ConversationQuery},
};

/// What is to be done, in order.
pub type Outputs = Vec<Output>;

/// One thing to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Send this; the answer goes to [`answered`](super::Subscriptions::answered) or
    /// [`unanswered`](super::Subscriptions::unanswered).
    Subscribe {
        /// Which subscription it is for.
        key: SubscriptionKey,
        /// What is wanted.
        query: ConversationQuery,
    },
    /// Send this; nobody waits for the answer.
    Unsubscribe(SubscriptionId),
    /// As many conversations changed at one time as the platform names at once: there may be others, which stay unknown
    /// until they change again (SB-10).
    SnapshotCut {
        /// The time they share.
        at: Timestamp,
    },
    /// The snapshots of the resume plan are whole: tell [`missing`](super::Subscriptions::missing) who is known and not
    /// among these.
    SnapshotWhole(HashSet<ConversationId>),
    /// What became of everybody is known.
    UpToDate {
        /// How many conversations the snapshots had.
        conversations: usize,
    },
    /// The resume plan cannot be finished on this socket.
    NotUpToDate(Failure),
    /// A wish has begun with these, or could not begin.
    Wished {
        /// Which wish.
        wish: WishNumber,
        /// What matched at first.
        begun: Result<Vec<ConversationId>, Failure>,
    },
}

/// Why a snapshot does not come.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Failure {
    /// The platform refused the subscription, or one to a further page.
    #[error(transparent)]
    Refused(#[from] AnswerError),
    /// No answer came in time.
    #[error("no answer came in time")]
    TimedOut,
    /// The socket was lost.
    #[error("the connection was lost before the snapshot was whole")]
    SocketLost,
}
