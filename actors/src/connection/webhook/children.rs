//! The conversations of a connection without a socket, kept in its roster.

use std::{sync::Arc, time::Instant};

use actix::Handler;
use tertulia_core::{command::Identity, conversation::Arrival, id::ConversationId, time::Timestamp};

use super::{Intake, Load, Unload};
use crate::{
    connection::{
        ConnectionError, QuarantinedConversation,
        roster::{self, ChildFailed, ListQuarantined, Release, RosterNews},
    },
    conversation::{ChildTold, Conversation, Leave, Snapshot, StateArrived, ToConversation},
    supervision::Verdict,
};

/// The connection's notes about a conversation.
#[derive(Default)]
pub(super) struct Notes {
    /// The number of loads minus the number of unloads.
    holds: usize,
    /// The version of the newest state, and when the conversation was first seen ended.
    newest: Option<Timestamp>,
    ended_since: Option<Instant>,
}

pub(super) type Child = roster::Child<Notes>;

impl Child {
    /// Processes a state of the version `told`; `has_ended` says whether the conversation has ended in it.
    pub(super) fn take_state(&mut self, state: StateArrived, told: Option<Timestamp>, has_ended: bool) {
        let notes = &mut self.notes;
        if told >= notes.newest {
            notes.newest = told;
            notes.ended_since = has_ended.then(|| notes.ended_since.unwrap_or_else(Instant::now));
        }
        self.pass_state(state);
    }
}

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

    /// Removes conversations that ended a while ago and that no caller has loaded.
    pub(super) fn sweep_children(&mut self, now: Instant) {
        let linger = self.settings.linger;
        let is_over = |notes: &Notes| {
            notes.holds == 0 && notes.ended_since.is_some_and(|since| now.duration_since(since) >= linger)
        };
        let over = self.roster.children().filter(|(_, child)| is_over(&child.notes)).map(|(id, _)| id.clone());
        for id in over.collect::<Vec<_>>() {
            self.roster.forget(&id, Leave::ForGood);
        }
        self.update_status();
    }

    /// Unloads idle conversations that no worker has loaded.
    pub(super) fn let_sleep(&mut self) {
        self.roster.let_sleep(self.settings.sleep_after, |_, child| child.notes.holds > 0);
    }
}

impl Handler<Load> for Intake {
    type Result = Result<ConversationId, ConnectionError>;

    /// A conversation in memory is newer than any snapshot, so it stays as it is; the load is counted.
    fn handle(&mut self, Load { snapshot }: Load, _: &mut Self::Context) -> Self::Result {
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
        child.notes.holds += 1;
        if is_new {
            child.note_consumer(consumer);
            // Known holes are waited for again.
            child.catch_up();
            dialogs.into_iter().for_each(|dialog| self.roster.note_dialog(dialog, id.clone()));
        }
        self.update_status();
        Ok(id)
    }
}

impl Handler<Unload> for Intake {
    type Result = Result<(), ConnectionError>;

    fn handle(&mut self, Unload { conversation }: Unload, _: &mut Self::Context) -> Self::Result {
        let not_loaded = || ConnectionError::NotLoaded(conversation.clone());
        let child = self.roster.get_mut(&conversation).ok_or_else(not_loaded)?;
        match (child.notes.holds, self.settings.is_stateless) {
            (0, false) => return Err(not_loaded()),
            (0 | 1, _) => {
                self.roster.forget(&conversation, Leave::ForGood);
            }
            (holds, _) => child.notes.holds = holds - 1,
        }
        self.update_status();
        Ok(())
    }
}

impl Handler<ChildTold> for Intake {
    type Result = ();

    /// Without a socket no state can be requested: the next webhook brings the whole state. The progress of histories
    /// concerns only the conversations.
    fn handle(&mut self, told: ChildTold, ctx: &mut Self::Context) {
        let Some(RosterNews::Failed(ChildFailed { is_restarted, verdict, .. })) =
            self.roster.told(told, &self.process.supervision.systemic)
        else {
            return;
        };
        if is_restarted {
            self.status.send_modify(|status| status.conversation_restarts += 1);
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

    fn handle(&mut self, ToConversation { conversation, wish: request }: ToConversation, _: &mut Self::Context) {
        if self.roster.knows(&conversation) {
            self.child(&conversation).tell(request);
        }
    }
}
