//! The actor's next actions, and why a snapshot failed.

use std::collections::HashSet;

use thiserror::Error;

use super::{CallerNumber, SubscriptionKey};
use crate::{
    id::{ConversationId, SubscriptionId},
    refusal::Refusal,
    time::Timestamp,
    ums::{AnswerError, ConversationQuery},
};

/// The actions, in order.
pub type Outputs = Vec<Output>;

/// One action.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Send this request; its response goes to [`answered`](super::Subscriptions::answered) or
    /// [`unanswered`](super::Subscriptions::unanswered).
    Subscribe {
        /// The subscription.
        key: SubscriptionKey,
        /// The query.
        query: ConversationQuery,
    },
    /// The subscription failed and is still wanted: call [`again`](super::Subscriptions::again) after a while.
    SubscribeLater {
        /// The subscription.
        key: SubscriptionKey,
        /// The part that the subscription serves.
        part: Part,
        /// How often it failed.
        tries: u32,
        /// Why it failed.
        failure: SubscriptionFailure,
    },
    /// Send this request; its response is ignored.
    Unsubscribe(SubscriptionId),
    /// As many conversations changed at one time as the platform sends at once: there may be others, which stay unknown
    /// until they change again ([SB-10](crate::rules#sb-10)).
    SnapshotCut {
        /// The common update time.
        at: Timestamp,
    },
    /// The snapshots of the resume plan are complete and contain these conversations: call
    /// [`missing`](super::Subscriptions::missing) with the known conversations that are not among them.
    SnapshotWhole(HashSet<ConversationId>),
    /// The state of a conversation that the snapshots lacked is known, or finally unavailable.
    Settled(ConversationId),
    /// All missing conversations are settled.
    UpToDate {
        /// The number of conversations in the snapshots.
        conversations: usize,
    },
    /// A caller's subscription has begun, or could not begin.
    CallerAnswered {
        /// The caller's subscription.
        caller: CallerNumber,
        /// The conversations that matched at first.
        begun: Result<Vec<ConversationId>, SubscriptionFailure>,
    },
}

/// The purpose of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Seeing conversations: without it new conversations stay unknown.
    Standing,
    /// The state of one conversation.
    Question,
}

/// Why a snapshot failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SubscriptionFailure {
    /// The platform refused the subscription, or the subscription to a further page.
    #[error(transparent)]
    Refused(#[from] AnswerError),
    /// No response came in time.
    #[error("no response came in time")]
    TimedOut,
    /// The socket was lost.
    #[error("the connection was lost before the snapshot was complete")]
    SocketLost,
}

impl From<&SubscriptionFailure> for Refusal {
    fn from(failure: &SubscriptionFailure) -> Self {
        match failure {
            SubscriptionFailure::Refused(error) => error.into(),
            SubscriptionFailure::TimedOut => Self::Unanswered,
            SubscriptionFailure::SocketLost => Self::ConnectionLost,
        }
    }
}
