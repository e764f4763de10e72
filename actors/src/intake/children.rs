//! The conversations of a connection without a socket: started, loaded, told, unloaded and let go.

use std::{cell::Cell, rc::Rc, sync::Arc, time::Instant};

use actix::{AsyncContext, Context, Handler};
use tertulia_core::{
    command::Identity,
    conversation::Arrival,
    id::{ConversationId, ExternalConsumerId},
    time::Timestamp,
};

use super::{Intake, IntakeRole, Load, LoadError, Unload, UnloadError};
use crate::{
    conversation::{
        self, ChildFailed, ChildTold, Conversation, ConversationHandle, ConversationSettings, DialogKnown, Door,
        Errand, Leave, ListQuarantined, QuarantinedConversation, Release, ReleaseError, Remembered, Snapshot, SpeakFor,
        StateArrived, Upstream,
    },
    supervision::{Depth, Verdict},
};

/// What the connection notes of a conversation.
#[derive(Default)]
pub(super) struct Notes {
    /// For whom is spoken in it, where that is known.
    consumer: Option<ExternalConsumerId>,
    /// How often it was loaded and not unloaded.
    pub(super) holds: usize,
    /// The version of the newest state, and since when that one is an ended one.
    newest: Option<Timestamp>,
    ended_since: Option<Instant>,
}

pub(super) type Child = conversation::Child<Notes>;
pub(super) type Children = conversation::Children<Notes>;

impl Child {
    /// Takes a state of the version `told`, after which the conversation has ended or not.
    pub(super) fn take_state(&mut self, state: StateArrived, told: Option<Timestamp>, has_ended: bool) {
        let notes = &mut self.notes;
        if told >= notes.newest {
            notes.newest = told;
            notes.ended_since = has_ended.then(|| notes.ended_since.unwrap_or_else(Instant::now));
        }
        self.pass_state(state);
    }

    pub(super) fn consumer(&self) -> Option<&ExternalConsumerId> {
        self.notes.consumer.as_ref()
    }

    pub(super) fn speak_for(&mut self, consumer: ExternalConsumerId) {
        self.tell(SpeakFor { consumer: consumer.clone() });
        self.notes.consumer = Some(consumer);
    }
}

impl Intake {
    pub(super) fn has_room_for(&self, id: &ConversationId) -> bool {
        self.children.len() < self.settings.max_conversations || self.children.contains_key(id)
    }

    /// The conversation's actor, started if there is none yet. Ask [`Self::has_room_for`] before.
    pub(super) fn child(&mut self, id: &ConversationId, ctx: &mut Context<Self>) -> &mut Child {
        self.child_as(id, ctx, |upstream, ready| Conversation::new(id.clone(), upstream, ready).arriving(Arrival::New))
    }

    fn child_as(
        &mut self,
        id: &ConversationId,
        ctx: &mut Context<Self>,
        begin: impl FnOnce(Rc<Upstream>, Option<Arc<Identity>>) -> Conversation,
    ) -> &mut Child {
        let slept = self.wake(id);
        if slept.is_none() && !self.children.contains_key(id) {
            self.make_known(id.clone(), ctx);
        }
        let upstream = self.upstream(ctx);
        let ready = self.is_ready().then(|| Arc::clone(&self.identity));
        let child = self.children.child(id, || begin(upstream, ready));
        if let Some(consumer) = slept.flatten() {
            child.speak_for(consumer);
        }
        child
    }

    /// Lets callers find the conversation.
    fn make_known(&mut self, id: ConversationId, ctx: &mut Context<Self>) -> ConversationHandle {
        let me = ctx.address();
        let door = self
            .door
            .get_or_insert_with(|| Arc::new(Door { connection: self.settings.id.clone(), errands: me.recipient() }));
        let queue = Depth::new(self.settings.max_waiting_commands);
        let handle = ConversationHandle::new(Arc::clone(door), id, queue);
        self.around.directory.add(handle.clone());
        handle
    }

    /// What the conversations have in common; the same from the first to the last.
    fn upstream(&mut self, ctx: &mut Context<Self>) -> Rc<Upstream> {
        let Self { settings, around, origin, sender, .. } = self;
        let upstream = self.upstream.get_or_insert_with(|| {
            let me = ctx.address();
            Rc::new(Upstream {
                parent: me.clone().recipient(),
                policy: Arc::clone(&around.supervision.conversation),
                directory: Arc::clone(&around.directory),
                dead_letters: Arc::clone(&around.dead_letters),
                drill: settings.drill.clone(),
                requests: me.clone().recipient(),
                client: sender.as_ref().map(|sender| sender.client.clone()),
                dialogs: me.recipient(),
                routing: Arc::clone(&around.routing),
                origin: Arc::clone(origin),
                metrics: Arc::clone(&around.metrics),
                counted: around.metrics.by_connection.of(&settings.id),
                settings: ConversationSettings {
                    dialect: settings.dialect(),
                    is_by_webhook: true,
                    history: settings.history,
                    limits: settings.limits,
                    sends_when_caught_up: false,
                },
                filled: Cell::default(),
            })
        });
        Rc::clone(upstream)
    }

    /// Takes up the conversations of an earlier life.
    pub(super) fn restore(&mut self, conversations: Vec<Remembered>, ctx: &mut Context<Self>) {
        for Remembered { id, dialogs, consumer, outline, is_pending } in conversations {
            dialogs.into_iter().for_each(|dialog| self.dialogs.note(dialog, id.clone()));
            let handle = self.make_known(id.clone(), ctx);
            self.around.directory.outline(&handle, outline);
            self.fall_asleep(id.clone(), consumer);
            if is_pending {
                self.child(&id, ctx);
            }
        }
    }

    pub(super) fn tell_children_ready(&self) {
        self.children.tell_ready(&self.identity);
        if self.rest.is_some() {
            // What was missing before could not be asked for. Nobody waits for the end.
            self.children.values().for_each(Child::catch_up);
        }
    }

    /// Lets go of conversations that ended a while ago and that nobody has loaded.
    pub(super) fn sweep_children(&mut self, now: Instant) {
        let linger = self.settings.linger;
        let is_over = |child: &Child| {
            child.notes.holds == 0 && child.notes.ended_since.is_some_and(|since| now.duration_since(since) >= linger)
        };
        for id in self.children.those(is_over) {
            self.forget_child(&id, Leave::ForGood);
        }
        self.update_status();
    }

    fn forget_child(&mut self, id: &ConversationId, leave: Leave) {
        let slept = self.wake(id).is_some();
        if self.children.stop(id, leave, &self.around.metrics) || slept {
            self.around.directory.remove(&self.settings.id, id);
            self.dialogs.forget(id);
        }
    }

    pub(super) fn forget_children(&mut self) {
        let all: Vec<ConversationId> = self.children.keys().chain(self.asleep.keys()).cloned().collect();
        for id in all {
            self.forget_child(&id, Leave::ForNow);
        }
    }
}

impl Handler<Load> for Intake {
    type Result = Result<ConversationId, LoadError>;

    /// A conversation that is in memory already stays as it is, which is newer than any text; it is held once more.
    fn handle(&mut self, Load { snapshot }: Load, ctx: &mut Self::Context) -> Self::Result {
        let snapshot = Snapshot::read(&snapshot).map_err(LoadError::Malformed)?;
        let id = snapshot.id().clone();
        if !self.has_room_for(&id) {
            return Err(LoadError::Overloaded(self.settings.id.clone()));
        }
        let consumer = snapshot.consumer().cloned();
        let is_new = !self.knows(&id);
        if is_new {
            for dialog in snapshot.dialogs() {
                self.dialogs.note(dialog, id.clone());
            }
        }
        let child = self.child_as(&id, ctx, |upstream, ready| Conversation::loaded(snapshot, upstream, ready));
        child.notes.holds += 1;
        if is_new {
            child.notes.consumer = consumer;
            // Holes that were known before are waited for again.
            child.catch_up();
        }
        self.update_status();
        Ok(id)
    }
}

impl Handler<Unload> for Intake {
    type Result = Result<(), UnloadError>;

    fn handle(&mut self, Unload { conversation }: Unload, _: &mut Self::Context) -> Self::Result {
        let not_loaded = || UnloadError::NotLoaded(conversation.clone());
        let child = self.children.get_mut(&conversation).ok_or_else(not_loaded)?;
        match (child.notes.holds, self.settings.role) {
            (0, IntakeRole::Connector) => return Err(not_loaded()),
            (0 | 1, _) => self.forget_child(&conversation, Leave::ForGood),
            (holds, _) => child.notes.holds = holds - 1,
        }
        self.update_status();
        Ok(())
    }
}

impl Handler<ChildTold> for Intake {
    type Result = ();

    /// There is no state that could be asked for: the next webhook brings the whole one.
    fn handle(&mut self, told: ChildTold, ctx: &mut Self::Context) {
        let upstream = self.upstream(ctx);
        let failed = self.children.told(told, &upstream, &self.around.supervision.systemic);
        let Some(ChildFailed { is_restarted, verdict, .. }) = failed else { return };
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
        self.children.quarantined()
    }
}

impl Handler<Release> for Intake {
    type Result = Result<(), ReleaseError>;

    fn handle(&mut self, Release { conversation: id }: Release, ctx: &mut Self::Context) -> Self::Result {
        let upstream = self.upstream(ctx);
        let ready = self.is_ready().then(|| Arc::clone(&self.identity));
        self.children.release(&id, |remains| Conversation::released(id.clone(), remains, upstream, ready))
    }
}

impl Handler<Errand> for Intake {
    type Result = ();

    fn handle(&mut self, Errand { conversation, wish }: Errand, ctx: &mut Self::Context) {
        if self.knows(&conversation) {
            self.child(&conversation, ctx).tell(wish);
        }
    }
}

impl Handler<DialogKnown> for Intake {
    type Result = ();

    fn handle(&mut self, DialogKnown { dialog_id, conversation }: DialogKnown, _: &mut Self::Context) {
        // A conversation that was let go of meanwhile has no dialogs here.
        if self.knows(&conversation) {
            self.dialogs.note(dialog_id, conversation);
        }
    }
}
