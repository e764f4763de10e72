//! The duties that this node has taken: when, from whom, why, and how long nobody did them. Pure: the caller passes in the
//! time.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Duration,
};

use tertulia_actors::core::{
    id::NodeId,
    placement::{Assignment, DutyName},
    session::Millis,
    time::Timestamp,
};

/// The most moves that are kept.
const KEPT: usize = 50;

/// Why a node has taken a duty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MoveCause {
    /// No node had the duty before.
    First,
    /// The node that had the duty was fenced.
    NodeLost,
    /// The node that had the duty drains, because it stops or an operator wanted it so.
    Drained,
    /// The node that had the duty handed it over, for balance or because an operator wanted it so.
    HandedOver,
    /// No node had the duty: its last node left, joined again, or gave the duty back.
    Free,
}

impl MoveCause {
    /// All causes.
    pub const ALL: [Self; 5] = [Self::First, Self::NodeLost, Self::Drained, Self::HandedOver, Self::Free];

    /// The cause in one word, as operators see it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::NodeLost => "node-lost",
            Self::Drained => "drained",
            Self::HandedOver => "handed-over",
            Self::Free => "free",
        }
    }
}

/// A duty that this node has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DutyMove {
    /// The duty.
    pub duty: DutyName,
    /// The node that had the duty before, if it is known.
    pub from: Option<NodeId>,
    /// Why this node has taken the duty.
    pub cause: MoveCause,
    /// When this node saw that it has the duty; only to be shown.
    pub at: Timestamp,
    /// The time since the last sign of life of a lost node, or since this node saw that the duty was to come. `None` for other
    /// causes.
    pub took: Option<Duration>,
}

/// A duty that is to come to this node.
#[derive(Clone, Debug)]
struct Coming {
    from: Option<NodeId>,
    since: Millis,
    is_drained: bool,
}

/// The last moves to this node.
#[derive(Debug)]
pub(super) struct Moves {
    me: NodeId,
    /// The newest last.
    recent: VecDeque<DutyMove>,
    coming: BTreeMap<DutyName, Coming>,
    /// The nodes that were fenced, with the time of the last new beat of each.
    lost: HashMap<NodeId, Millis>,
}

impl Moves {
    pub(super) fn new(me: NodeId) -> Self {
        Self { me, recent: VecDeque::new(), coming: BTreeMap::new(), lost: HashMap::new() }
    }

    /// The last moves to this node, the oldest first.
    pub(super) fn recent(&self) -> Vec<DutyMove> {
        self.recent.iter().cloned().collect()
    }

    /// A node is gone, whose last new beat was seen at `last`.
    pub(super) fn gone(&mut self, node: NodeId, last: Millis) {
        self.lost.insert(node, last);
    }

    /// Forgets the gone nodes that have no duty any more.
    pub(super) fn forget_gone(&mut self, duties: &BTreeMap<DutyName, Assignment>) {
        self.lost.retain(|node, _| duties.values().any(|now| matches!(now, Assignment::Held { by, .. } if by == node)));
    }

    /// A duty was assigned. Returns the move if it was to this node.
    pub(super) fn assigned(
        &mut self,
        duty: &DutyName,
        before: Option<&Assignment>,
        after: &Assignment,
        (now, wall): (Millis, Timestamp),
        is_draining: impl Fn(&NodeId) -> bool,
    ) -> Option<DutyMove> {
        let is_to_come = |next: &Option<NodeId>| next.as_ref() == Some(&self.me);
        match after {
            Assignment::Held { by, .. } if *by == self.me => {
                let coming = self.coming.remove(duty);
                let (from, cause, took) = self.cause(before, coming, now)?;
                let made = DutyMove { duty: duty.clone(), from, cause, at: wall, took };
                self.recent.push_back(made.clone());
                if self.recent.len() > KEPT {
                    self.recent.pop_front();
                }
                return Some(made);
            }
            Assignment::Held { by, next, .. } if is_to_come(next) => {
                let (from, is_drained) = (Some(by.clone()), is_draining(by));
                self.coming.entry(duty.clone()).or_insert(Coming { from, since: now, is_drained });
            }
            Assignment::Released { next, .. } if is_to_come(next) => {
                let from = match before {
                    Some(Assignment::Held { by, .. }) => Some(by.clone()),
                    _ => None,
                };
                let is_drained = from.as_ref().is_some_and(is_draining);
                self.coming.entry(duty.clone()).or_insert(Coming { from, since: now, is_drained });
            }
            Assignment::Never | Assignment::Held { .. } | Assignment::Released { .. } => {
                self.coming.remove(duty);
            }
        }
        None
    }

    /// From whom and why this node has a duty now, and how long that took; `None` if this node had it before.
    fn cause(
        &self,
        before: Option<&Assignment>,
        coming: Option<Coming>,
        now: Millis,
    ) -> Option<(Option<NodeId>, MoveCause, Option<Duration>)> {
        match before {
            Some(Assignment::Held { by, .. }) if *by == self.me => None,
            Some(Assignment::Held { by, .. }) if self.lost.contains_key(by) => {
                let took = self.lost.get(by).map(|last| now.since(*last));
                Some((Some(by.clone()), MoveCause::NodeLost, took))
            }
            before => match (coming, before) {
                (Some(Coming { from, since, is_drained }), _) => {
                    let cause = if is_drained { MoveCause::Drained } else { MoveCause::HandedOver };
                    Some((from, cause, Some(now.since(since))))
                }
                (None, None | Some(Assignment::Never)) => Some((None, MoveCause::First, None)),
                (None, Some(Assignment::Held { by, .. })) => Some((Some(by.clone()), MoveCause::HandedOver, None)),
                (None, Some(Assignment::Released { .. })) => Some((None, MoveCause::Free, None)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use tertulia_actors::core::placement::FencingToken;

    use super::*;

    fn held(by: &str, next: Option<&str>) -> Assignment {
        Assignment::Held { by: by.into(), token: FencingToken(1), next: next.map(NodeId::from) }
    }

    fn released(next: Option<&str>) -> Assignment {
        Assignment::Released { token: FencingToken(1), next: next.map(NodeId::from) }
    }

    /// The cause, the former node and the seconds of the move to node `a` after these assignments, one a second.
    fn course(assignments: &[Assignment], draining: &str) -> Option<(MoveCause, Option<String>, Option<u64>)> {
        let mut moves = Moves::new("a".into());
        moves.gone("lost".into(), Millis(0));
        let (mut before, mut last) = (None, None);
        for (second, after) in (1..).zip(assignments) {
            let now = (Millis(second * 1_000), Timestamp(0));
            last = moves.assigned(&DutyName::Bulk, before, after, now, |node| node.as_str() == draining);
            before = Some(after);
        }
        last.map(|last| (last.cause, last.from.map(|node| node.to_string()), last.took.map(|took| took.as_secs())))
    }

    #[test]
    fn each_move_to_this_node_has_its_cause_and_its_former_node() {
        let b = || Some("b".to_owned());
        assert_eq!(course(&[Assignment::Never, held("a", None)], ""), Some((MoveCause::First, None, None)));
        assert_eq!(course(&[held("a", None)], ""), Some((MoveCause::First, None, None)));
        let lost = Some((MoveCause::NodeLost, Some("lost".to_owned()), Some(2)));
        assert_eq!(course(&[held("lost", None), held("a", None)], ""), lost);
        let handed = [held("b", None), held("b", Some("a")), released(Some("a")), held("a", None)];
        assert_eq!(course(&handed, ""), Some((MoveCause::HandedOver, b(), Some(2))));
        assert_eq!(course(&handed, "b"), Some((MoveCause::Drained, b(), Some(2))));
        assert_eq!(
            course(&[held("b", None), released(None), held("a", None)], ""),
            Some((MoveCause::Free, None, None))
        );
    }

    #[test]
    fn what_does_not_come_to_this_node_is_no_move_of_it() {
        for course_of in [
            vec![held("b", None), held("c", None)],
            vec![held("a", None), held("a", None)],
            vec![held("b", Some("c")), held("c", None)],
            vec![held("a", None), held("a", Some("b")), released(Some("b"))],
        ] {
            assert_eq!(course(&course_of, ""), None, "{course_of:?}");
        }
    }

    #[test]
    fn only_the_last_moves_are_kept_and_gone_nodes_only_while_they_have_duties() {
        let mut moves = Moves::new("a".into());
        for number in 0..2 * KEPT {
            let duty = DutyName::Connection(format!("bots-{number}").as_str().into());
            moves.assigned(&duty, None, &held("a", None), (Millis(0), Timestamp(0)), |_| false).unwrap();
        }
        let last = DutyName::Connection(format!("bots-{}", 2 * KEPT - 1).as_str().into());
        assert_eq!((moves.recent().len(), &moves.recent()[KEPT - 1].duty), (KEPT, &last));
        moves.gone("b".into(), Millis(0));
        moves.gone("c".into(), Millis(0));
        moves.forget_gone(&[(DutyName::Bulk, held("b", None))].into());
        assert_eq!(moves.lost.keys().map(NodeId::as_str).collect::<Vec<_>>(), ["b"]);
    }
}
