//! What one refusal costs: only what it concerns.
//!
//! [`decide`] says of one refused request what the refusal concerns, whether and how the request is tried again, and
//! [`Concern::holds`] what waits meanwhile. [`LoginPace`] says when the next request of a login may go out: it holds the
//! pause that the platform asked for and finds a pace below the one that the platform grants.

mod decision;
mod pace;
mod pause;
mod rate;
mod window;

pub use decision::{Case, Concern, Decision, Retry, THROTTLED_OFTEN, decide};
pub use pace::LoginPace;
pub use pause::Pause;

use crate::ums::{AnswerError, Request};

/// For what a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Keeps the socket alive. Never waits.
    KeepAlive,
    /// Brings the connection up to date, or keeps it so.
    Recovery,
    /// Carries out what a caller wants.
    Command,
}

/// What a request asks for, as far as its refusal depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RequestType {
    /// To see conversations.
    Subscription,
    /// To be offered conversations.
    RingSubscription,
    /// To set the agent's state.
    AgentState,
    /// To read a dialog's history.
    History,
    /// To take or refuse an offer.
    RingAnswer,
    /// Anything else.
    Other,
}

impl RequestType {
    /// Whether several requests of this type wait at the same time, each for its own conversation or offer. One of them
    /// may be refused while the others are granted.
    #[must_use]
    pub fn is_asked_by_many(self) -> bool {
        matches!(self, Self::History | Self::RingAnswer)
    }
}

impl From<&Request> for RequestType {
    fn from(request: &Request) -> Self {
        match request {
            Request::SubscribeConversations(_) => Self::Subscription,
            Request::SubscribeRoutingTasks(_) => Self::RingSubscription,
            Request::SetAgentState(_) => Self::AgentState,
            Request::QueryMessages(_) | Request::SubscribeMessages(_) => Self::History,
            Request::AnswerRing(_) => Self::RingAnswer,
            _ => Self::Other,
        }
    }
}

/// How a request was not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Too many requests (429). The request should have had no effect, and may have had it all the same.
    TooMany,
    /// The platform is in trouble (5xx, or an answer that cannot be read). The request may have had its effect.
    Trouble,
    /// This login may not do it (401, 403). Such an answer may pass.
    NotPermitted,
    /// The platform will not do it (any other 4xx).
    Rejected,
    /// No answer came in time. The request may have had its effect.
    Unanswered,
    /// The connection was lost before the answer came. The request may have had its effect.
    ConnectionLost,
}

impl Refusal {
    /// The refusal that a status means; `None` for a success.
    #[must_use]
    pub fn of_code(code: u16) -> Option<Self> {
        match code {
            ..400 => None,
            429 => Some(Self::TooMany),
            401 | 403 => Some(Self::NotPermitted),
            400..500 => Some(Self::Rejected),
            _ => Some(Self::Trouble),
        }
    }

    /// How often a request was tried, of which its asker knows `tries`. The connection tells of a refusal for the number
    /// of requests only after it has tried several times itself.
    #[must_use]
    pub fn tries(self, tries: u32) -> u32 {
        if self == Self::TooMany { tries.max(THROTTLED_OFTEN) } else { tries }
    }
}

impl From<&AnswerError> for Refusal {
    fn from(error: &AnswerError) -> Self {
        match error {
            // A success code with the words of a failure is a refusal too.
            AnswerError::Refused { code, .. } => Self::of_code(*code).unwrap_or(Self::Rejected),
            AnswerError::Unexpected(_) => Self::Trouble,
        }
    }
}
