//! The meaning of a seed: the number of messages, the platform's faults, and the stops of the service.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde::Serialize;
use tertulia_emulator::FaultMode;

/// The course of one trial. The same seed and number of stops give the same plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) faults: FaultMode,
    pub(crate) bots: u32,
    pub(crate) conversations: u32,
    /// Messages of each consumer.
    pub(crate) messages: u32,
    /// Messages per second of all consumers.
    pub(crate) rate: u32,
    /// In the order of their times.
    pub(crate) ends: Vec<End>,
}

/// One stop of the service while consumers send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct End {
    /// The time after the first message. If the service is not running then, it is stopped as soon as it starts.
    pub(crate) at: Duration,
    pub(crate) by: Signal,
    /// How long the service stays stopped.
    pub(crate) away: Duration,
}

/// The way in which the service is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Signal {
    /// SIGKILL: the service finishes nothing.
    Kill,
    /// SIGTERM: the service drains.
    Terminate,
}

impl Plan {
    /// The plan of a seed with `ends` stops.
    pub(crate) fn of(seed: u64, ends: u32) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let faults = [FaultMode::None, FaultMode::Flaky, FaultMode::Hostile][random.random_range(0..3)];
        let bots = random.random_range(2..5);
        let conversations = random.random_range(10..60);
        let messages = random.random_range(8..24);
        let rate = random.random_range(60..160);
        let speaking = u64::from(conversations * messages) * 1_000 / u64::from(rate);
        let mut ends: Vec<End> = (0..ends)
            .map(|_| End {
                at: Duration::from_millis(random.random_range(0..speaking + 1_000)),
                by: if random.random_bool(0.8) { Signal::Kill } else { Signal::Terminate },
                away: Duration::from_millis(random.random_range(0..800)),
            })
            .collect();
        ends.sort_unstable_by_key(|end| end.at);
        Self { seed, faults, bots, conversations, messages, rate, ends }
    }

    /// How long consumers send, about.
    pub(crate) fn speaking(&self) -> Duration {
        Duration::from_secs_f64(f64::from(self.conversations * self.messages) / f64::from(self.rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_one_plan() {
        assert_eq!(Plan::of(7, 4), Plan::of(7, 4));
        assert_ne!(Plan::of(7, 4), Plan::of(8, 4));
        assert_eq!(Plan::of(7, 0).ends, []);
    }

    #[test]
    fn seeds_between_them_have_every_fault_mode_and_both_signals() {
        let plans: Vec<Plan> = (0..40).map(|seed| Plan::of(seed, 3)).collect();
        for mode in [FaultMode::None, FaultMode::Flaky, FaultMode::Hostile] {
            assert!(plans.iter().any(|plan| plan.faults == mode));
        }
        for signal in [Signal::Kill, Signal::Terminate] {
            assert!(plans.iter().flat_map(|plan| &plan.ends).any(|end| end.by == signal));
        }
    }
}
