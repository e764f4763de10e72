//! A job, and what may become of it.

use std::{fmt, num::NonZeroU32};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{filter::Filter, live::Counts, operation::Operation};

/// A job's id. Later jobs have greater ones.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(Box<str>);

impl JobId {
    pub(super) fn new() -> Self {
        Self(Uuid::now_v7().to_string().into())
    }

    /// The id as callers write it.
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

/// Conversations begun a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rate(NonZeroU32);

impl Rate {
    /// The highest, which all jobs of one account have together, too.
    pub const MAX: u32 = 100;

    /// A rate from 1 to [`Rate::MAX`]; `None` for any other number.
    #[must_use]
    pub fn new(per_second: u32) -> Option<Self> {
        NonZeroU32::new(per_second).filter(|rate| rate.get() <= Self::MAX).map(Self)
    }

    /// The number.
    #[must_use]
    pub fn per_second(self) -> NonZeroU32 {
        self.0
    }
}

impl Default for Rate {
    /// Ten a second. The platform names no number: it limits bursts and parallel requests, and wants at least a second
    /// of rest after a 429 (protocol §8).
    fn default() -> Self {
        Self(NonZeroU32::new(10).unwrap_or(NonZeroU32::MIN))
    }
}

/// How a job is known again that is asked for twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedAs {
    /// The caller's key.
    pub key: String,
    /// Tells what was asked from anything else asked under the same key.
    pub digest: String,
}

/// A job as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Which.
    pub id: JobId,
    /// What is done.
    #[serde(flatten)]
    pub operation: Operation,
    /// To which conversations.
    pub filter: Filter,
    /// How fast.
    pub rate: Rate,
    /// How it is known again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked_as: Option<AskedAs>,
    /// When it was asked for.
    pub created: Timestamp,
    /// When its first item was begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// Where it is.
    pub state: State,
    /// How far it was when this was written; of one that has not ended, its items tell better.
    pub counts: Counts,
}

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// It has work to do.
    #[serde(rename_all = "camelCase")]
    Active {
        /// Of which kind.
        phase: Phase,
        /// Whether it waits until it is resumed.
        is_paused: bool,
    },
    /// Nothing more happens.
    #[serde(rename_all = "camelCase")]
    Ended {
        /// In which way.
        end: End,
        /// When.
        at: Timestamp,
    },
}

/// What an active job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// Writes down which conversations are meant.
    Matching,
    /// Carries out one after the other.
    Carrying,
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum End {
    /// Each item has its outcome.
    Finished,
    /// Somebody ended it; items that were not begun are left.
    Cancelled,
    /// It could not be done.
    Failed(Failure),
}

/// Why a job could not be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// More conversations matched than one job may have. None was touched.
    TooManyItems,
    /// What ran it broke.
    Internal,
}

impl Failure {
    /// The stable word for the reason.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::TooManyItems => "too-many-items",
            Self::Internal => "internal",
        }
    }
}

/// What was asked of a job that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the job has already ended")]
pub(super) struct HasEnded;

impl State {
    /// Where every job begins.
    pub const NEW: Self = Self::Active { phase: Phase::Matching, is_paused: false };

    /// Whether it has work to do and may do it.
    #[must_use]
    pub fn is_going(&self) -> bool {
        matches!(self, Self::Active { is_paused: false, .. })
    }

    /// Whether nothing more happens.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self, Self::Ended { .. })
    }

    /// The word for it.
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

    /// Paused, or resumed; the same again is no mistake.
    pub(super) fn paused(self, is_paused: bool) -> Result<Self, HasEnded> {
        match self {
            Self::Active { phase, .. } => Ok(Self::Active { phase, is_paused }),
            Self::Ended { .. } => Err(HasEnded),
        }
    }

    /// Cancelled; the same again is no mistake.
    pub(super) fn cancelled(self, at: Timestamp) -> Result<Self, HasEnded> {
        match self {
            Self::Active { .. } => Ok(Self::Ended { end: End::Cancelled, at }),
            Self::Ended { end: End::Cancelled, .. } => Ok(self),
            Self::Ended { .. } => Err(HasEnded),
        }
    }

    /// What follows once everything that matches is written down, also if it was paused meanwhile.
    pub(super) fn matched(self) -> Self {
        match self {
            Self::Active { is_paused, .. } => Self::Active { phase: Phase::Carrying, is_paused },
            Self::Ended { .. } => self,
        }
    }

    /// What follows once there is nothing left to do, or nothing that can be done.
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
    fn a_job_is_paused_and_resumed_where_it_is() {
        for going in [State::NEW, CARRYING] {
            let paused = going.paused(true).unwrap();
            assert_eq!((paused.name(), paused.is_going(), paused.has_ended()), ("paused", false, false));
            assert_eq!(paused.paused(true), Ok(paused), "twice is no mistake");
            assert_eq!(paused.paused(false), Ok(going));
        }
    }

    #[test]
    fn what_matched_while_it_was_paused_waits_to_be_resumed() {
        let paused = State::NEW.paused(true).unwrap().matched();
        assert_eq!(paused.name(), "paused");
        assert_eq!(paused.paused(false), Ok(CARRYING));
    }

    #[test]
    fn nothing_becomes_of_a_job_that_has_ended() {
        for end in [End::Finished, End::Cancelled, End::Failed(Failure::TooManyItems)] {
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
