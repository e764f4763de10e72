//! The connection's conversations: started, told, watched and let go.

use std::{
    cell::Cell,
    collections::{HashSet, VecDeque},
    rc::Rc,
    sync::Arc,
};

use actix::{AsyncContext, Context, Handler, Message};
use tertulia_core::{conversation::Arrival, id::ConversationId};
use tokio::sync::oneshot;

use super::Connection;
use crate::{
    conversation::{
        self, ChildFailed, ChildNotice, ChildTold, Conversation, ConversationHandle, ConversationSettings, DialogKnown,
        Door, Errand, HistoryProgress, Leave, ListQuarantined, QuarantinedConversation, Release, ReleaseError,
        Remembered, Rest, Upstream,
    },
    supervision::{Depth, Verdict},
};

/// Conversations that left; beyond it the one that left first is forgotten, and is as a new one when it comes back.
const LEFT: usize = 10_000;

/// Conversations that were this connection's, where no store remembers them.
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

pub(super) type Child = conversation::Child<()>;
pub(super) type Children = conversation::Children<()>;

/// A conversation says whether it may sleep.
#[derive(Message)]
#[rtype(result = "()")]
struct Rested {
    conversation: ConversationId,
    may_sleep: bool,
}

impl Connection {
    /// The conversation's actor; started if there is none yet, or if it sleeps.
    pub(super) fn child(&mut self, id: &ConversationId, ctx: &mut Context<Self>) -> &mut Child {
        let is_new = !self.children.contains_key(id) && !self.wake(id);
        let was_here = !self.snapshot_taken || self.left.contains(id);
        if is_new {
            self.make_known(id.clone(), ctx);
        }
        let upstream = self.upstream(ctx);
        let ready = self.identity.as_ref().filter(|_| self.linked);
        self.children.child(id, || {
            let conversation = Conversation::new(id.clone(), upstream, ready.cloned());
            let arrival = if was_here { Arrival::Before } else { Arrival::New };
            if is_new { conversation.arriving(arrival) } else { conversation }
        })
    }

    fn fall_asleep(&mut self, id: ConversationId) {
        if self.asleep.insert(id) {
            self.around.metrics.conversations_asleep.inc();
        }
    }

    /// Notes that a conversation sleeps no more; whether it did.
    fn wake(&mut self, id: &ConversationId) -> bool {
        let slept = self.asleep.remove(id);
        if slept {
            self.around.metrics.conversations_asleep.dec();
        }
        slept
    }

    /// Takes up the conversations of an earlier life: they sleep until something is to be done. The resume plan asks
    /// what became of them.
    pub(super) fn restore(&mut self, conversations: Vec<Remembered>, ctx: &mut Context<Self>) {
        for Remembered { id, dialogs, outline, is_pending, .. } in conversations {
            dialogs.into_iter().for_each(|dialog| self.dialogs.note(dialog, id.clone()));
            if is_pending {
                self.child(&id, ctx);
            } else {
                let handle = self.make_known(id.clone(), ctx);
                self.around.directory.outline(&handle, outline);
                self.fall_asleep(id);
            }
        }
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

    /// Whether a conversation is here, awake or not.
    pub(super) fn knows(&self, id: &ConversationId) -> bool {
        self.children.contains_key(id) || self.asleep.contains(id)
    }

    /// Whether a conversation is here to stay, as far as is known.
    pub(super) fn holds(&self, id: &ConversationId) -> bool {
        self.knows(id) && !self.subscribed.state.is_leaving(id)
    }

    /// How many conversations are here, awake or not.
    pub(super) fn conversations(&self) -> usize {
        self.children.len() + self.asleep.len()
    }

    /// Every conversation, awake or not.
    pub(super) fn known(&self) -> impl Iterator<Item = &ConversationId> {
        self.children.keys().chain(&self.asleep)
    }

    /// What the conversations have in common; the same from the first to the last.
    fn upstream(&mut self, ctx: &mut Context<Self>) -> Rc<Upstream> {
        let Self { settings, around, origin, client, .. } = self;
        let upstream = self.upstream.get_or_insert_with(|| {
            let me = ctx.address();
            Rc::new(Upstream {
                parent: me.clone().recipient(),
                policy: Arc::clone(&around.supervision.conversation),
                directory: Arc::clone(&around.directory),
                dead_letters: Arc::clone(&around.dead_letters),
                drill: settings.drill.clone(),
                requests: me.clone().recipient(),
                client: client.clone(),
                dialogs: me.recipient(),
                routing: Arc::clone(&around.routing),
                origin: Arc::clone(origin),
                metrics: Arc::clone(&around.metrics),
                counted: around.metrics.by_connection.of(&settings.id),
                settings: ConversationSettings {
                    dialect: settings.dialect(),
                    is_by_webhook: false,
                    history: settings.history,
                    limits: settings.limits,
                    sends_when_caught_up: true,
                },
                filled: Cell::default(),
            })
        });
        Rc::clone(upstream)
    }

    pub(super) fn tell_children_ready(&self) {
        if let Some(identity) = &self.identity {
            self.children.tell_ready(identity);
        }
    }

    pub(super) fn tell_children_lost(&self) {
        self.children.tell_lost();
    }

    pub(super) fn forget_for_good(&mut self, id: &ConversationId) {
        // The store tells by itself.
        if !self.around.routing.journal().keeps() {
            self.left.add(id.clone());
        }
        self.forget_child(id, Leave::ForGood);
    }

    /// Asks conversations that nothing happened to for a while whether they may sleep, where they can be loaded again.
    pub(super) fn let_sleep(&mut self, ctx: &mut Context<Self>) {
        if !self.around.routing.journal().keeps() || !self.session.may_send() {
            return;
        }
        let subscribed = &self.subscribed.state;
        let resting = self.children.resting(self.settings.sleep_after, |id, _| subscribed.is_leaving(id));
        for conversation in resting {
            let Some(child) = self.children.get(&conversation) else { continue };
            let (done, outcome) = oneshot::channel();
            child.tell(Rest { done });
            let me = ctx.address();
            actix_rt::spawn(async move {
                let may_sleep = outcome.await.unwrap_or_default();
                me.do_send(Rested { conversation, may_sleep });
            });
        }
    }

    fn forget_child(&mut self, id: &ConversationId, leave: Leave) {
        if self.wake(id) {
            self.forget(id);
        }
        if self.children.stop(id, leave, &self.around.metrics) {
            self.forget(id);
        }
    }

    fn forget(&mut self, id: &ConversationId) {
        self.repeated.forget(id);
        self.readiness.history_done(id);
        self.subscribed.state.forget(id);
        self.around.directory.remove(&self.settings.id, id);
        self.dialogs.forget(id);
    }

    pub(super) fn forget_children(&mut self) {
        let all: Vec<ConversationId> = self.known().cloned().collect();
        for id in all {
            self.forget_child(&id, Leave::ForNow);
        }
    }
}

impl Handler<ChildTold> for Connection {
    type Result = ();

    fn handle(&mut self, told: ChildTold, ctx: &mut Self::Context) {
        if let ChildNotice::History(progress) = told.notice {
            return self.history_told(&told.conversation, progress);
        }
        let upstream = self.upstream(ctx);
        let failed = self.children.told(told, &upstream, &self.around.supervision.systemic);
        let Some(ChildFailed { conversation, is_restarted, verdict }) = failed else { return };
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
        self.children.quarantined()
    }
}

impl Handler<Release> for Connection {
    type Result = Result<(), ReleaseError>;

    fn handle(&mut self, Release { conversation: id }: Release, ctx: &mut Self::Context) -> Self::Result {
        let upstream = self.upstream(ctx);
        let ready = self.identity.as_ref().filter(|_| self.linked).cloned();
        self.children.release(&id, |remains| Conversation::released(id.clone(), remains, upstream, ready))?;
        self.ask_state(id);
        Ok(())
    }
}

impl Handler<Rested> for Connection {
    type Result = ();

    fn handle(&mut self, Rested { conversation, may_sleep }: Rested, _: &mut Self::Context) {
        if !self.children.is_resting(&conversation) {
            return;
        }
        if !may_sleep {
            return self.children.stays_awake(&conversation);
        }
        if self.children.stop(&conversation, Leave::ForNow, &self.around.metrics) {
            self.fall_asleep(conversation);
        }
    }
}

impl Handler<Errand> for Connection {
    type Result = ();

    fn handle(&mut self, Errand { conversation, wish }: Errand, ctx: &mut Self::Context) {
        if self.knows(&conversation) {
            self.child(&conversation, ctx).tell(wish);
        }
    }
}

impl Handler<DialogKnown> for Connection {
    type Result = ();

    fn handle(&mut self, DialogKnown { dialog_id, conversation }: DialogKnown, _: &mut Self::Context) {
        // A conversation that was let go of meanwhile has no dialogs here.
        if self.knows(&conversation) {
            self.dialogs.note(dialog_id, conversation);
        }
    }
}
