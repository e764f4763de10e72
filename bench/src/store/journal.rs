//! Steps through a journal, which groups them into commits.

use std::{
    sync::{Arc, mpsc::sync_channel},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use hdrhistogram::Histogram;
use tertulia_actors::engine::{Journal, Loggable, NewEvent, Step};

use super::steps::Steps;

/// Called with the offset of an event when it is durable, on the journal's thread.
pub(super) type Noted = dyn Fn(u64) + Send + Sync;

struct Event {
    stored: NewEvent,
    noted: Option<Arc<Noted>>,
}

impl Loggable for Event {
    fn stored(&self) -> NewEvent {
        self.stored.clone()
    }

    fn committed(&self, _: &Arc<str>, offset: u64) {
        if let Some(noted) = &self.noted {
            noted(offset);
        }
    }
}

/// Sends steps as fast as they become durable, with at most `most` of them on their way. Returns their number, and the
/// microseconds from each step until it was durable.
pub(super) fn drive(
    journal: &Journal,
    steps: &mut Steps,
    most: usize,
    duration: Duration,
    noted: Option<&Arc<Noted>>,
) -> anyhow::Result<(u64, Histogram<u64>)> {
    let (done, finished) = sync_channel(most);
    let mut micros = Histogram::<u64>::new(3)?;
    let (mut made, mut in_flight) = (0_u64, 0);
    let started = Instant::now();
    while started.elapsed() < duration || in_flight > 0 {
        while in_flight < most && started.elapsed() < duration {
            let (stored, put) = steps.next();
            let (done, begun) = (done.clone(), Instant::now());
            let then = Box::new(move |outcome: Result<_, _>| {
                let _ = done.send(outcome.map(|_| begun.elapsed()));
            });
            let events: Vec<Arc<dyn Loggable>> = vec![Arc::new(Event { stored, noted: noted.cloned() })];
            journal.append(Step { events, changes: vec![put], then: Some(then), ..Step::default() });
            in_flight += 1;
        }
        let took = finished.recv().context("the journal ended")?;
        for took in std::iter::once(took).chain(finished.try_iter()) {
            micros.record(u64::try_from(took.context("a step was refused")?.as_micros())?)?;
            in_flight -= 1;
            made += 1;
        }
    }
    Ok((made, micros))
}
