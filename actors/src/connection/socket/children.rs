//! The conversations of a connection with a socket, kept in its roster.

use std::collections::{HashSet, VecDeque};

use actix::Handler;
use tertulia_core::{conversation::Arrival, id::ConversationId};

use super::{
    Connection, ConnectionError, QuarantinedConversation,
    roster::{Child, ChildFailed, ListQuarantined, Release, RosterNews},
};
use crate::{
    conversation::{ChildTold, HistoryProgress, Leave, ToConversation},
    supervision::Verdict,
};

/// The most departed conversations remembered; beyond it the oldest is forgotten, and counts as new when it returns.
const LEFT: usize = 10_000;

/// Conversations that left this connection. Used only without a store.
#[derive(Default)]
pub(super) struct Left {
    known: HashSet<ConversationId>,
    order: VecDeque<ConversationId>,
}

impl Left {
    fn contains(&self, id: &ConversationId) -> bool {
        self.known.contains(id)
    }

    fn add(&mut self, id: ConversationId) {
        if !self.known.insert(id.clone()) {
            return;
        }
        self.order.push_back(id);
        if self.order.len() > LEFT
            && let Some(first) = self.order.pop_front()
        {
            self.known.remove(&first);
        }
    }
}

impl Connection {
    /// Returns the conversation, started if it is unknown, or loaded.
    pub(super) fn child(&mut self, id: &ConversationId) -> &mut Child<()> {
        let Self { roster, identity, linked, snapshot_taken, left, .. } = self;
        let ready = identity.as_ref().filter(|_| *linked);
        let was_here = || !*snapshot_taken || left.contains(id);
        roster.child(id, ready, || if was_here() { Arrival::Before } else { Arrival::New })
    }

    /// Whether the conversation belongs to this connection, as far as known.
    pub(super) fn holds(&self, id: &ConversationId) -> bool {
        self.roster.knows(id) && !self.subscribed.state.is_leaving(id)
    }

    pub(super) fn forget_for_good(&mut self, id: &ConversationId) {
        // With a store, the conversation's record says so.
        if !self.process.routing.journal().keeps() {
            self.left.add(id.clone());
        }
        if self.roster.forget(id, Leave::ForGood) {
            self.repeated.forget(id);
            self.readiness.history_done(id);
            self.subscribed.state.forget(id);
        }
    }

    /// Unloads idle conversations while the connection is up to date.
    pub(super) fn let_sleep(&mut self) {
        if self.session.may_send() {
            let subscribed = &self.subscribed.state;
            self.roster.let_sleep(self.settings.sleep_after, |id, _| subscribed.is_leaving(id));
        }
    }
}

impl Handler<ChildTold> for Connection {
    type Result = ();

    fn handle(&mut self, told: ChildTold, ctx: &mut Self::Context) {
        let failed = match self.roster.told(told, &self.process.supervision.systemic) {
            Some(RosterNews::Failed(failed)) => failed,
            Some(RosterNews::History(conversation, progress)) => return self.history_told(&conversation, progress),
            None => return,
        };
        let ChildFailed { conversation, is_restarted, verdict } = failed;
        if is_restarted {
            self.status.send_modify(|status| status.conversation_restarts += 1);
            self.ask_state(conversation);
        } else {
            self.history_told(&conversation, HistoryProgress::Done);
        }
        match verdict {
            Verdict::Single => {}
            Verdict::Reset => self.begin_anew(ctx),
            Verdict::GiveUp => self.end_escalated(ctx),
        }
    }
}

impl Handler<ListQuarantined> for Connection {
    type Result = Vec<QuarantinedConversation>;

    fn handle(&mut self, _: ListQuarantined, _: &mut Self::Context) -> Self::Result {
        self.roster.quarantined()
    }
}

impl Handler<Release> for Connection {
    type Result = Result<(), ConnectionError>;

    fn handle(&mut self, Release { conversation: id }: Release, _: &mut Self::Context) -> Self::Result {
        self.roster.release(&id, self.identity.as_ref().filter(|_| self.linked))?;
        self.ask_state(id);
        Ok(())
    }
}

impl Handler<ToConversation> for Connection {
    type Result = ();

    fn handle(&mut self, ToConversation { conversation, wish: request }: ToConversation, _: &mut Self::Context) {
        if self.roster.knows(&conversation) {
            self.child(&conversation).tell(request);
        }
    }
}
