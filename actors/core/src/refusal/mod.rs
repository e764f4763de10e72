//! Limits the effect of a refusal to what it concerns.
//!
//! [`decide`] says what a refusal affects and whether and how the request is repeated; [`Concern::holds`] says what
//! waits meanwhile. [`LoginPace`] says when the next request of a login may be sent: it keeps the pause that the
//! platform requested, and finds a rate below the one that the platform grants.

mod decision;
mod pace;
mod pause;
mod rate;
mod window;

pub use decision::{Case, Concern, Decision, Retry, decide};
pub use pace::LoginPace;
pub use pause::Pause;

use crate::ums::{AnswerError, Request};

/// For a type with many concurrent requests ([`RequestType::is_asked_by_many`]): after this many refusals (429) in a
/// row a request waits on its own. Other requests of its type are sent meanwhile, because they may be granted.
pub const THROTTLED_OFTEN: u32 = 3;

/// The purpose of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Keeps the socket alive. Never waits.
    KeepAlive,
    /// Brings the connection up to date, or keeps it so.
    Recovery,
    /// Runs a caller's command.
    Command,
}

/// The type of a request, as far as its refusal depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RequestType {
    /// Subscribes to conversations.
    Subscription,
    /// Subscribes to offers.
    RingSubscription,
    /// Sets the agent's state.
    AgentState,
    /// Reads a dialog's history.
    History,
    /// Accepts or declines an offer.
    RingAnswer,
    /// Any other request.
    Other,
}

impl RequestType {
    /// Returns whether several requests of this type may wait at the same time, each for its own conversation or offer.
    /// One of them may be refused while others are granted.
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

/// How a request failed: the platform refused it, or no response came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Too many requests (429). The request should have had no effect, but may have been applied.
    TooMany,
    /// The platform fails (5xx, or a response that cannot be parsed). The request may have been applied.
    Trouble,
    /// This login has no permission (401, 403). Such a response may be temporary.
    NotPermitted,
    /// The platform rejects the request (any other 4xx).
    Rejected,
    /// No response came in time. The request may have been applied.
    Unanswered,
    /// The connection was lost before the response came. The request may have been applied.
    ConnectionLost,
}

impl Refusal {
    /// Returns the refusal that a status means; `None` for a success.
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

    /// Returns how often a request was tried, if its sender counts `tries`. The connection itself tries several times
    /// before it reports that there were too many requests.
    #[must_use]
    pub fn tries(self, tries: u32) -> u32 {
        if self == Self::TooMany { tries.max(THROTTLED_OFTEN) } else { tries }
    }
}

impl From<&AnswerError> for Refusal {
    fn from(error: &AnswerError) -> Self {
        match error {
            // A success code with the text of a failure is a refusal too.
            AnswerError::Refused { code, .. } => Self::of_code(*code).unwrap_or(Self::Rejected),
            AnswerError::Unexpected(_) => Self::Trouble,
        }
    }
}
