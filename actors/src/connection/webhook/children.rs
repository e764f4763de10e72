//! The conversations of a connection without a socket, kept in its roster.

use std::{sync::Arc, time::Instant};

use actix::Handler;
use tertulia_core::{command::Identity, conversation::Arrival, id::ConversationId};

use super::{Intake, Load, Unload, notes::Notes, state_head::StateHead};
use crate::{
    connection::{
        ConnectionError, QuarantinedConversation,
        connection_record::hold_change,
        roster::{self, ChildFailed, ListQuarantined, Release, RosterNews},
    },
    conversation::{ChildReport, Conversation, Leave, Snapshot, StateArrived, ToConversation},
    supervision::Verdict,
};

type Child = roster::Child<Notes>;

impl Intake {
    pub(super) fn has_room_for(&self, id: &ConversationId) -> bool {
        self.roster.awake() < self.settings.max_conversations || self.roster.is_awake(id)
    }

    /// The identity with which the conversations may send now.
    fn ready(&self) -> Option<Arc<Identity>> {
        self.is_ready().then(|| Arc::clone(&self.identity))
    }

    /// Returns the conversation, started if it is unknown, or loaded. Check [`Self::has_room_for`] first.
    pub(super) fn child(&mut self, id: &ConversationId) -> &mut Child {
        let ready = self.ready();
        self.roster.child(id, ready.as_ref(), || Arrival::New)
    }

    pub(super) fn tell_children_ready(&self) {
        self.roster.tell_ready(&self.identity);
        if self.rest.is_some() {
            // What was missing before could not be requested. The result is not awaited.
            self.roster.children().for_each(|(_, child)| child.catch_up());
        }
    }

    /// Passes a state to its conversation, started if it is unknown. `is_gone` says whether the conversation has left
    /// the subscription.
    pub(super) fn take_state(&mut self, id: &ConversationId, state: StateArrived, head: &StateHead<'_>, is_gone: bool) {
        let tokens = Arc::clone(&self.sender.tokens);
        let child = self.child(id);
        // The state may arrive before the response to the opening, which names the consumer.
        if child.consumer().is_none()
            && let Some(consumer) = head.consumer().and_then(|user| tokens.consumer_of(&user))
        {
            child.speak_for(consumer);
        }
        let before = child.notes.ended_since();
        child.notes.state(head, is_gone);
        let since = child.notes.ended_since();
        child.pass_state(state);
        if let Some(before) = before.filter(|_| since.is_none()) {
            self.ended.remove(before, id);
        }
        if let Some(since) = since.filter(|_| before.is_none()) {
            self.ended.add(since, id);
        }
    }

    /// Removes conversations that ended a while ago and that no caller has loaded. A loaded conversation is removed
    /// when it is unloaded.
    pub(super) fn sweep_children(&mut self, now: Instant) {
        for (since, id) in self.ended.take_due(now, self.settings.linger) {
            let is_over = |child: &Child| child.notes.holds() == 0 && child.notes.ended_since() == Some(since);
            if self.roster.get(&id).is_some_and(is_over) {
                self.roster.forget(&id, Leave::ForGood);
            }
        }
        self.update_status();
    }

    /// Holds the conversations that callers had loaded in the previous run. A conversation that the store has no more is
    /// held no longer.
    pub(super) fn take_up_holds(&mut self, holds: Vec<(ConversationId, usize)>) {
        for (id, holds) in holds {
            if self.roster.knows(&id) {
                self.child(&id).notes.restore(holds);
            } else {
                self.context.store(hold_change(&self.settings.id, &id, 0));
            }
        }
    }

    /// Fails until the holds of the previous run are known, because a hold that is counted earlier would replace them.
    fn check_restored(&self) -> Result<(), ConnectionError> {
        let is_restored = self.roster.is_restored() || !self.context.journal().keeps();
        is_restored.then_some(()).ok_or_else(|| ConnectionError::Overloaded(self.settings.id.clone()))
    }

    /// Unloads idle conversations that no worker has loaded.
    pub(super) fn let_sleep(&mut self) {
        self.roster.let_sleep(self.settings.sleep_after, |_, child| child.notes.holds() > 0);
    }
}

impl Handler<Load> for Intake {
    type Result = Result<ConversationId, ConnectionError>;

    /// A conversation in memory is newer than any snapshot, so it stays as it is; the load is counted.
    fn handle(&mut self, Load { snapshot }: Load, _: &mut Self::Context) -> Self::Result {
        self.check_restored()?;
        let snapshot = Snapshot::read(&snapshot).map_err(ConnectionError::MalformedSnapshot)?;
        let id = snapshot.id().clone();
        if !self.has_room_for(&id) {
            return Err(ConnectionError::Overloaded(self.settings.id.clone()));
        }
        let consumer = snapshot.consumer().cloned();
        let is_new = !self.roster.knows(&id);
        let dialogs = snapshot.dialogs();
        let ready = self.ready();
        let child = self.roster.child_as(&id, |upstream, _| Conversation::loaded(snapshot, upstream, ready));
        child.notes.loaded();
        let hold = hold_change(&self.settings.id, &id, child.notes.holds());
        if is_new {
            child.note_consumer(consumer);
            // Known holes are waited for again.
            child.catch_up();
            dialogs.into_iter().for_each(|dialog| self.roster.note_dialog(dialog, id.clone()));
        }
        self.context.store(hold);
        self.update_status();
        Ok(id)
    }
}

impl Handler<Unload> for Intake {
    type Result = Result<(), ConnectionError>;

    fn handle(&mut self, Unload { conversation }: Unload, _: &mut Self::Context) -> Self::Result {
        self.check_restored()?;
        let not_loaded = || ConnectionError::NotLoaded(conversation.clone());
        let child = self.roster.get_mut(&conversation).ok_or_else(not_loaded)?;
        let holds = child.notes.holds();
        match (holds, self.settings.is_stateless) {
            (0, false) => return Err(not_loaded()),
            (0 | 1, _) => {
                if let Some(since) = child.notes.ended_since() {
                    self.ended.remove(since, &conversation);
                }
                self.roster.forget(&conversation, Leave::ForGood);
            }
            _ => child.notes.unloaded(),
        }
        if holds > 0 {
            self.context.store(hold_change(&self.settings.id, &conversation, holds - 1));
        }
        self.update_status();
        Ok(())
    }
}

impl Handler<ChildReport> for Intake {
    type Result = ();

    /// Without a socket no state can be requested: the next webhook brings the whole state. The progress of histories
    /// concerns only the conversations.
    fn handle(&mut self, report: ChildReport, ctx: &mut Self::Context) {
        let Some(RosterNews::Failed(ChildFailed { is_restarted, verdict, .. })) =
            self.roster.take_report(report, &self.context.process.supervision.systemic)
        else {
            return;
        };
        if is_restarted {
            self.context.status.count_conversation_restart();
        }
        match verdict {
            Verdict::Single => {}
            Verdict::Reset => self.hold_back(ctx),
            Verdict::GiveUp => self.give_up(),
        }
    }
}

impl Handler<ListQuarantined> for Intake {
    type Result = Vec<QuarantinedConversation>;

    fn handle(&mut self, _: ListQuarantined, _: &mut Self::Context) -> Self::Result {
        self.roster.quarantined()
    }
}

impl Handler<Release> for Intake {
    type Result = Result<(), ConnectionError>;

    fn handle(&mut self, Release { conversation }: Release, _: &mut Self::Context) -> Self::Result {
        let ready = self.ready();
        self.roster.release(&conversation, ready.as_ref())
    }
}

impl Handler<ToConversation> for Intake {
    type Result = ();

    fn handle(&mut self, ToConversation { conversation, request }: ToConversation, _: &mut Self::Context) {
        if self.roster.knows(&conversation) {
            self.child(&conversation).tell(request);
        }
    }
}
