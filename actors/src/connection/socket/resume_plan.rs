//! How far the resume plan of the present socket is.

use std::collections::HashSet;

use tertulia_core::{id::ConversationId, session::Epoch};

/// The resume plan of the present socket.
#[derive(Default)]
pub(super) struct ResumePlan {
    /// The plan, until it is complete.
    running: Option<RunningPlan>,
    is_linked: bool,
    /// Conversations that the snapshots lack and whose state is not known yet.
    unsettled: HashSet<ConversationId>,
}

/// A plan that is not complete yet.
pub(super) struct RunningPlan {
    pub(super) epoch: Epoch,
    /// The number of missed messages fetched before.
    pub(super) filled_before: u64,
    /// The number of conversations in the snapshots.
    pub(super) conversations: usize,
}

impl ResumePlan {
    pub(super) fn begin(&mut self, epoch: Epoch, filled_before: u64) {
        self.running = Some(RunningPlan { epoch, filled_before, conversations: 0 });
    }

    /// The socket is gone.
    pub(super) fn socket_lost(&mut self) {
        self.running = None;
        self.is_linked = false;
    }

    /// Whether commands may be sent: the snapshots have shown which conversations the connection has, or the plan
    /// continues without them.
    pub(super) fn is_linked(&self) -> bool {
        self.is_linked
    }

    /// Commands may be sent from now on. Returns whether they could not be sent before.
    pub(super) fn link(&mut self) -> bool {
        !std::mem::replace(&mut self.is_linked, true)
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Notes the number of conversations in the snapshots.
    pub(super) fn counted(&mut self, conversations: usize) {
        if let Some(running) = &mut self.running {
            running.conversations = conversations;
        }
    }

    /// The plan is complete.
    pub(super) fn complete(&mut self) -> Option<RunningPlan> {
        self.running.take()
    }

    /// The snapshots lack these conversations.
    pub(super) fn unsettle(&mut self, missing: &[ConversationId]) {
        self.unsettled = missing.iter().cloned().collect();
    }

    /// The state of a conversation that the snapshots lacked is known.
    pub(super) fn settle(&mut self, id: &ConversationId) {
        self.unsettled.remove(id);
    }

    pub(super) fn is_settled(&self, id: &ConversationId) -> bool {
        !self.unsettled.contains(id)
    }
}
