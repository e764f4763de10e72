//! The connection's conversations: started, told, watched and let go.

use std::{rc::Rc, sync::Arc, time::Instant};

use actix::{Addr, AsyncContext, Context, Handler, Message};
use tertulia_core::id::ConversationId;
use tokio::sync::oneshot;

use super::Connection;
use crate::{
    conversation::{
        CatchUp, Conversation, ConversationHandle, ConversationSettings, DialogKnown, Door, Errand, Leave, LinkFailed,
        LinkLost, LinkReady, RecordsArrived, Remembered, Rest, StateArrived, Upstream,
    },
    subscriber::{EventData, Subject},
    supervision::{ChildExit, Depth, ExitReason, GuardOptions, start_guarded},
};

/// What a notification tells of a conversation's place in the subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It is in one of them.
    Held,
    /// It is in none any more.
    Left,
    /// Nothing: it came for a subscription that has ended.
    Unknown,
}

/// One conversation of the connection that is awake.
pub(super) struct Child {
    address: Addr<Conversation>,
    /// Since when it is no longer in the subscription.
    leaving_since: Option<Instant>,
    /// When it was last told anything that it has to do with.
    used: Instant,
    /// It was asked whether it may sleep, and was told nothing since.
    resting: bool,
}

/// A conversation says whether it may sleep.
#[derive(Message)]
#[rtype(result = "()")]
struct Rested {
    conversation: ConversationId,
    may_sleep: bool,
}

impl Child {
    pub(super) fn take_state(&mut self, state: StateArrived, presence: Presence) {
        match presence {
            Presence::Held => self.leaving_since = None,
            Presence::Left => self.leaves(),
            Presence::Unknown => {}
        }
        self.address.do_send(state);
    }

    pub(super) fn take_records(&self, records: RecordsArrived) {
        self.address.do_send(records);
    }

    fn leaves(&mut self) {
        self.leaving_since.get_or_insert_with(Instant::now);
    }

    /// When something was last told that concerns it.
    pub(super) fn used(&self) -> Instant {
        self.used
    }

    /// Has the conversation fetch what it missed; it answers whether it could.
    pub(super) fn catch_up(&self) -> oneshot::Receiver<bool> {
        let (done, outcome) = oneshot::channel();
        self.address.do_send(CatchUp { done });
        outcome
    }
}

/// A conversation's actor was restarted or ended.
#[derive(Message)]
#[rtype(result = "()")]
struct ChildExited {
    conversation: ConversationId,
    exit: ChildExit,
}

impl Connection {
    /// The conversation's actor; started if there is none yet, or if it sleeps.
    pub(super) fn child(&mut self, id: &ConversationId, ctx: &mut Context<Self>) -> &mut Child {
        if !self.children.contains_key(id) {
            let child = self.start_child(id.clone(), ctx);
            self.children.insert(id.clone(), child);
            self.around.metrics.conversations.inc();
            if !self.asleep.remove(id) {
                self.make_known(id.clone(), ctx);
            }
        }
        // The entry was made above where it was missing.
        let child = self.children.entry(id.clone()).or_insert_with(|| unreachable!("the child was just started"));
        child.used = Instant::now();
        child.resting = false;
        child
    }

    /// Takes up the conversations of an earlier life: they sleep until something is to be done. The resume plan asks
    /// what became of them.
    pub(super) fn restore(&mut self, conversations: Vec<Remembered>, ctx: &mut Context<Self>) {
        for Remembered { id, dialogs, is_pending, .. } in conversations {
            self.dialogs.extend(dialogs.into_iter().map(|dialog| (dialog, id.clone())));
            if is_pending {
                self.child(&id, ctx);
            } else {
                self.make_known(id.clone(), ctx);
                self.asleep.insert(id);
            }
        }
    }

    /// Lets callers find the conversation.
    fn make_known(&mut self, id: ConversationId, ctx: &mut Context<Self>) {
        let me = ctx.address();
        let door = self
            .door
            .get_or_insert_with(|| Arc::new(Door { connection: self.settings.id.clone(), errands: me.recipient() }));
        let queue = Depth::new(self.settings.max_waiting_commands);
        self.around.directory.add(ConversationHandle::new(Arc::clone(door), id, queue));
    }

    /// Whether a conversation is here, awake or not.
    pub(super) fn knows(&self, id: &ConversationId) -> bool {
        self.children.contains_key(id) || self.asleep.contains(id)
    }

    /// Whether a conversation is here to stay, as far as is known.
    pub(super) fn holds(&self, id: &ConversationId) -> bool {
        self.children.get(id).map_or_else(|| self.asleep.contains(id), |child| child.leaving_since.is_none())
    }

    /// Every conversation, awake or not.
    pub(super) fn known(&self) -> impl Iterator<Item = &ConversationId> {
        self.children.keys().chain(&self.asleep)
    }

    fn upstream(&mut self, ctx: &mut Context<Self>) -> Rc<Upstream> {
        let me = ctx.address();
        let upstream = self.upstream.get_or_insert_with(|| {
            Rc::new(Upstream {
                requests: me.clone().recipient(),
                client: self.client.clone(),
                dialogs: me.recipient(),
                routing: Arc::clone(&self.around.routing),
                origin: Arc::clone(&self.origin),
                metrics: Arc::clone(&self.around.metrics),
                histories: Arc::clone(&self.histories),
                settings: ConversationSettings {
                    dialect: self.settings.dialect(),
                    history: self.settings.history,
                    limits: self.settings.limits,
                },
            })
        });
        Rc::clone(upstream)
    }

    fn start_child(&mut self, id: ConversationId, ctx: &mut Context<Self>) -> Child {
        let (me, upstream) = (ctx.address(), self.upstream(ctx));
        let conversation = id.clone();
        let name = format!("{}/{id}", self.settings.id);
        let options = GuardOptions::new(name, move |exit| {
            me.do_send(ChildExited { conversation: conversation.clone(), exit });
        });
        let identity = self.identity.clone().filter(|_| self.session.may_send());
        let address = start_guarded(options, |_| Conversation::new(id, upstream, identity));
        Child { address, leaving_since: None, used: Instant::now(), resting: false }
    }

    pub(super) fn tell_children_ready(&self) {
        if let Some(identity) = &self.identity {
            for child in self.children.values() {
                child.address.do_send(LinkReady { identity: Arc::clone(identity) });
            }
        }
    }

    /// Who was about to leave stays until the next resume plan has looked again.
    pub(super) fn tell_children_lost(&mut self) {
        self.leaving_asleep.clear();
        for child in self.children.values_mut() {
            child.leaving_since = None;
            child.address.do_send(LinkLost);
        }
    }

    pub(super) fn tell_children_failed(&self) {
        for child in self.children.values() {
            child.address.do_send(LinkFailed);
        }
    }

    /// Notes that a conversation is in no subscription any more.
    pub(super) fn leaves_soon(&mut self, id: &ConversationId) {
        match self.children.get_mut(id) {
            Some(child) => child.leaves(),
            // It is woken to write that down.
            None => self.leaving_asleep.push(id.clone()),
        }
    }

    /// Lets go of conversations that left the subscription a while ago; late messages found them until now.
    pub(super) fn sweep_children(&mut self, ctx: &mut Context<Self>) {
        for id in std::mem::take(&mut self.leaving_asleep) {
            if self.asleep.contains(&id) {
                self.child(&id, ctx).leaves();
            }
        }
        let linger = self.settings.linger;
        let gone: Vec<ConversationId> = self
            .children
            .iter()
            .filter(|(_, child)| child.leaving_since.is_some_and(|since| since.elapsed() >= linger))
            .map(|(id, _)| id.clone())
            .collect();
        for id in gone {
            self.forget_child(&id, Leave::ForGood);
        }
    }

    /// Asks conversations that nothing happened to for a while whether they may sleep, where they can be loaded again.
    pub(super) fn let_sleep(&mut self, ctx: &mut Context<Self>) {
        if !self.around.routing.journal().keeps() || !self.session.may_send() {
            return;
        }
        let after = self.settings.sleep_after;
        for (id, child) in &mut self.children {
            if child.resting || child.leaving_since.is_some() || child.used.elapsed() < after {
                continue;
            }
            child.resting = true;
            let (done, outcome) = oneshot::channel();
            child.address.do_send(Rest { done });
            let (me, conversation) = (ctx.address(), id.clone());
            actix_rt::spawn(async move {
                let may_sleep = outcome.await.unwrap_or_default();
                me.do_send(Rested { conversation, may_sleep });
            });
        }
    }

    fn forget_child(&mut self, id: &ConversationId, leave: Leave) {
        if self.asleep.remove(id) {
            self.forget(id);
        }
        if let Some(child) = self.children.remove(id) {
            child.address.do_send(leave);
            self.around.metrics.conversations.dec();
            self.forget(id);
        }
    }

    fn forget(&mut self, id: &ConversationId) {
        self.repeated.forget(id);
        self.around.directory.remove(&self.settings.id, id);
        self.dialogs.retain(|_, conversation| conversation != id);
    }

    pub(super) fn forget_children(&mut self) {
        let all: Vec<ConversationId> = self.known().cloned().collect();
        for id in all {
            self.forget_child(&id, Leave::ForNow);
        }
    }
}

impl Handler<ChildExited> for Connection {
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

impl Handler<Rested> for Connection {
    type Result = ();

    fn handle(&mut self, Rested { conversation, may_sleep }: Rested, _: &mut Self::Context) {
        let Some(child) = self.children.get_mut(&conversation).filter(|child| child.resting) else { return };
        if !may_sleep {
            // It is asked again when it was quiet for as long once more.
            (child.resting, child.used) = (false, Instant::now());
            return;
        }
        if let Some(child) = self.children.remove(&conversation) {
            child.address.do_send(Leave::ForNow);
            self.around.metrics.conversations.dec();
            self.asleep.insert(conversation);
        }
    }
}

impl Handler<Errand> for Connection {
    type Result = ();

    fn handle(&mut self, Errand { conversation, wish }: Errand, ctx: &mut Self::Context) {
        if self.knows(&conversation) {
            self.child(&conversation, ctx).address.do_send(wish);
        }
    }
}

impl Handler<DialogKnown> for Connection {
    type Result = ();

    fn handle(&mut self, DialogKnown { dialog_id, conversation }: DialogKnown, _: &mut Self::Context) {
        self.dialogs.insert(dialog_id, conversation);
    }
}
