//! The progress of the resume plan, as far as it finds which conversations still exist.

use std::collections::{HashSet, VecDeque};

use crate::{
    id::ConversationId,
    ums::{ConversationQuery, Stage},
};

/// The progress of the plan.
#[derive(Debug)]
pub(super) enum Plan {
    /// This many snapshots are still expected; the complete snapshots contained these conversations.
    Snapshots { open: usize, seen: HashSet<ConversationId> },
    /// The actor determines the missing conversations.
    Looking { conversations: usize },
    /// The states of the missing conversations are requested, some at a time.
    Settling {
        conversations: usize,
        /// The requested conversations whose question had a response or was finally refused.
        settled: Vec<ConversationId>,
        open: usize,
        waiting: VecDeque<ConversationId>,
    },
}

/// The query for the state of one conversation, whatever its stage.
pub(super) fn question(id: ConversationId) -> ConversationQuery {
    let stage = vec![Stage::Open, Stage::Close, Stage::Locked];
    ConversationQuery { conversation_id: Some(id), stage, ..ConversationQuery::default() }
}
