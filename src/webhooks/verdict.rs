//! The outcome of an attempt, and its meaning for the event.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The outcome of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AttemptOutcome {
    /// The receiver answered.
    Answered {
        /// The status of the answer.
        status: u16,
        /// The pause that the receiver asks for.
        retry_after: Option<Duration>,
    },
    /// No answer arrived.
    Failed(NoAnswer),
    /// The receiver answered with 2xx, but its answer is not a valid reply.
    Unusable {
        /// The status of the answer.
        status: u16,
        /// Why the answer is invalid. The text may quote the answer.
        reason: String,
    },
}

/// Why no answer arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum NoAnswer {
    /// No answer arrived in time, connecting included.
    TimedOut,
    /// The host name has no address.
    NameNotFound,
    /// The host name has an internal address.
    InternalAddress,
    /// The address does not accept connections, or its certificate is not trusted.
    Unreachable,
    /// The connection broke before the answer.
    ConnectionLost,
    /// The answer is not HTTP.
    Unreadable,
}

impl NoAnswer {
    /// The name of this failure in the delivery log.
    #[must_use]
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::TimedOut => "timed-out",
            Self::NameNotFound => "name-not-found",
            Self::InternalAddress => "internal-address",
            Self::Unreachable => "unreachable",
            Self::ConnectionLost => "connection-lost",
            Self::Unreadable => "unreadable",
        }
    }
}

/// Every name of an outcome.
pub(super) const KINDS: [&str; 11] = [
    "delivered",
    "unusable-reply",
    "redirected",
    "client-error",
    "server-error",
    "timed-out",
    "name-not-found",
    "internal-address",
    "unreachable",
    "connection-lost",
    "unreadable",
];

/// The meaning of an outcome for the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Delivered,
    /// The receiver accepted the event, but its answer is invalid. Another attempt would not help.
    Unusable,
    /// The receiver says that it no longer exists (410).
    Gone,
    /// The event must be tried again.
    Failed {
        retry_after: Option<Duration>,
        /// Whether the requested pause applies to all events of the webhook.
        holds_all: bool,
    },
}

impl AttemptOutcome {
    pub(super) fn verdict(&self) -> Verdict {
        match *self {
            Self::Answered { status: 200..=299, .. } => Verdict::Delivered,
            Self::Answered { status: 410, .. } => Verdict::Gone,
            // A redirect is a failure too: someone who can make a receiver redirect must not choose where events go.
            Self::Answered { status, retry_after } => {
                let holds_all = retry_after.is_some() && matches!(status, 429 | 503);
                Verdict::Failed { retry_after, holds_all }
            }
            Self::Failed(_) => Verdict::Failed { retry_after: None, holds_all: false },
            Self::Unusable { .. } => Verdict::Unusable,
        }
    }

    /// The outcome as one of a few names, for metrics and the delivery log.
    #[must_use]
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Answered { status: 200..=299, .. } => "delivered",
            Self::Answered { status: 300..=399, .. } => "redirected",
            Self::Answered { status: 400..=499, .. } => "client-error",
            Self::Answered { status: 500..=599, .. } => "server-error",
            Self::Answered { .. } => "unreadable",
            Self::Failed(failure) => failure.as_str(),
            Self::Unusable { .. } => "unusable-reply",
        }
    }

    /// The status, if an answer arrived.
    #[must_use]
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Answered { status, .. } | Self::Unusable { status, .. } => Some(*status),
            Self::Failed(_) => None,
        }
    }

    /// A description for people.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Answered { status, .. } => format!("the receiver answered {status}"),
            Self::Failed(failure) => format!("the receiver could not be reached: {}", failure.as_str()),
            Self::Unusable { reason, .. } => reason.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_2xx_is_a_delivery_410_ends_the_webhook_and_all_else_is_tried_again() {
        let verdict = |status| AttemptOutcome::Answered { status, retry_after: None }.verdict();
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(verdict(status), Verdict::Delivered, "{status}");
        }
        assert_eq!(verdict(410), Verdict::Gone);
        let failed = Verdict::Failed { retry_after: None, holds_all: false };
        for status in [100, 199, 300, 301, 302, 307, 308, 400, 401, 404, 413, 429, 500, 502, 503, 599] {
            assert_eq!(verdict(status), failed, "{status}");
        }
        assert_eq!(AttemptOutcome::Failed(NoAnswer::TimedOut).verdict(), failed);
    }

    #[test]
    fn every_outcome_has_one_of_the_words() {
        let answered = (100..1_000).map(|status| AttemptOutcome::Answered { status, retry_after: None });
        let failed = [
            NoAnswer::TimedOut,
            NoAnswer::NameNotFound,
            NoAnswer::InternalAddress,
            NoAnswer::Unreachable,
            NoAnswer::ConnectionLost,
            NoAnswer::Unreadable,
        ];
        let unusable = AttemptOutcome::Unusable { status: 200, reason: String::new() };
        let outcomes = answered.chain(failed.map(AttemptOutcome::Failed)).chain([unusable]);
        let mut words: Vec<_> = outcomes.map(|outcome| outcome.kind()).collect();
        words.sort_unstable();
        words.dedup();
        let mut listed = KINDS;
        listed.sort_unstable();
        assert_eq!(words, listed);
    }

    #[test]
    fn only_429_and_503_ask_for_a_pause_of_all_events() {
        let retry_after = Some(Duration::from_secs(9));
        for (status, holds_all) in [(429, true), (503, true), (500, false), (301, false)] {
            let verdict = AttemptOutcome::Answered { status, retry_after }.verdict();
            assert_eq!(verdict, Verdict::Failed { retry_after, holds_all }, "{status}");
        }
    }
}
