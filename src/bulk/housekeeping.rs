//! Which jobs are deleted, with their items.

use std::time::Duration;

use jiff::Timestamp;

use super::job::{Job, JobId, State};

/// How long a job, and its idempotency key, is kept after its end.
const KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The most ended jobs that are kept, not counting jobs that ended less than a day ago.
const KEPT: usize = 100;
/// How long an ended job is kept at least, so that its key gets the same answer, however many jobs there are.
const KEPT_AT_LEAST: Duration = Duration::from_secs(24 * 60 * 60);
/// The most jobs in any state; further jobs are refused.
pub(super) const JOBS_AT_MOST: usize = 1_000;

/// The jobs to delete.
pub(super) fn over<'a>(jobs: impl Iterator<Item = &'a Job>, now: Timestamp) -> Vec<JobId> {
    let mut ended: Vec<(Timestamp, &JobId)> = jobs
        .filter_map(|job| match job.state {
            State::Ended { at, .. } => Some((at, &job.id)),
            State::Active { .. } => None,
        })
        .collect();
    ended.sort_unstable_by(|one, other| other.cmp(one));
    let is_over = |place: usize, at: Timestamp| {
        let age = Duration::try_from(now.duration_since(at)).unwrap_or_default();
        age > KEPT_FOR || (place >= KEPT && age > KEPT_AT_LEAST)
    };
    let over = ended.iter().enumerate().filter(|(place, (at, _))| is_over(*place, *at));
    over.map(|(_, (_, id))| JobId::clone(id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bulk::{Counts, End, Filter, Operation, Rate},
        reach::Reach,
    };

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn job(id: &str, state: State) -> Job {
        Job {
            id: JobId::from(id),
            operation: Operation::Close { survey: false },
            filter: Filter::default(),
            rate: Rate::default(),
            reach: Reach::EVERYTHING,
            caller: None,
            asked_as: None,
            created: Timestamp::UNIX_EPOCH,
            started: None,
            state,
            counts: Counts::default(),
        }
    }

    fn ended(id: &str, at: Timestamp) -> Job {
        job(id, State::Ended { end: End::Finished, at })
    }

    #[test]
    fn a_job_is_forgotten_a_week_after_its_end() {
        let now = Timestamp::UNIX_EPOCH + DAY * 30;
        let jobs = [ended("old", now - DAY * 8), ended("young", now - DAY * 6), job("active", State::NEW)];
        assert_eq!(over(jobs.iter(), now), [JobId::from("old")]);
    }

    #[test]
    fn the_newest_jobs_and_those_of_the_last_day_are_kept() {
        let now = Timestamp::UNIX_EPOCH + DAY * 30;
        let old: Vec<Job> = (0..KEPT + 2).map(|number| ended(&format!("{number:03}"), now - DAY * 2)).collect();
        assert_eq!(over(old.iter(), now), [JobId::from("001"), JobId::from("000")]);
        let young: Vec<Job> = (0..KEPT + 2).map(|number| ended(&format!("{number:03}"), now)).collect();
        assert!(over(young.iter(), now).is_empty());
    }
}
