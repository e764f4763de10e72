//! When another node counts as silent, and for how long the set of nodes is the same.

use super::*;
use crate::id::NodeId;

/// A watcher with a lease of 15 s, which beats every 3 s.
struct Watcher {
    membership: Membership,
    now: u64,
}

fn beat(epoch: u64, number: u64) -> Beat {
    Beat { epoch: NodeEpoch(epoch), number }
}

impl Watcher {
    fn new() -> Self {
        Self { membership: Membership::new(LeaseDuration::default()), now: 50_000 }
    }

    /// Its beat is answered `after` milliseconds after the last answer.
    fn sees(&mut self, after: u64, beats: &[(&str, Beat)]) {
        self.now += after;
        self.membership.answered(Millis(self.now), beats.iter().map(|(node, beat)| (NodeId::from(*node), *beat)));
    }

    fn observation(&self, node: &str) -> Option<Observation> {
        self.membership.observation(&node.into())
    }

    fn silent(&self) -> Vec<(String, Beat)> {
        self.membership.silent().map(|(node, beat)| (node.to_string(), beat)).collect()
    }
}

#[test]
fn a_node_is_late_after_two_thirds_of_the_lease_without_a_beat_and_silent_after_the_lease() {
    let mut watcher = Watcher::new();
    let mut seen = Vec::new();
    for number in 0..=5 {
        watcher.sees(3_000, &[("a", beat(1, 7)), ("me", beat(4, number))]);
        seen.push(watcher.observation("a").unwrap());
    }
    use Observation::{Beating, Late, Silent};
    assert_eq!(seen, [Beating, Beating, Beating, Beating, Late, Silent]);
    let standings = [Beating, Late, Silent].map(Observation::standing);
    assert_eq!(standings, [Standing::Valid, Standing::Suspended, Standing::Suspended]);
    assert_eq!(watcher.silent(), [("a".to_owned(), beat(1, 7))]);
    assert_eq!(watcher.observation("me"), Some(Beating));
}

#[test]
fn a_new_beat_or_a_new_tenure_ends_the_silence() {
    for next in [beat(1, 8), beat(2, 7), beat(2, 0)] {
        let mut watcher = Watcher::new();
        for _ in 0..6 {
            watcher.sees(3_000, &[("a", beat(1, 7))]);
        }
        watcher.sees(3_000, &[("a", next)]);
        assert_eq!((watcher.observation("a"), watcher.silent()), (Some(Observation::Beating), vec![]));
        for _ in 0..4 {
            watcher.sees(3_000, &[("a", next)]);
        }
        assert_eq!(watcher.observation("a"), Some(Observation::Late));
    }
}

#[test]
fn time_counts_only_between_answers_at_most_two_fifths_of_the_lease_apart() {
    let mut watcher = Watcher::new();
    watcher.sees(0, &[("a", beat(1, 7))]);
    for _ in 0..100 {
        watcher.sees(6_001, &[("a", beat(1, 7))]);
    }
    assert_eq!(watcher.observation("a"), Some(Observation::Beating));
    watcher.sees(6_000, &[("a", beat(1, 7))]);
    watcher.sees(6_000, &[("a", beat(1, 7))]);
    assert_eq!(watcher.observation("a"), Some(Observation::Late));
    watcher.sees(3_000, &[("a", beat(1, 7))]);
    assert_eq!(watcher.observation("a"), Some(Observation::Silent));
}

#[test]
fn a_node_that_the_last_answer_does_not_name_is_unknown_and_begins_without_silence_again() {
    let mut watcher = Watcher::new();
    for _ in 0..5 {
        watcher.sees(3_000, &[("a", beat(1, 7))]);
    }
    watcher.sees(3_000, &[]);
    assert_eq!((watcher.observation("a"), watcher.silent()), (None, vec![]));
    watcher.sees(3_000, &[("a", beat(1, 7))]);
    assert_eq!(watcher.observation("a"), Some(Observation::Beating));
}

#[test]
fn the_set_of_nodes_changes_when_a_node_joins_or_joins_again_or_goes_and_not_when_it_beats() {
    let mut watcher = Watcher::new();
    assert_eq!(watcher.membership.unchanged_for(), Duration::ZERO);
    let mut unchanged_for = |after: u64, beats: &[(&str, Beat)]| {
        watcher.sees(after, beats);
        watcher.membership.unchanged_for().as_millis()
    };
    assert_eq!(unchanged_for(0, &[("a", beat(1, 1))]), 0);
    assert_eq!(unchanged_for(3_000, &[("a", beat(1, 2))]), 3_000);
    assert_eq!(unchanged_for(9_000, &[("a", beat(1, 2))]), 12_000);
    assert_eq!(unchanged_for(3_000, &[("a", beat(2, 0))]), 0);
    assert_eq!(unchanged_for(3_000, &[("b", beat(1, 0)), ("a", beat(2, 1))]), 0);
    assert_eq!(unchanged_for(3_000, &[("a", beat(2, 2)), ("b", beat(1, 1))]), 3_000);
    assert_eq!(unchanged_for(3_000, &[("b", beat(1, 2))]), 0);
}
