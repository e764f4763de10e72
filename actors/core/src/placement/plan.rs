//! What a node takes, and what it hands over to whom.

use std::time::Duration;

use super::{
    balance::Places,
    duty_name::DutyName,
    eligibility::{Candidates, DutyIndex, NodeIndex},
    view::{Assignment, View},
};
use crate::{id::NodeId, tenure::Standing};

/// For how long the set of nodes must be the same before duties that nobody has are placed, and before duties move for
/// balance.
pub const QUIET: Duration = Duration::from_secs(3);

/// How many duties a node hands over at a time.
pub const HANDING_OVER_AT_MOST: usize = 8;

/// A node's part of a plan. Empty for a node that is not valid.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The duties that the node takes at once, by name.
    pub take: Vec<DutyName>,
    /// The duties that the node hands over, at most [`HANDING_OVER_AT_MOST`]: first those whose next node is fixed
    /// already, then connections, then other duties. The node still finishes other handings over that it has begun,
    /// and counts them.
    pub hand_over: Vec<HandOver>,
}

/// A duty that its holder gives away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandOver {
    /// The duty.
    pub duty: DutyName,
    /// The next holder. `None` if the holder can no longer do the duty and no other node can either.
    pub to: Option<NodeId>,
}

/// Returns the part of node `me` in the placement of all duties.
///
/// The same view gives the same placement at every node, so the parts of two nodes never take the same duty.
#[must_use]
pub fn plan(view: &View, me: &NodeId) -> Plan {
    let candidates = Candidates::of(view);
    let Some(me) = candidates.node(me).filter(|me| candidates.nodes[*me].node.standing == Standing::Valid) else {
        return Plan::default();
    };
    let is_quiet = view.unchanged_for >= QUIET;
    let courses: Vec<Course> =
        (0..candidates.duties.len()).map(|duty| Course::of(duty, &candidates, is_quiet)).collect();
    let places = place(&candidates, &courses, is_quiet);
    let mut plan = Plan::default();
    let mut hand_over = Vec::new();
    for (duty, course) in courses.iter().enumerate() {
        let (name, holder, next) = (candidates.duties[duty].name, holder(duty, &candidates), places.of(duty));
        let is_given_back = *course == Course::GivenBack;
        if holder.is_none() && next == Some(me) {
            plan.take.push(name.clone());
        } else if holder == Some(me) && next != Some(me) && (next.is_some() || is_given_back) {
            let to = next.map(|next| candidates.nodes[next].name.clone());
            hand_over.push((!matches!(course, Course::GoesTo(_)), HandOver { duty: name.clone(), to }));
        }
    }
    // Stable: within each of both kinds, duties stay in order of their names.
    hand_over.sort_by_key(|(is_new, _)| *is_new);
    plan.hand_over = hand_over.into_iter().map(|(_, hand_over)| hand_over).take(HANDING_OVER_AT_MOST).collect();
    plan
}

/// What is to become of a duty, before loads are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    /// The duty has no node, and stays so until the set of nodes is quiet.
    Waits,
    /// Its holder keeps the duty, whatever the balance.
    Stays(NodeIndex),
    /// Its holder keeps the duty, unless it is above its quota.
    Kept(NodeIndex),
    /// The duty goes to a node that is already fixed.
    GoesTo(NodeIndex),
    /// The duty needs a node.
    Free,
    /// Its holder cannot do the duty, and no other node can.
    GivenBack,
}

impl Course {
    fn of(duty: DutyIndex, candidates: &Candidates<'_>, is_quiet: bool) -> Self {
        let once_quiet = if is_quiet { Self::Free } else { Self::Waits };
        let eligible = |next: &Option<NodeId>| {
            let next = next.as_ref().and_then(|next| candidates.node(next));
            next.filter(|next| candidates.is_eligible(*next, duty))
        };
        match candidates.duties[duty].assignment {
            Assignment::Never | Assignment::Released { next: None, .. } => once_quiet,
            Assignment::Released { next, .. } => eligible(next).map_or(Self::Free, Self::GoesTo),
            Assignment::Held { next, .. } => match (holder(duty, candidates), eligible(next)) {
                (None, _) => Self::Free,
                (Some(holder), Some(next)) if next != holder => Self::GoesTo(next),
                (Some(holder), _) => Self::of_held(holder, duty, candidates),
            },
        }
    }

    fn of_held(holder: NodeIndex, duty: DutyIndex, candidates: &Candidates<'_>) -> Self {
        if candidates.is_eligible(holder, duty) {
            Self::Kept(holder)
        } else if candidates.nodes[holder].node.standing == Standing::Suspended {
            Self::Stays(holder)
        } else if !candidates.eligible(duty).is_empty() {
            Self::Free
        } else if candidates.can_do(holder, duty) {
            // The holder drains, and nobody can replace it.
            Self::Stays(holder)
        } else {
            Self::GivenBack
        }
    }
}

fn place<'a>(candidates: &'a Candidates<'a>, courses: &[Course], is_quiet: bool) -> Places<'a> {
    let mut places = Places::new(candidates);
    let mut free = Vec::new();
    for (duty, course) in courses.iter().enumerate() {
        match *course {
            Course::Waits | Course::GivenBack => {}
            Course::Stays(node) | Course::GoesTo(node) => places.fix(duty, node),
            Course::Kept(node) => places.keep(duty, node),
            Course::Free => free.push(duty),
        }
    }
    places.place(free);
    if is_quiet && candidates.have_one_version() {
        places.balance();
    }
    places
}

/// The node that has the duty, unless its standing is over.
fn holder(duty: DutyIndex, candidates: &Candidates<'_>) -> Option<NodeIndex> {
    match candidates.duties[duty].assignment {
        Assignment::Held { by, .. } => candidates.node(by),
        Assignment::Never | Assignment::Released { .. } => None,
    }
}
