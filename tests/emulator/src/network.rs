//! The network between a client and the platform: how long an answer travels, and how the bytes of a socket arrive.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A network that is slower and less tidy than loopback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NetworkSettings {
    /// How long every answer and every notification travels.
    pub latency: Duration,
    /// How much longer some of them travel, at most; drawn from the emulator's seed.
    pub jitter: Duration,
    /// Frames of sockets are split into fragments, and their bytes split and merged at random.
    pub split_frames: bool,
    /// Informational answers, such as `103 Early Hints`, come before every answer.
    pub early_hints: bool,
}

/// The network of one connection.
#[derive(Debug)]
pub(crate) struct Network {
    settings: NetworkSettings,
    random: StdRng,
}

impl Network {
    /// The same seed makes the same network.
    pub(crate) fn new(settings: NetworkSettings, seed: u64) -> Self {
        Self { settings, random: StdRng::seed_from_u64(seed) }
    }

    /// How long the next answer or notification travels.
    pub(crate) fn delay(&mut self) -> Duration {
        let NetworkSettings { latency, jitter, .. } = self.settings;
        if jitter.is_zero() { latency } else { latency + self.random.random_range(Duration::ZERO..=jitter) }
    }

    pub(crate) fn splits(&self) -> bool {
        self.settings.split_frames
    }

    /// The lengths of the fragments of a frame: one or more, together `length`.
    pub(crate) fn fragments(&mut self, mut length: usize) -> Vec<usize> {
        let mut fragments = Vec::new();
        while length > 1 && fragments.len() < 7 && self.random.random_bool(0.5) {
            let fragment = self.random.random_range(1..length);
            fragments.push(fragment);
            length -= fragment;
        }
        fragments.push(length);
        fragments
    }

    /// How many of the waiting bytes arrive together, and how long it takes until more do.
    pub(crate) fn piece(&mut self, waiting: usize) -> (usize, Duration) {
        let whole = self.random.random_bool(0.5);
        let bytes = if whole { waiting } else { self.random.random_range(1..=waiting) };
        (bytes, Duration::from_millis(self.random.random_range(0..4)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_network() {
        let settings = NetworkSettings {
            latency: Duration::from_millis(20),
            jitter: Duration::from_millis(10),
            split_frames: true,
            early_hints: false,
        };
        let travels = |seed| {
            let mut network = Network::new(settings, seed);
            (0..50).map(|_| (network.delay(), network.fragments(100), network.piece(100))).collect::<Vec<_>>()
        };
        assert_eq!(travels(7), travels(7));
        assert_ne!(travels(7), travels(8));
        for (delay, fragments, (bytes, _)) in travels(7) {
            assert!((20..=30).contains(&delay.as_millis()) && (1..=100).contains(&bytes));
            assert_eq!(fragments.iter().sum::<usize>(), 100);
        }
        assert!(travels(7).iter().any(|(_, fragments, _)| fragments.len() > 1));
    }

    #[test]
    fn without_settings_nothing_is_delayed() {
        let mut network = Network::new(NetworkSettings::default(), 1);
        assert!(network.delay().is_zero() && !network.splits());
    }
}
