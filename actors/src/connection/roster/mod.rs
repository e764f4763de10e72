//! The conversations of one connection, with or without a socket. The roster starts them, passes messages to them,
//! watches and quarantines them, unloads idle ones, restores them from the store, and removes them.
//!
//! The actor that receives the frames owns the [`Roster`] and acts on what the roster returns.

mod child;
mod notices;
mod quarantine;
mod replay;
mod restore;
mod sleep;
mod sleep_queue;
#[cfg(test)]
mod tests;

use std::{
    cell::Cell,
    collections::{HashMap, hash_map::Entry},
    rc::Rc,
    sync::Arc,
    time::Instant,
};

use actix::{Actor, Addr, Context, Handler, Recipient};
use tertulia_core::{
    command::Identity,
    conversation::{Arrival, DialogTable},
    id::{ConversationId, DialogId, ExternalConsumerId},
};

use super::ProcessContext;
use crate::{
    conversation::{
        ChildTold, Conversation, ConversationHandle, ConversationInbox, ConversationSettings, Drill, Leave, LinkFailed,
        LinkLost, LinkReady, ToConversation, Upstream,
    },
    platform::PlatformClient,
    request::Ask,
    subscriber::Origin,
    supervision::{Depth, Systemic},
};

pub(crate) use child::Child;
pub(crate) use notices::{ChildFailed, RosterNews};
pub use quarantine::QuarantinedConversation;
pub(crate) use quarantine::{ListQuarantined, Release};
pub(crate) use restore::remembered;
use sleep_queue::SleepQueue;

/// The conversations of one connection. `N` is the type of the connection's notes about each conversation in memory.
pub(crate) struct Roster<N> {
    upstream: Rc<Upstream>,
    door: Arc<ConversationInbox>,
    /// The most waiting commands of one conversation.
    max_waiting_commands: usize,
    awake: HashMap<ConversationId, Child<N>>,
    /// Conversations that are only in the store, each with the consumer for whom a connector speaks.
    asleep: HashMap<ConversationId, Option<ExternalConsumerId>>,
    dialogs: DialogTable,
    sleep_queue: SleepQueue,
    systemic: Systemic<ConversationId>,
}

/// What is needed to start the conversations of a connection.
pub(crate) struct ChildContext<'a> {
    pub(crate) process: &'a ProcessContext,
    pub(crate) origin: &'a Arc<Origin>,
    pub(crate) client: &'a PlatformClient,
    pub(crate) drill: Option<Drill>,
    pub(crate) settings: ConversationSettings,
    /// The most waiting commands of one conversation.
    pub(crate) max_waiting_commands: usize,
}

impl<N> Roster<N> {
    /// Returns the roster of the connection whose actor has the address `connection`.
    pub(crate) fn of<A>(connection: &Addr<A>, context: ChildContext<'_>) -> Self
    where
        A: Actor<Context = Context<A>> + Handler<ChildTold> + Handler<Ask> + Handler<ToConversation>,
    {
        let ChildContext { process, origin, client, drill, settings, max_waiting_commands } = context;
        let upstream = Upstream {
            parent: connection.clone().recipient(),
            policy: Arc::clone(&process.supervision.conversation),
            directory: Arc::clone(&process.directory),
            dead_letters: Arc::clone(&process.dead_letters),
            drill,
            requests: connection.clone().recipient(),
            client: client.clone(),
            routing: Arc::clone(&process.routing),
            origin: Arc::clone(origin),
            metrics: Arc::clone(&process.metrics),
            counted: process.metrics.by_connection.of(&origin.connection),
            settings,
            filled: Cell::default(),
        };
        Self::new(upstream, connection.clone().recipient(), max_waiting_commands)
    }

    /// Returns a roster without conversations. `to_conversations` receives callers' requests for the connection's
    /// conversations.
    fn new(upstream: Upstream, to_conversations: Recipient<ToConversation>, max_waiting_commands: usize) -> Self {
        let inbox = Arc::new(ConversationInbox { connection: upstream.origin.connection.clone(), to_conversations });
        Self {
            upstream: Rc::new(upstream),
            door: inbox,
            max_waiting_commands,
            awake: HashMap::new(),
            asleep: HashMap::new(),
            dialogs: DialogTable::default(),
            sleep_queue: SleepQueue::default(),
            systemic: Systemic::default(),
        }
    }

    /// The number of conversations, in memory or only in the store.
    pub(crate) fn len(&self) -> usize {
        self.awake.len() + self.asleep.len()
    }

    /// How many conversations are in memory.
    pub(crate) fn awake(&self) -> usize {
        self.awake.len()
    }

    /// The ids of all conversations, in memory or only in the store.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &ConversationId> {
        self.awake.keys().chain(self.asleep.keys())
    }

    /// Whether the connection has the conversation, in memory or only in the store.
    pub(crate) fn knows(&self, id: &ConversationId) -> bool {
        self.awake.contains_key(id) || self.asleep.contains_key(id)
    }

    pub(crate) fn is_awake(&self, id: &ConversationId) -> bool {
        self.awake.contains_key(id)
    }

    pub(crate) fn is_asleep(&self, id: &ConversationId) -> bool {
        self.asleep.contains_key(id)
    }

    /// Returns a conversation in memory.
    pub(crate) fn get(&self, id: &ConversationId) -> Option<&Child<N>> {
        self.awake.get(id)
    }

    /// Returns a conversation in memory.
    pub(crate) fn get_mut(&mut self, id: &ConversationId) -> Option<&mut Child<N>> {
        self.awake.get_mut(id)
    }

    /// The conversations in memory.
    pub(crate) fn children(&self) -> impl Iterator<Item = (&ConversationId, &Child<N>)> {
        self.awake.iter()
    }

    /// Returns the conversation of a dialog other than MAIN, if known ([MS-9](crate::rules#ms-9)).
    pub(crate) fn conversation_of(&self, dialog: &str) -> Option<&ConversationId> {
        self.dialogs.conversation(dialog)
    }

    /// Records that a dialog other than MAIN belongs to a conversation. If the conversation was removed meanwhile,
    /// nothing is recorded.
    pub(crate) fn note_dialog(&mut self, dialog: DialogId, conversation: ConversationId) {
        if self.knows(&conversation) {
            self.dialogs.note(dialog, conversation);
        }
    }

    /// The number of missed messages that the conversations fetched.
    pub(crate) fn filled(&self) -> u64 {
        self.upstream.filled.get()
    }

    pub(crate) fn tell_ready(&self, identity: &Arc<Identity>) {
        self.awake.values().for_each(|child| child.tell(LinkReady { identity: Arc::clone(identity) }));
    }

    pub(crate) fn tell_lost(&self) {
        self.awake.values().for_each(|child| child.tell(LinkLost));
    }

    pub(crate) fn tell_failed(&self) {
        self.awake.values().for_each(|child| child.tell(LinkFailed));
    }

    /// Removes a conversation, in memory or only in the store. Returns whether the connection had it.
    pub(crate) fn forget(&mut self, id: &ConversationId, leave: Leave) -> bool {
        let was_asleep = self.wake(id).is_some();
        let was_here = self.stop(id, leave) || was_asleep;
        if was_here {
            self.upstream.directory.remove(&self.upstream.origin.connection, id);
            self.dialogs.forget(id);
        }
        was_here
    }

    /// Removes every conversation, because the connection ends.
    pub(crate) fn forget_all(&mut self) {
        let all: Vec<ConversationId> = self.ids().cloned().collect();
        for id in all {
            self.forget(&id, Leave::ForNow);
        }
    }

    /// Stops the actor of a conversation. Returns whether there was one.
    fn stop(&mut self, id: &ConversationId, leave: Leave) -> bool {
        let Some(child) = self.awake.remove(id) else { return false };
        self.sleep_queue.remove(id, child.activity());
        if child.is_quarantined() {
            self.upstream.metrics.conversations_in_quarantine.dec();
        }
        child.tell(leave);
        self.upstream.metrics.conversations.dec();
        true
    }

    /// Adds the conversation to the directory, so that callers find it.
    fn make_known(&self, id: ConversationId) -> ConversationHandle {
        let queue = Depth::new(self.max_waiting_commands);
        let handle = ConversationHandle::new(Arc::clone(&self.door), id, queue);
        self.upstream.directory.add(handle.clone());
        handle
    }
}

impl<N: Default> Roster<N> {
    /// Returns the conversation, started or loaded if it is not in memory. `ready` is the identity with which the
    /// conversation may send now; `arrival` says how a new conversation comes to the connection.
    pub(crate) fn child(
        &mut self,
        id: &ConversationId,
        ready: Option<&Arc<Identity>>,
        arrival: impl FnOnce() -> Arrival,
    ) -> &mut Child<N> {
        self.child_as(id, |upstream, is_new| {
            let conversation = Conversation::new(id.clone(), upstream, ready.cloned());
            if is_new { conversation.arriving(arrival()) } else { conversation }
        })
    }

    /// Returns the conversation, started with `begin` if it is not in memory. The second argument of `begin` says
    /// whether the conversation is new to the connection. This counts as a use, so the conversation stays in memory for
    /// a while.
    pub(crate) fn child_as(
        &mut self,
        id: &ConversationId,
        begin: impl FnOnce(Rc<Upstream>, bool) -> Conversation,
    ) -> &mut Child<N> {
        let is_awake = self.awake.contains_key(id);
        let slept = if is_awake { None } else { self.wake(id) };
        let is_new = !is_awake && slept.is_none();
        if is_new {
            self.make_known(id.clone());
        }
        let now = Instant::now();
        let Self { upstream, awake, sleep_queue, .. } = self;
        let child = match awake.entry(id.clone()) {
            Entry::Occupied(child) => {
                let child = child.into_mut();
                sleep_queue.used(id, child.activity_mut(), now);
                child
            }
            Entry::Vacant(vacant) => {
                upstream.metrics.conversations.inc();
                let activity = sleep_queue.add(id, now);
                vacant.insert(Child::start(id.clone(), begin(Rc::clone(upstream), is_new), activity))
            }
        };
        if let Some(consumer) = slept.flatten() {
            child.speak_for(consumer);
        }
        child
    }
}
