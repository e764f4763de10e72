//! The conversations of one connection: those in memory, and those that are only in the store.

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
    ums::RecordsAddress,
};

use super::{child::Child, sleep_queue::SleepQueue};
use crate::{
    connection::ProcessContext,
    conversation::{
        ChildReport, Conversation, ConversationHandle, ConversationInbox, ConversationSettings, Drill, Leave,
        LinkFailed, LinkLost, LinkReady, ToConversation, Upstream,
    },
    platform::PlatformClient,
    request::Ask,
    subscriber::Origin,
    supervision::{Depth, Systemic},
};

/// The conversations of one connection. `N` is the type of the connection's notes about each conversation in memory.
pub(crate) struct Roster<N> {
    pub(super) upstream: Rc<Upstream>,
    /// Receives callers' requests for the conversations.
    inbox: Arc<ConversationInbox>,
    /// The most waiting commands of one conversation.
    max_waiting_commands: usize,
    pub(super) awake: HashMap<ConversationId, Child<N>>,
    /// Conversations that are only in the store, each with the consumer for whom a connector speaks.
    pub(super) asleep: HashMap<ConversationId, Option<ExternalConsumerId>>,
    dialogs: DialogTable,
    pub(super) sleep_queue: SleepQueue,
    /// Conversations that were loaded and are up to date, and may be unloaded again.
    pub(super) loaded_briefly: Vec<ConversationId>,
    pub(super) systemic: Systemic<ConversationId>,
    pub(super) is_restored: bool,
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

/// The id of a conversation in a notification is longer than an id may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its conversation's id is too long")]
pub(crate) struct IdTooLong;

impl<N> Roster<N> {
    /// Returns the roster of the connection whose actor has the address `connection`.
    pub(crate) fn of<A>(connection: &Addr<A>, context: ChildContext<'_>) -> Self
    where
        A: Actor<Context = Context<A>> + Handler<ChildReport> + Handler<Ask> + Handler<ToConversation>,
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
            journal: Arc::clone(&process.journal),
            log: Arc::clone(&process.log),
            _writing: process.log.begin_writing(&origin.connection),
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
    pub(super) fn new(
        upstream: Upstream,
        to_conversations: Recipient<ToConversation>,
        max_waiting_commands: usize,
    ) -> Self {
        let inbox = Arc::new(ConversationInbox { connection: upstream.origin.connection.clone(), to_conversations });
        Self {
            upstream: Rc::new(upstream),
            inbox,
            max_waiting_commands,
            awake: HashMap::new(),
            asleep: HashMap::new(),
            dialogs: DialogTable::default(),
            sleep_queue: SleepQueue::default(),
            loaded_briefly: Vec::new(),
            systemic: Systemic::default(),
            is_restored: false,
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

    /// Whether the conversations of the previous run are restored.
    pub(crate) fn is_restored(&self) -> bool {
        self.is_restored
    }

    /// The ids of all conversations, in memory or only in the store.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &ConversationId> {
        self.awake.keys().chain(self.asleep.keys())
    }

    /// Whether the connection has the conversation, in memory or only in the store.
    pub(crate) fn knows(&self, id: &ConversationId) -> bool {
        self.awake.contains_key(id) || self.asleep.contains_key(id)
    }

    /// Whether the connection has the conversation, and its actor reads frames.
    pub(crate) fn has_reader(&self, id: &ConversationId) -> bool {
        match self.awake.get(id) {
            Some(child) => !child.is_quarantined(),
            None => self.asleep.contains_key(id),
        }
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

    /// Returns the conversation of records. `None` if their address names none: an empty batch without names only marks
    /// the beginning of a subscription.
    pub(crate) fn conversation_of_records(
        &self,
        address: &RecordsAddress<'_>,
    ) -> Result<Option<ConversationId>, IdTooLong> {
        let id = match (&address.conversation_id, &address.dialog_id) {
            (Some(id), _) => ConversationId::from_wire(id),
            (None, Some(dialog)) => match self.conversation_of(dialog.as_str()) {
                Some(id) => Some(id.clone()),
                None => ConversationId::from_wire(dialog),
            },
            (None, None) => return Ok(None),
        };
        id.map(Some).ok_or(IdTooLong)
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
    pub(super) fn stop(&mut self, id: &ConversationId, leave: Leave) -> bool {
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
    pub(super) fn make_known(&self, id: ConversationId) -> ConversationHandle {
        let queue = Depth::new(self.max_waiting_commands);
        let handle = ConversationHandle::new(Arc::clone(&self.inbox), id, queue);
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
                let activity = if is_new { sleep_queue.add(id, now) } else { sleep_queue.add_woken(id, now) };
                vacant.insert(Child::start(id.clone(), begin(Rc::clone(upstream), is_new), activity))
            }
        };
        if let Some(consumer) = slept.flatten() {
            child.speak_for(consumer);
        }
        child
    }
}

#[cfg(test)]
mod tests {
    use actix::Message;

    use super::{super::restore::Remembered, *};
    use crate::conversation::{Outline, tests::upstream};

    /// A connection that accepts every message and does nothing.
    struct Idle;

    impl Actor for Idle {
        type Context = Context<Self>;
    }

    impl<M: Message<Result = ()>> Handler<M> for Idle {
        type Result = ();

        fn handle(&mut self, _: M, _: &mut Self::Context) {}
    }

    fn roster() -> Roster<()> {
        let idle = Idle.start();
        let upstream = upstream(idle.clone().recipient::<ChildReport>(), idle.clone().recipient::<Ask>());
        Roster::new(upstream, idle.recipient(), 10)
    }

    fn remembered(id: &str, consumer: Option<&str>) -> Remembered {
        let dialogs = vec![format!("survey of {id}").as_str().into()];
        let consumer = consumer.map(ExternalConsumerId::from);
        Remembered {
            id: id.into(),
            dialogs,
            consumer,
            outline: Outline::default(),
            is_pending: false,
            unreadable: None,
        }
    }

    #[actix_rt::test]
    async fn a_restored_conversation_sleeps_until_it_is_needed_and_speaks_for_its_consumer_then() {
        let (mut roster, id) = (roster(), ConversationId::from("c1"));
        roster.restore(vec![remembered("c1", Some("anna"))]);
        assert!(roster.is_asleep(&id) && !roster.is_awake(&id));
        assert_eq!(roster.conversation_of("survey of c1"), Some(&id));
        let child = roster.child(&id, None, || Arrival::New);
        assert_eq!(child.consumer(), Some(&"anna".into()));
        assert!(roster.is_awake(&id) && !roster.is_asleep(&id));
    }

    #[actix_rt::test]
    async fn a_conversation_that_came_before_the_restore_stays_awake_and_is_told_what_is_known() {
        let (mut roster, id) = (roster(), ConversationId::from("c1"));
        roster.child(&id, None, || Arrival::New);
        roster.restore(vec![remembered("c1", Some("anna"))]);
        assert!(roster.is_awake(&id) && !roster.is_asleep(&id));
        assert_eq!(roster.len(), 1);
        assert_eq!(roster.conversation_of("survey of c1"), Some(&id));
        assert_eq!(roster.get(&id).and_then(Child::consumer), Some(&"anna".into()));
    }

    #[actix_rt::test]
    async fn a_conversation_is_forgotten_with_its_dialogs_and_tells_no_further_ones() {
        let (mut roster, id) = (roster(), ConversationId::from("c1"));
        roster.restore(vec![remembered("c1", None), remembered("c2", None)]);
        assert!(roster.forget(&id, Leave::ForGood));
        roster.note_dialog("another of c1".into(), id.clone());
        assert_eq!(roster.conversation_of("survey of c1"), None);
        assert_eq!(roster.conversation_of("another of c1"), None);
        assert!(roster.conversation_of("survey of c2").is_some());
        assert!(!roster.forget(&id, Leave::ForGood));
        assert_eq!(roster.ids().map(ConversationId::as_str).collect::<Vec<_>>(), ["c2"]);
    }
}
