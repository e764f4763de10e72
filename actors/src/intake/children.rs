//! The conversations of a connection without a socket: started, loaded, told, unloaded and let go.

use std::{rc::Rc, sync::Arc, time::Instant};

use actix::{Addr, AsyncContext, Context, Handler, Message};
use tertulia_core::{
    command::Identity,
    id::{ConversationId, ExternalConsumerId},
    time::Timestamp,
    ums::Dialect,
};
use tokio::sync::Semaphore;

use super::{Intake, IntakeRole, Load, LoadError, Unload, UnloadError};
use crate::{
    conversation::{
        CatchUp, Conversation, ConversationHandle, ConversationSettings, DialogKnown, Door, Errand, Leave, LinkFailed,
        LinkReady, RecordsArrived, Remembered, Snapshot, SpeakFor, StateArrived, Upstream,
    },
    subscriber::{EventData, Subject},
    supervision::{ChildExit, Depth, ExitReason, GuardOptions, start_guarded},
};

/// One conversation.
pub(super) struct Child {
    address: Addr<Conversation>,
    /// For whom is spoken in it, where that is known.
    consumer: Option<ExternalConsumerId>,
    /// How often it was loaded and not unloaded.
    holds: usize,
    /// The version of the newest state, and since when that one is an ended one.
    newest: Option<Timestamp>,
    ended_since: Option<Instant>,
}

impl Child {
    /// Takes a state of the version `told`, after which the conversation has ended or not.
    pub(super) fn take_state(&mut self, state: StateArrived, told: Option<Timestamp>, has_ended: bool) {
        if told >= self.newest {
            self.newest = told;
            self.ended_since = has_ended.then(|| self.ended_since.unwrap_or_else(Instant::now));
        }
        self.address.do_send(state);
    }

    pub(super) fn take_records(&self, records: RecordsArrived) {
        self.address.do_send(records);
    }

    pub(super) fn consumer(&self) -> Option<&ExternalConsumerId> {
        self.consumer.as_ref()
    }

    pub(super) fn speak_for(&mut self, consumer: ExternalConsumerId) {
        self.address.do_send(SpeakFor { consumer: consumer.clone() });
        self.consumer = Some(consumer);
    }
}

/// A conversation's actor was restarted or ended.
#[derive(Message)]
#[rtype(result = "()")]
struct ChildExited {
    conversation: ConversationId,
    exit: ChildExit,
}

impl Intake {
    pub(super) fn has_room_for(&self, id: &ConversationId) -> bool {
        self.children.len() < self.settings.max_conversations || self.children.contains_key(id)
    }

    /// The conversation's actor, started if there is none yet. Ask [`Self::has_room_for`] before.
    pub(super) fn child(&mut self, id: &ConversationId, ctx: &mut Context<Self>) -> &mut Child {
        if !self.children.contains_key(id) {
            let conversation = id.clone();
            self.start_child(id.clone(), ctx, |upstream, ready| Conversation::new(conversation, upstream, ready));
        }
        // The entry was made above where it was missing.
        self.children.entry(id.clone()).or_insert_with(|| unreachable!("the child was just started"))
    }

    fn upstream(&mut self, ctx: &mut Context<Self>) -> Rc<Upstream> {
        let me = ctx.address();
        let upstream = self.upstream.get_or_insert_with(|| {
            Rc::new(Upstream {
                requests: me.clone().recipient(),
                client: self.sender.as_ref().map(|sender| sender.client.clone()),
                dialogs: me.recipient(),
                routing: Arc::clone(&self.around.routing),
                origin: Arc::clone(&self.origin),
                metrics: Arc::clone(&self.around.metrics),
                // Nothing is read from the platform: a history that is asked for is only held.
                histories: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
                settings: ConversationSettings {
                    dialect: Dialect::Consumer,
                    history: self.settings.history,
                    limits: self.settings.limits,
                },
            })
        });
        Rc::clone(upstream)
    }

    fn start_child(
        &mut self,
        id: ConversationId,
        ctx: &mut Context<Self>,
        create: impl FnOnce(Rc<Upstream>, Option<Arc<Identity>>) -> Conversation,
    ) {
        let (me, upstream) = (ctx.address(), self.upstream(ctx));
        let conversation = id.clone();
        let options = GuardOptions::new(format!("{}/{id}", self.settings.id), move |exit| {
            me.do_send(ChildExited { conversation: conversation.clone(), exit });
        });
        let ready = self.is_ready().then(|| Arc::clone(&self.identity));
        let address = start_guarded(options, |_| create(upstream, ready));
        let queue = Depth::new(self.settings.max_waiting_commands);
        let door = self.door.get_or_insert_with(|| {
            Arc::new(Door { connection: self.settings.id.clone(), errands: ctx.address().recipient() })
        });
        self.around.directory.add(ConversationHandle::new(Arc::clone(door), id.clone(), queue));
        self.around.metrics.conversations.inc();
        let child = Child { address, consumer: None, holds: 0, newest: None, ended_since: None };
        self.children.insert(id, child);
    }

    /// Takes up the conversations of an earlier life.
    pub(super) fn restore(&mut self, conversations: Vec<Remembered>, ctx: &mut Context<Self>) {
        for Remembered { id, dialogs, consumer, .. } in conversations {
            let child = self.child(&id, ctx);
            if let Some(consumer) = consumer {
                child.speak_for(consumer);
            }
            self.dialogs.extend(dialogs.into_iter().map(|dialog| (dialog, id.clone())));
        }
    }

    pub(super) fn tell_children_ready(&self) {
        for child in self.children.values() {
            child.address.do_send(LinkReady { identity: Arc::clone(&self.identity) });
        }
    }

    pub(super) fn tell_children_failed(&self) {
        for child in self.children.values() {
            child.address.do_send(LinkFailed);
        }
    }

    /// Lets go of conversations that ended a while ago and that nobody has loaded.
    pub(super) fn sweep_children(&mut self, now: Instant) {
        let linger = self.settings.linger;
        let is_over = |child: &Child| child.ended_since.is_some_and(|since| now.duration_since(since) >= linger);
        let gone = self.children.iter().filter(|(_, child)| child.holds == 0 && is_over(child));
        let gone: Vec<ConversationId> = gone.map(|(id, _)| id.clone()).collect();
        for id in gone {
            self.forget_child(&id, Leave::ForGood);
        }
        self.update_status();
    }

    fn forget_child(&mut self, id: &ConversationId, leave: Leave) {
        if let Some(child) = self.children.remove(id) {
            child.address.do_send(leave);
            self.around.directory.remove(&self.settings.id, id);
            self.around.metrics.conversations.dec();
            self.dialogs.retain(|_, conversation| conversation != id);
        }
    }

    pub(super) fn forget_children(&mut self) {
        let all: Vec<ConversationId> = self.children.keys().cloned().collect();
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
        if !self.children.contains_key(&id) {
            for dialog in snapshot.dialogs() {
                self.dialogs.insert(dialog, id.clone());
            }
            self.start_child(id.clone(), ctx, |upstream, ready| Conversation::loaded(snapshot, upstream, ready));
            if let Some(child) = self.children.get_mut(&id) {
                child.consumer = consumer;
                let (done, _) = tokio::sync::oneshot::channel();
                // Holes that were known before are waited for again.
                child.address.do_send(CatchUp { done });
            }
        }
        if let Some(child) = self.children.get_mut(&id) {
            child.holds += 1;
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
        match (child.holds, self.settings.role) {
            (0, IntakeRole::Connector) => return Err(not_loaded()),
            (0 | 1, _) => self.forget_child(&conversation, Leave::ForGood),
            (holds, _) => child.holds = holds - 1,
        }
        self.update_status();
        Ok(())
    }
}

impl Handler<ChildExited> for Intake {
    type Result = ();

    fn handle(&mut self, ChildExited { conversation, exit }: ChildExited, _: &mut Self::Context) {
        match exit {
            // The conversation itself tells its subscribers, with its own next sequence.
            ChildExit::Restarting { .. } => {
                self.metrics().actor_restarts.inc();
            }
            ChildExit::Ended { reason: ExitReason::Normal | ExitReason::ArbiterStopped, .. } => {}
            ChildExit::Ended { reason: ExitReason::Panicked(_) | ExitReason::GaveUp(_), restarts } => {
                self.metrics().conversations_quarantined.inc();
                tracing::error!(connection = %self.settings.id, %conversation, restarts, "conversation quarantined");
                self.around.directory.remove(&self.settings.id, &conversation);
                let data = EventData::ConversationQuarantined { restarts };
                self.around.routing.publish(&self.origin, Subject::About(&conversation), data);
            }
        }
    }
}

impl Handler<Errand> for Intake {
    type Result = ();

    fn handle(&mut self, Errand { conversation, wish }: Errand, _: &mut Self::Context) {
        if let Some(child) = self.children.get(&conversation) {
            child.address.do_send(wish);
        }
    }
}

impl Handler<DialogKnown> for Intake {
    type Result = ();

    fn handle(&mut self, DialogKnown { dialog_id, conversation }: DialogKnown, _: &mut Self::Context) {
        self.dialogs.insert(dialog_id, conversation);
    }
}
