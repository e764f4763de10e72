//! Systemic faults: if many children of one parent fail together, the cause is the parent.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

use super::restart::{Intensity, RestartPolicy};

/// When the failures of several children count as a fault of their parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SystemicPolicy {
    /// More failures than this within `within`. Default 20.
    pub failures: u32,
    /// The failures must come from at least this many children. Default 5.
    pub children: u32,
    /// The sliding window. Default 10 s.
    pub within: Duration,
    /// After each systemic fault the parent is reset, with its own back-off. After more than this many within
    /// `resets_within` it is given up. Default 3.
    pub max_resets: u32,
    /// The window for `max_resets`. Default 5 min.
    pub resets_within: Duration,
}

impl Default for SystemicPolicy {
    fn default() -> Self {
        Self {
            failures: 20,
            children: 5,
            within: Duration::from_secs(10),
            max_resets: 3,
            resets_within: Duration::from_secs(5 * 60),
        }
    }
}

/// The failures of one parent's children within a sliding window.
#[derive(Debug)]
pub(crate) struct Systemic<K> {
    recent: VecDeque<(Instant, K)>,
    resets: Intensity,
}

/// How a parent must react to a child's failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The failure concerns only the child.
    Single,
    /// Systemic: reset the parent.
    Reset,
    /// Systemic too often: give the parent up.
    GiveUp,
}

impl<K> Default for Systemic<K> {
    fn default() -> Self {
        Self { recent: VecDeque::new(), resets: Intensity::default() }
    }
}

impl<K: Eq + Hash> Systemic<K> {
    /// Records a child's failure at `now`.
    pub(crate) fn note(&mut self, policy: &SystemicPolicy, child: K, now: Instant) -> Verdict {
        if !self.is_systemic(policy, child, now) {
            return Verdict::Single;
        }
        let resets =
            RestartPolicy { max_restarts: policy.max_resets, within: policy.resets_within, ..RestartPolicy::default() };
        match self.resets.permit(&resets, now) {
            Some(_) => Verdict::Reset,
            None => Verdict::GiveUp,
        }
    }

    /// After a systemic fault the window is emptied. It holds at most one failure more than the policy allows.
    fn is_systemic(&mut self, policy: &SystemicPolicy, child: K, now: Instant) -> bool {
        while self.recent.front().is_some_and(|(at, _)| now.duration_since(*at) > policy.within) {
            self.recent.pop_front();
        }
        self.recent.push_back((now, child));
        let allowed = policy.failures as usize;
        if self.recent.len() <= allowed {
            return false;
        }
        let children: HashSet<&K> = self.recent.iter().map(|(_, child)| child).collect();
        let is_systemic = children.len() >= policy.children as usize;
        if is_systemic {
            self.recent.clear();
        } else {
            self.recent.pop_front();
        }
        is_systemic
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> SystemicPolicy {
        SystemicPolicy { failures: 4, children: 3, within: Duration::from_secs(10), ..SystemicPolicy::default() }
    }

    /// Records failures of these children and returns the verdicts.
    fn noted(children: &str, seconds_apart: u64) -> Vec<Verdict> {
        let (mut systemic, start) = (Systemic::default(), Instant::now());
        let at = |number: usize| start + Duration::from_secs(seconds_apart * number as u64);
        children.chars().enumerate().map(|(number, child)| systemic.note(&policy(), child, at(number))).collect()
    }

    fn resets(children: &str, seconds_apart: u64) -> usize {
        noted(children, seconds_apart).iter().filter(|verdict| **verdict == Verdict::Reset).count()
    }

    #[test]
    fn many_failures_of_several_children_are_systemic() {
        let expected = [Verdict::Single, Verdict::Single, Verdict::Single, Verdict::Single, Verdict::Reset];
        assert_eq!(noted("abcab", 1), expected);
    }

    #[test]
    fn many_failures_of_few_children_are_their_own() {
        assert_eq!(resets("abababababababab", 0), 0);
    }

    #[test]
    fn a_third_child_among_many_failures_of_two_makes_them_systemic() {
        assert_eq!(noted("abababc", 0).last(), Some(&Verdict::Reset));
    }

    #[test]
    fn failures_far_apart_are_no_systemic_fault() {
        assert_eq!(resets("abcdefghijklmnop", 3), 0, "four lie in any ten seconds");
    }

    #[test]
    fn after_a_systemic_fault_the_window_is_empty() {
        assert_eq!(resets("abcdeabcde", 0), 2);
    }

    #[test]
    fn a_parent_whose_children_fail_together_again_and_again_is_given_up() {
        let verdicts = noted(&"abcde".repeat(4), 0);
        assert_eq!(verdicts.iter().filter(|verdict| **verdict == Verdict::Reset).count(), 3);
        assert_eq!(verdicts.last(), Some(&Verdict::GiveUp));
    }
}
