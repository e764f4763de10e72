//! The part of the resume plan that finds which conversations still exist: the snapshots, and the state of missing
//! conversations.

use std::collections::{HashSet, VecDeque};

use super::{
    Output, Outputs, Subscriptions,
    entry::{Life, Purpose},
    plan::{Plan, question},
};
use crate::{id::ConversationId, session::Millis, ums::ConversationQuery};

/// The most missing conversations requested at the same time.
const SETTLED_TOGETHER: usize = 32;

impl<N> Subscriptions<N> {
    /// Begins the plan on a new socket: subscribes to `own`, if the connection wants a subscription of its own, and to
    /// every caller's subscription. Drops everything of an earlier socket.
    pub fn resume(&mut self, own: Option<ConversationQuery>) -> Outputs {
        let mut outputs = self.socket_lost();
        let open = usize::from(own.is_some()) + self.callers.len();
        if let Some(own) = own {
            self.subscribe(own, Life::standing(None), Purpose::Own, &mut outputs);
        }
        for (number, query) in self.callers.clone() {
            self.subscribe(query, Life::standing(Some(number)), Purpose::Restored, &mut outputs);
        }
        if open > 0 {
            self.plan = Some(Plan::Snapshots { open, seen: HashSet::new() });
        } else {
            self.plan = Some(Plan::Looking { conversations: 0 });
            outputs.push(Output::SnapshotWhole(HashSet::new()));
        }
        outputs
    }

    /// The plan is no longer waited for.
    pub fn abandon_plan(&mut self) {
        self.plan = None;
    }

    /// Requests the state of these known conversations, which no snapshot contains. Call it after
    /// [`Output::SnapshotWhole`].
    pub fn missing(&mut self, missing: Vec<ConversationId>, now: Millis) -> Outputs {
        let mut outputs = Outputs::new();
        if let Some(Plan::Looking { conversations }) = self.plan {
            let waiting = VecDeque::from(missing);
            self.plan = Some(Plan::Settling { conversations, settled: Vec::new(), open: 0, waiting });
            self.settle_next(now, &mut outputs);
        }
        outputs
    }

    /// A snapshot of one of the plan's subscriptions is complete.
    pub(super) fn planned(&mut self, snapshot: Vec<ConversationId>, outputs: &mut Outputs) {
        let Some(Plan::Snapshots { open, seen }) = &mut self.plan else { return };
        seen.extend(snapshot);
        *open -= 1;
        if *open == 0 {
            let seen = std::mem::take(seen);
            self.plan = Some(Plan::Looking { conversations: seen.len() });
            outputs.push(Output::SnapshotWhole(seen));
        }
    }

    /// A question of the plan had a response, or was finally refused.
    pub(super) fn settled(&mut self, id: ConversationId, now: Millis, outputs: &mut Outputs) {
        let Some(Plan::Settling { settled, open, .. }) = &mut self.plan else { return };
        settled.push(id.clone());
        outputs.push(Output::Settled(id));
        *open -= 1;
        if *open == 0 {
            self.settle_next(now, outputs);
        }
    }

    fn settle_next(&mut self, now: Millis, outputs: &mut Outputs) {
        let Some(Plan::Settling { conversations, settled, open, waiting }) = &mut self.plan else { return };
        let conversations = *conversations;
        let settled = std::mem::take(settled);
        let next: Vec<ConversationId> = waiting.drain(..waiting.len().min(SETTLED_TOGETHER)).collect();
        *open = next.len();
        for id in &settled {
            // The supposed snapshot may have been a change that overtook it. Then the real snapshot has arrived
            // meanwhile, or will arrive, and shows which conversations are still there.
            self.leaves(id, now);
        }
        if next.is_empty() {
            self.plan = None;
            outputs.push(Output::UpToDate { conversations });
        }
        for id in next {
            self.subscribe(question(id.clone()), Life::QUESTION, Purpose::Missing(id), outputs);
        }
    }
}
