//! What the actor is to do, and why a snapshot does not come.

use std::collections::HashSet;

use thiserror::Error;

use super::{SubscriptionKey, WishNumber};
use crate::{
    id::{ConversationId, SubscriptionId},
    refusal::Refusal,
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
    /// The subscription was not granted and stays wanted: call [`again`](super::Subscriptions::again) after a while.
    SubscribeLater {
        /// Which subscription.
        key: SubscriptionKey,
        /// Of which part of what is seen it is.
        part: Part,
        /// How often it was not granted.
        tries: u32,
        /// Why it was not granted.
        failure: Failure,
    },
    /// Send this; nobody waits for the answer.
    Unsubscribe(SubscriptionId),
    /// As many conversations changed at one time as the platform names at once: there may be others, which stay unknown
    /// until they change again ([SB-10](crate::rules#sb-10)).
    SnapshotCut {
        /// The time they share.
        at: Timestamp,
    },
    /// The snapshots of the resume plan are whole: tell [`missing`](super::Subscriptions::missing) who is known and not
    /// among these.
    SnapshotWhole(HashSet<ConversationId>),
    /// What became of a conversation that was missing in the snapshots is known, if anything is to be known.
    Settled(ConversationId),
    /// What became of everybody is known.
    UpToDate {
        /// How many conversations the snapshots had.
        conversations: usize,
    },
    /// A wish has begun with these, or could not begin.
    Wished {
        /// Which wish.
        wish: WishNumber,
        /// What matched at first.
        begun: Result<Vec<ConversationId>, Failure>,
    },
}

/// What a subscription is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What the connection sees: without it new conversations stay unknown.
    Standing,
    /// The state of one conversation.
    Question,
}

/// Why a snapshot does not come.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Failure {
    /// The platform refused the subscription, or one to a further page.
    #[error(transparent)]
    Refused(#[from] AnswerError),
    /// No answer came in time.
    #[error("no response came in time")]
    TimedOut,
    /// The socket was lost.
    #[error("the connection was lost before the snapshot was complete")]
    SocketLost,
}

impl From<&Failure> for Refusal {
    fn from(failure: &Failure) -> Self {
        match failure {
            Failure::Refused(error) => error.into(),
            Failure::TimedOut => Self::Unanswered,
            Failure::SocketLost => Self::ConnectionLost,
        }
    }
}
