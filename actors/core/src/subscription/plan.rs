//! The part of the resume plan that finds out who is still there: the snapshots, and what became of who is missing.

use std::collections::{HashSet, VecDeque};

use super::{
    Output, Outputs, Subscriptions,
    entry::{Life, Purpose},
};
use crate::{
    id::ConversationId,
    session::Millis,
    ums::{ConversationQuery, Stage},
};

/// Conversations whose fate is asked for at the same time.
const SETTLED_TOGETHER: usize = 32;

/// How far the plan is.
#[derive(Debug)]
pub(super) enum Plan {
    /// The snapshots of so many subscriptions are on their way; these conversations were in those that came.
    Snapshots { open: usize, seen: HashSet<ConversationId> },
    /// The actor looks who is missing.
    Looking { conversations: usize },
    /// The missing ones are asked for, some at a time.
    Settling {
        conversations: usize,
        /// Those asked for now whose question was answered, or refused for good.
        settled: Vec<ConversationId>,
        open: usize,
        waiting: VecDeque<ConversationId>,
    },
}

/// The question for one conversation's state, whatever its stage.
pub(super) fn question(id: ConversationId) -> ConversationQuery {
    let stage = vec![Stage::Open, Stage::Close, Stage::Locked];
    ConversationQuery { conversation_id: Some(id), stage, ..ConversationQuery::default() }
}

impl<N> Subscriptions<N> {
    /// Begins the plan on a new socket: subscribes to `own`, if the connection wants a subscription of its own, and to
    /// everything that is wished for. Whatever an earlier socket left is gone.
    pub fn resume(&mut self, own: Option<ConversationQuery>) -> Outputs {
        let mut outputs = self.socket_lost();
        let open = usize::from(own.is_some()) + self.wishes.len();
        if let Some(own) = own {
            self.subscribe(own, Life::standing(None), Purpose::Own, &mut outputs);
        }
        for (number, query) in self.wishes.clone() {
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

    /// The plan is not waited for any more.
    pub fn abandon_plan(&mut self) {
        self.plan = None;
    }

    /// Asks what became of these, who are known and in no snapshot. Answers [`Output::SnapshotWhole`].
    pub fn missing(&mut self, missing: Vec<ConversationId>, now: Millis) -> Outputs {
        let mut outputs = Outputs::new();
        if let Some(Plan::Looking { conversations }) = self.plan {
            let waiting = VecDeque::from(missing);
            self.plan = Some(Plan::Settling { conversations, settled: Vec::new(), open: 0, waiting });
            self.settle_next(now, &mut outputs);
        }
        outputs
    }

    /// A snapshot of one of the plan's subscriptions is whole.
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

    /// A question of the plan was answered, or refused for good.
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
            // What was taken for the snapshot may have been a change that overtook it: then the snapshot itself has
            // told meanwhile who is still there, or will.
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
