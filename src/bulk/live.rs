//! A job's progress.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{
    counts::Counts,
    job::{Job, Rate},
    outcome::ItemOutcome,
};

/// A job in this process.
pub(super) struct Live {
    pub(super) job: Job,
    pub(super) counts: Counts,
    pub(super) in_flight: usize,
    /// Stops the task that runs the job; `None` if no task runs it.
    pub(super) run: Option<CancellationToken>,
    /// When the job began to run, and how many items were settled then.
    pub(super) running_since: Option<(Instant, usize)>,
}

/// A job and its progress.
#[derive(Clone, Debug)]
pub struct Progress {
    /// The job.
    pub job: Job,
    /// The counts of its items.
    pub counts: Counts,
    /// Items in progress.
    pub in_flight: usize,
    /// The estimated end at the current speed; only while the job runs.
    pub estimated_end: Option<Timestamp>,
}

impl Live {
    pub(super) fn new(job: Job, counts: Counts) -> Self {
        Self { job, counts, in_flight: 0, run: None, running_since: None }
    }

    /// The job as it is stored.
    pub(super) fn kept(&self) -> Job {
        Job { counts: self.counts, ..self.job.clone() }
    }

    pub(super) fn settle(&mut self, outcome: &ItemOutcome) {
        self.counts.settle(outcome);
    }

    /// Records the time at which the job began to run.
    pub(super) fn begin(&mut self, now: Instant) {
        self.running_since = Some((now, self.counts.settled()));
    }

    pub(super) fn progress(&self, now: Instant) -> Progress {
        let is_running = self.job.state.name() == "running";
        let since = self.running_since.filter(|_| is_running);
        let estimated_end = since.and_then(|(since, before)| {
            let settled = self.counts.settled().saturating_sub(before);
            let left = time_left(self.counts.left(), settled, now.saturating_duration_since(since), self.job.rate);
            Timestamp::now().checked_add(left).ok()
        });
        Progress { job: self.kept(), counts: self.counts, in_flight: self.in_flight, estimated_end }
    }
}

/// How long `left` items will take if `settled` items took `elapsed`; never less than the rate allows.
fn time_left(left: usize, settled: usize, elapsed: Duration, rate: Rate) -> Duration {
    let by_rate = 1.0 / f64::from(rate.per_second().get());
    let number = |count: usize| u32::try_from(count).map_or(f64::from(u32::MAX), f64::from);
    let by_experience = if settled == 0 { 0.0 } else { elapsed.as_secs_f64() / number(settled) };
    Duration::try_from_secs_f64(by_rate.max(by_experience) * number(left)).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_takes_as_long_per_item_as_before_and_never_less_than_the_rate_allows() {
        let rate = Rate::new(10).unwrap();
        let seconds =
            |left, settled, elapsed| time_left(left, settled, Duration::from_secs(elapsed), rate).as_secs_f64().round();
        assert_eq!(seconds(100, 0, 5) as u32, 10, "nothing is known yet");
        assert_eq!(seconds(100, 50, 25) as u32, 50);
        assert_eq!(seconds(100, 50, 1) as u32, 10);
        assert_eq!(seconds(0, 50, 1) as u32, 0);
    }
}
