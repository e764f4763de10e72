//! Polls whether the agents of each skill are at work, and reports changes ([CN-F18](crate::rules#cn-f18)).

use std::{collections::HashMap, time::Duration};

use tertulia_core::id::SkillId;
use tokio::{sync::mpsc, time::sleep};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::ConnectionError;
use crate::platform::ShiftStatus;

/// The most changes that wait for the reader; at this limit polling pauses.
const WAITING: usize = 64;
/// The part of the pause by which a request may come earlier, so that the connections of a fleet do not poll in step.
const JITTER: f64 = 0.1;

/// A stream of changes of shifts. Dropping it ends the polling.
pub struct ShiftWatch {
    first: Vec<ShiftStatus>,
    changes: mpsc::Receiver<Result<ShiftStatus, ConnectionError>>,
    _ending: DropGuard,
}

impl ShiftWatch {
    /// Returns a watch, and the future that polls with `ask` about every `pause` and compares with the `first`
    /// response.
    pub(crate) fn begin<F>(
        first: Vec<ShiftStatus>,
        pause: Duration,
        ask: impl Fn() -> F,
    ) -> (Self, impl Future<Output = ()>)
    where
        F: Future<Output = Result<Vec<ShiftStatus>, ConnectionError>>,
    {
        let (sender, changes) = mpsc::channel(WAITING);
        let ending = CancellationToken::new();
        let ended = ending.clone();
        let mut shifts = Shifts::default();
        shifts.take(first.clone());
        let asking = async move {
            ended.run_until_cancelled(watch(shifts, pause, sender, ask)).await;
        };
        (Self { first, changes, _ending: ending.drop_guard() }, asking)
    }

    /// The shifts when the watch began.
    #[must_use]
    pub fn first(&self) -> &[ShiftStatus] {
        &self.first
    }

    /// Returns the shifts of the next skill that entered its off-hours ([`ShiftStatus::is_in_off_hours`]) or its work
    /// hours since the previous poll. Returns the error of a request; polling continues after an error. `None` after
    /// the system has ended.
    pub async fn next(&mut self) -> Option<Result<ShiftStatus, ConnectionError>> {
        self.changes.recv().await
    }
}

/// The state of each skill in the last response.
#[derive(Default)]
struct Shifts(HashMap<SkillId, bool>);

impl Shifts {
    /// Returns the differences to the previous response. A new skill is no change.
    fn take(&mut self, read: Vec<ShiftStatus>) -> Vec<ShiftStatus> {
        let mut changes = Vec::new();
        for status in read {
            let is_off = status.is_in_off_hours();
            match self.0.insert(status.skill_id.clone(), is_off) {
                Some(was_off) if was_off != is_off => changes.push(status),
                _ => {}
            }
        }
        changes
    }
}

/// Polls and reports changes.
async fn watch<F>(
    mut shifts: Shifts,
    pause: Duration,
    changes: mpsc::Sender<Result<ShiftStatus, ConnectionError>>,
    ask: impl Fn() -> F,
) where
    F: Future<Output = Result<Vec<ShiftStatus>, ConnectionError>>,
{
    loop {
        sleep(pause.mul_f64(1.0 - JITTER * rand::random::<f64>())).await;
        let changed = match ask().await {
            Ok(read) => shifts.take(read).into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        };
        for change in changed {
            if changes.send(change).await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(skill: &str, on_shift: bool, next_on: Option<u64>) -> ShiftStatus {
        ShiftStatus { skill_id: skill.into(), on_shift, next_on: next_on.map(|time| json!(time)), next_off: None }
    }

    /// CN-F18: the first state of a skill is no change, and agents who never come back are not in off-hours.
    #[test]
    fn cn_f18_only_a_skill_whose_hours_changed_is_reported() {
        let mut shifts = Shifts::default();
        assert_eq!(shifts.take(vec![status("1", true, None), status("2", false, Some(9))]), []);
        let (off, on) = (status("1", false, Some(9)), status("2", true, None));
        let changes = shifts.take(vec![off.clone(), on.clone(), status("3", false, Some(9))]);
        assert_eq!(changes, [off.clone(), on.clone()]);
        assert_eq!(shifts.take(vec![off, on]), []);
        assert_eq!(shifts.take(vec![status("2", false, None)]), []);
    }
}
