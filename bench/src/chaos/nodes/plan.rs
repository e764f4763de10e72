//! The meaning of a seed with several nodes: what fails, when, where and for how long.

use std::{fmt, time::Duration};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde::Serialize;
use tertulia_emulator::FaultMode;

/// The time from the first message to the first fault, at least.
const BEFORE: Duration = Duration::from_secs(2);
/// How long a node takes to end and to start, about.
const STARTS: Duration = Duration::from_secs(2);
/// How long consumers keep sending after the last fault, in leases: others take over meanwhile.
const AFTER: f64 = 1.6;

/// What fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Fault {
    /// `kill -9` of a node.
    Kill,
    /// A node stands still for one and a half leases (SIGSTOP), and goes on.
    Stop,
    /// SIGTERM of a node.
    Terminate,
    /// All nodes are drained and started again, one by one.
    RollingRestart,
    /// `kill -9` of every node, one after the other.
    KilledInTurns,
    /// `kill -9` of the database.
    DatabaseKilled,
    /// A node cannot reach the database.
    DatabaseCut,
    /// No node can reach the database.
    DatabaseCutFromAll,
    /// The packets between a node and the database vanish.
    DatabaseHalfOpen,
    /// The packets between all nodes and the database vanish.
    DatabaseHalfOpenForAll,
    /// The database answers a node a second later.
    DatabaseSlow,
    /// The database answers every node a second later.
    DatabaseSlowForAll,
    /// Nodes cannot reach each other.
    NodesCut,
    /// The packets between nodes vanish.
    NodesHalfOpen,
}

/// All faults. Consecutive seeds take them in turns.
pub(crate) const FAULTS: [Fault; 14] = [
    Fault::Kill,
    Fault::RollingRestart,
    Fault::Stop,
    Fault::DatabaseKilled,
    Fault::DatabaseHalfOpen,
    Fault::Terminate,
    Fault::DatabaseCut,
    Fault::NodesCut,
    Fault::DatabaseHalfOpenForAll,
    Fault::DatabaseSlow,
    Fault::DatabaseCutFromAll,
    Fault::NodesHalfOpen,
    Fault::DatabaseSlowForAll,
    Fault::KilledInTurns,
];

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "kill",
            Self::Stop => "stop",
            Self::Terminate => "terminate",
            Self::RollingRestart => "rolling restart",
            Self::KilledInTurns => "killed in turns",
            Self::DatabaseKilled => "database killed",
            Self::DatabaseCut => "database cut off",
            Self::DatabaseCutFromAll => "database cut off from all",
            Self::DatabaseHalfOpen => "database half-open",
            Self::DatabaseHalfOpenForAll => "database half-open for all",
            Self::DatabaseSlow => "database slow",
            Self::DatabaseSlowForAll => "database slow for all",
            Self::NodesCut => "nodes cut off",
            Self::NodesHalfOpen => "nodes half-open",
        })
    }
}

impl Fault {
    /// How long the fault lasts, in leases: sometimes shorter than what makes others take over, sometimes longer.
    fn lasts(self) -> (f64, f64) {
        match self {
            Self::Stop => (1.5, 1.5),
            Self::Kill | Self::Terminate => (0.1, 1.8),
            Self::RollingRestart | Self::KilledInTurns => (0.1, 0.4),
            Self::DatabaseKilled => (0.02, 1.6),
            _ => (0.3, 2.2),
        }
    }
}

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Injection {
    /// The time since the end of the previous fault, or since the first message.
    pub(crate) after: Duration,
    pub(crate) fault: Fault,
    /// The node that is meant, from 0.
    pub(crate) node: usize,
    pub(crate) lasts: Duration,
}

impl Injection {
    /// The time until consumers may stop to send, about.
    fn takes(&self, nodes: usize) -> Duration {
        let is_of_all = matches!(self.fault, Fault::RollingRestart | Fault::KilledInTurns);
        let times = if is_of_all { u32::try_from(nodes).unwrap_or(1) } else { 1 };
        self.after + (self.lasts + STARTS) * times
    }
}

/// The size of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Size {
    pub(crate) nodes: usize,
    pub(crate) bots: u32,
    pub(crate) conversations: u32,
    /// Messages per second of all consumers.
    pub(crate) rate: u32,
    /// Faults.
    pub(crate) faults: u32,
    pub(crate) lease: Duration,
}

/// The course of one trial. The same seed and size give the same plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct NodesPlan {
    pub(crate) seed: u64,
    pub(crate) size: Size,
    pub(crate) platform: FaultMode,
    /// Messages of each consumer.
    pub(crate) messages: u32,
    pub(crate) injections: Vec<Injection>,
}

impl NodesPlan {
    pub(crate) fn of(seed: u64, size: Size) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let platform = if random.random_bool(0.7) { FaultMode::None } else { FaultMode::Flaky };
        let injections: Vec<Injection> = (0..size.faults)
            .map(|number| {
                let place = seed.wrapping_add(u64::from(number) * 5) % FAULTS.len() as u64;
                let fault = FAULTS[usize::try_from(place).unwrap_or_default()];
                let (shortest, longest) = fault.lasts();
                let spread = Duration::from_millis(random.random_range(0..2_000));
                Injection {
                    after: BEFORE + spread,
                    fault,
                    node: random.random_range(0..size.nodes),
                    lasts: size.lease.mul_f64(random.random_range(shortest..=longest)),
                }
            })
            .collect();
        let faults: Duration = injections.iter().map(|injection| injection.takes(size.nodes)).sum();
        let speaking = faults + size.lease.mul_f64(AFTER);
        let all = speaking.as_secs_f64() * f64::from(size.rate);
        let messages = (all / f64::from(size.conversations)).ceil().max(1.0) as u32;
        Self { seed, size, platform, messages, injections }
    }

    /// How long consumers send, about.
    pub(crate) fn speaking(&self) -> Duration {
        Duration::from_secs_f64(f64::from(self.messages * self.size.conversations) / f64::from(self.size.rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size =
        Size { nodes: 3, bots: 4, conversations: 40, rate: 50, faults: 1, lease: Duration::from_secs(5) };

    #[test]
    fn a_seed_is_one_plan() {
        assert_eq!(NodesPlan::of(7, SIZE), NodesPlan::of(7, SIZE));
        assert_ne!(NodesPlan::of(7, SIZE), NodesPlan::of(8, SIZE));
    }

    #[test]
    fn consecutive_seeds_have_every_fault_and_consumers_speak_throughout() {
        let plans: Vec<NodesPlan> = (100..).map(|seed| NodesPlan::of(seed, SIZE)).take(FAULTS.len()).collect();
        for fault in FAULTS {
            assert!(plans.iter().any(|plan| plan.injections[0].fault == fault), "{fault}");
        }
        for NodesPlan { injections, messages, .. } in plans {
            let speaking = Duration::from_secs((messages * SIZE.conversations / SIZE.rate).into());
            assert!(speaking > injections[0].after + injections[0].lasts + SIZE.lease);
        }
    }
}
