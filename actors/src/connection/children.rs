//! The connection's conversations: started, told, watched and let go.

use std::{sync::Arc, time::Instant};

use actix::{Addr, AsyncContext, Context, Handler, Message};
use tertulia_core::id::ConversationId;
use tokio::sync::oneshot;

use super::Connection;
use crate::{
    conversation::{
        CatchUp, Conversation, ConversationHandle, ConversationSettings, DialogKnown, Leave, LinkFailed, LinkLost,
        LinkReady, RecordsArrived, Remembered, StateArrived, Upstream,
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

/// One conversation of the connection.
pub(super) struct Child {
    address: Addr<Conversation>,
    /// Since when it is no longer in the subscription.
    leaving_since: Option<Instant>,
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

    pub(super) fn leaves(&mut self) {
        self.leaving_since.get_or_insert_with(Instant::now);
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
    /// The conversation's actor, started if there is none yet.
    pub(super) fn child(&mut self, id: &ConversationId, ctx: &mut Context<Self>) -> &mut Child {
        if !self.children.contains_key(id) {
            let child = self.start_child(id.clone(), ctx);
            self.children.insert(id.clone(), child);
            self.around.metrics.conversations.inc();
        }
        // The entry was made above where it was missing.
        self.children.entry(id.clone()).or_insert_with(|| unreachable!("the child was just started"))
    }

    /// Takes up the conversations of an earlier life. The resume plan asks what became of them.
    pub(super) fn restore(&mut self, conversations: Vec<Remembered>, ctx: &mut Context<Self>) {
        for Remembered { id, dialogs, .. } in conversations {
            self.child(&id, ctx);
            self.dialogs.extend(dialogs.into_iter().map(|dialog| (dialog, id.clone())));
        }
    }

    /// Whether a conversation is here to stay, as far as is known.
    pub(super) fn holds(&self, id: &ConversationId) -> bool {
        self.children.get(id).is_some_and(|child| child.leaving_since.is_none())
    }

    fn start_child(&self, id: ConversationId, ctx: &mut Context<Self>) -> Child {
        let me = ctx.address();
        let upstream = Upstream {
            requests: me.clone().recipient(),
            client: self.client.clone(),
            dialogs: me.clone().recipient(),
            routing: Arc::clone(&self.around.routing),
            origin: Arc::clone(&self.origin),
            metrics: Arc::clone(&self.around.metrics),
            histories: Arc::clone(&self.histories),
            settings: ConversationSettings {
                dialect: self.settings.dialect(),
                history: self.settings.history,
                limits: self.settings.limits,
            },
        };
        let conversation = id.clone();
        let name = format!("{}/{id}", self.settings.id);
        let options = GuardOptions::new(name, move |exit| {
            me.do_send(ChildExited { conversation: conversation.clone(), exit });
        });
        let identity = self.identity.clone().filter(|_| self.session.may_send());
        let address = start_guarded(options, |_| Conversation::new(id.clone(), upstream, identity));
        let queue = Depth::new(self.settings.max_waiting_commands);
        let handle = ConversationHandle::new(self.settings.id.clone(), id, address.clone(), queue);
        self.around.directory.add(handle);
        Child { address, leaving_since: None }
    }

    pub(super) fn tell_children_ready(&self) {
        if let Some(identity) = &self.identity {
            for child in self.children.values() {
                child.address.do_send(LinkReady { identity: Arc::clone(identity) });
            }
        }
    }

    pub(super) fn tell_children_lost(&self) {
        for child in self.children.values() {
            child.address.do_send(LinkLost);
        }
    }

    pub(super) fn tell_children_failed(&self) {
        for child in self.children.values() {
            child.address.do_send(LinkFailed);
        }
    }

    /// Lets go of conversations that left the subscription a while ago; late messages found them until now.
    pub(super) fn sweep_children(&mut self) {
        let linger = self.settings.linger;
        let gone: Vec<ConversationId> = self
            .children
            .iter()
            .filter(|(_, child)| child.leaving_since.is_some_and(|since| since.elapsed() >= linger))
            .map(|(id, _)| id.clone())
            .collect();
        for id in gone {
            self.forget_child(&id);
        }
    }

    fn forget_child(&mut self, id: &ConversationId) {
        if let Some(child) = self.children.remove(id) {
            self.repeated.forget(id);
            child.address.do_send(Leave);
            self.around.directory.remove(&self.settings.id, id);
            self.around.metrics.conversations.dec();
            self.dialogs.retain(|_, conversation| conversation != id);
        }
    }

    pub(super) fn forget_children(&mut self) {
        let all: Vec<ConversationId> = self.children.keys().cloned().collect();
        for id in all {
            self.forget_child(&id);
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

impl Handler<DialogKnown> for Connection {
    type Result = ();

    fn handle(&mut self, DialogKnown { dialog_id, conversation }: DialogKnown, _: &mut Self::Context) {
        self.dialogs.insert(dialog_id, conversation);
    }
}
