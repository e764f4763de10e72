//! A job and its states.

use std::{fmt, num::NonZeroU32, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{counts::Counts, filter::Filter, operation::Operation};
use crate::reach::Reach;

/// A job's id. Later jobs have greater ids.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(Box<str>);

impl JobId {
    pub(super) fn new() -> Self {
        Self(Uuid::now_v7().to_string().into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for JobId {
    fn from(id: &str) -> Self {
        Self(id.into())
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Conversations started per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rate(NonZeroU32);

impl Rate {
    /// The highest rate, which is also the limit of all jobs of one account together.
    pub const MAX: u32 = 100;

    /// A rate from 1 to [`Rate::MAX`]; `None` for any other number.
    #[must_use]
    pub fn new(per_second: u32) -> Option<Self> {
        NonZeroU32::new(per_second).filter(|rate| rate.get() <= Self::MAX).map(Self)
    }

    /// The number of conversations per second.
    #[must_use]
    pub fn per_second(self) -> NonZeroU32 {
        self.0
    }
}

impl Default for Rate {
    /// Ten per second. The platform documents no number: it limits bursts and parallel requests, and wants a pause of
    /// at least a second after a 429 (protocol [§8](crate::protocol#8)).
    fn default() -> Self {
        Self(NonZeroU32::new(10).unwrap_or(NonZeroU32::MIN))
    }
}

/// Identifies a repeated request for the same job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedAs {
    /// The caller's idempotency key.
    pub key: String,
    /// Differs between different requests with the same key.
    pub digest: String,
}

/// A job as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// The job's id.
    pub id: JobId,
    /// The operation.
    #[serde(flatten)]
    pub operation: Operation,
    /// Selects the conversations.
    pub filter: Filter,
    /// The rate.
    pub rate: Rate,
    /// The connections that the job may act on: the reach of the token that asked for the job.
    #[serde(default, skip_serializing_if = "Reach::is_everything")]
    pub reach: Reach,
    /// The name of the caller, for the events about the commands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<Arc<str>>,
    /// The idempotency key, if the caller gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked_as: Option<AskedAs>,
    /// When the job was created.
    pub created: Timestamp,
    /// When the first item was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// The job's state.
    pub state: State,
    /// The counts when the job was written; for an active job they are recomputed from its items.
    pub counts: Counts,
}

/// The state of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// The job has work left.
    #[serde(rename_all = "camelCase")]
    Active {
        /// The kind of work.
        phase: Phase,
        /// Whether the job waits until it is resumed.
        is_paused: bool,
    },
    /// The job has ended.
    #[serde(rename_all = "camelCase")]
    Ended {
        /// How it ended.
        end: End,
        /// When it ended.
        at: Timestamp,
    },
}

/// The phases of an active job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// Finding and storing the conversations.
    Matching,
    /// Processing the items.
    Carrying,
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum End {
    /// Every item has an outcome.
    Finished,
    /// A caller cancelled the job; items that were not started are left.
    Cancelled,
    /// The job failed.
    Failed(JobFailure),
}

/// Why a job failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobFailure {
    /// More conversations match than a job may have. No conversation was changed.
    TooManyItems,
    /// The job's task panicked.
    Internal,
}

impl JobFailure {
    /// The reason as a stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::TooManyItems => "too-many-items",
            Self::Internal => "internal",
        }
    }
}

/// The job has ended, so its state cannot change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the job has already ended")]
pub(super) struct HasEnded;

impl State {
    /// The initial state of every job.
    pub const NEW: Self = Self::Active { phase: Phase::Matching, is_paused: false };

    /// Whether the job has work left and is not paused.
    #[must_use]
    pub fn is_going(&self) -> bool {
        matches!(self, Self::Active { is_paused: false, .. })
    }

    /// Whether the job has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self, Self::Ended { .. })
    }

    /// The state's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Active { is_paused: true, .. } => "paused",
            Self::Active { phase: Phase::Matching, .. } => "matching",
            Self::Active { phase: Phase::Carrying, .. } => "running",
            Self::Ended { end: End::Finished, .. } => "finished",
            Self::Ended { end: End::Cancelled, .. } => "cancelled",
            Self::Ended { end: End::Failed(_), .. } => "failed",
        }
    }

    /// The paused or resumed state. Repeating the call is not an error.
    pub(super) fn paused(self, is_paused: bool) -> Result<Self, HasEnded> {
        match self {
            Self::Active { phase, .. } => Ok(Self::Active { phase, is_paused }),
            Self::Ended { .. } => Err(HasEnded),
        }
    }

    /// The cancelled state. Repeating the call is not an error.
    pub(super) fn cancelled(self, at: Timestamp) -> Result<Self, HasEnded> {
        match self {
            Self::Active { .. } => Ok(Self::Ended { end: End::Cancelled, at }),
            Self::Ended { end: End::Cancelled, .. } => Ok(self),
            Self::Ended { .. } => Err(HasEnded),
        }
    }

    /// The state after all matching conversations are stored; a paused job stays paused.
    pub(super) fn matched(self) -> Self {
        match self {
            Self::Active { is_paused, .. } => Self::Active { phase: Phase::Carrying, is_paused },
            Self::Ended { .. } => self,
        }
    }

    /// The state after the last work; an ended job stays as it is.
    pub(super) fn ended(self, end: End, at: Timestamp) -> Self {
        match self {
            Self::Active { .. } => Self::Ended { end, at },
            Self::Ended { .. } => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARRYING: State = State::Active { phase: Phase::Carrying, is_paused: false };

    fn now() -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    #[test]
    fn a_job_keeps_its_phase_over_a_pause() {
        for going in [State::NEW, CARRYING] {
            let paused = going.paused(true).unwrap();
            assert_eq!((paused.name(), paused.is_going(), paused.has_ended()), ("paused", false, false));
            assert_eq!(paused.paused(true), Ok(paused), "twice is no mistake");
            assert_eq!(paused.paused(false), Ok(going));
        }
    }

    #[test]
    fn a_job_that_matched_while_paused_stays_paused() {
        let paused = State::NEW.paused(true).unwrap().matched();
        assert_eq!(paused.name(), "paused");
        assert_eq!(paused.paused(false), Ok(CARRYING));
    }

    #[test]
    fn the_state_of_an_ended_job_does_not_change() {
        for end in [End::Finished, End::Cancelled, End::Failed(JobFailure::TooManyItems)] {
            let ended = CARRYING.ended(end, now());
            assert!(ended.has_ended() && !ended.is_going());
            assert_eq!((ended.paused(true), ended.paused(false)), (Err(HasEnded), Err(HasEnded)));
            assert_eq!((ended.matched(), ended.ended(End::Finished, Timestamp::MAX)), (ended, ended));
        }
        let cancelled = CARRYING.cancelled(now()).unwrap();
        assert_eq!(cancelled.cancelled(Timestamp::MAX), Ok(cancelled), "twice is no mistake");
        assert_eq!(CARRYING.ended(End::Finished, now()).cancelled(now()), Err(HasEnded));
    }

    #[test]
    fn a_rate_is_from_1_to_100() {
        assert_eq!([0, 1, 100, 101].map(|rate| Rate::new(rate).is_some()), [false, true, true, false]);
        assert_eq!(Rate::default().per_second().get(), 10);
    }
}
