//! A platform, a system connected to it, and the received events: the setup of every test of the actors.

use std::{collections::VecDeque, num::NonZeroUsize, ops::Deref, sync::Arc, thread, time::Duration};

use tertulia_actors::{
    Tertulia,
    connection::ConnectionSettings,
    conversation::ConversationHandle,
    core::{
        conversation::Message,
        id::{ConnectionId, ConversationId},
        session::SessionPolicy,
    },
    engine::{Change, Commit, MemoryStore, Store},
    platform::{AgentLogin, ConsumerLogin, PlatformSettings},
    subscriber::{Event, EventStream, Filter},
};
use tertulia_emulator::{Emulator, EmulatorConfig};
use tokio::time::timeout;

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Stage {
    pub(crate) emulator: Emulator,
    pub(crate) tertulia: OwnedTertulia,
    pub(crate) events: EventStream,
    /// Messages that arrived while the test waited for something else, the oldest first.
    overheard: VecDeque<Arc<Event>>,
}

impl Stage {
    /// A platform, and a system without connections that receives every event.
    pub(crate) fn set(config: EmulatorConfig) -> Self {
        let emulator = Emulator::start(config).unwrap();
        let tertulia = Tertulia::builder().platform(platform(&emulator)).arbiters(NonZeroUsize::MIN).start().unwrap();
        Self::of(emulator, tertulia)
    }

    /// A platform and a system on it.
    pub(crate) fn of(emulator: Emulator, tertulia: Tertulia) -> Self {
        let events = tertulia.events(Filter::everything());
        Self { emulator, tertulia: OwnedTertulia(Some(tertulia)), events, overheard: VecDeque::new() }
    }

    /// Connects, and waits until the connection is ready.
    pub(crate) async fn connect(&mut self, settings: ConnectionSettings) -> ConnectionId {
        let id = settings.id.clone();
        self.tertulia.connect(settings).unwrap();
        self.until(|event| event.data.name() == "connection.resumed" && event.origin.connection == id).await;
        self.tertulia.connection(&id).ready(PATIENCE).await.unwrap();
        id
    }

    /// A ready bot that accepts every ring.
    pub(crate) async fn bot(&mut self) -> ConnectionId {
        self.connect(bot(1)).await
    }

    /// A consumer with a conversation of its own.
    pub(crate) async fn consumer(&mut self, name: &str) -> ConversationHandle {
        let id = self.connect(consumer(name)).await;
        self.tertulia.connection(&id).create_conversation(Default::default()).await.unwrap()
    }

    /// A conversation of a simulated consumer that the bot has accepted.
    pub(crate) async fn conversation(&mut self, bot: &ConnectionId) -> ConversationHandle {
        let id = ConversationId::from(self.emulator.create_conversation(None, None));
        self.until(|event| event.data.name() == "conversation" && event.conversation.as_ref() == Some(&id)).await;
        self.tertulia.connection(bot).conversation(&id).unwrap()
    }

    /// Returns the next matching event; messages before it are kept for [`Self::texts`].
    pub(crate) async fn until(&mut self, mut fits: impl FnMut(&Event) -> bool) -> Arc<Event> {
        let Self { events, overheard, .. } = self;
        let next = async {
            loop {
                let event = events.next().await.unwrap().unwrap();
                if fits(&event) {
                    return event;
                }
                if message(&event).is_some() {
                    overheard.push_back(event);
                }
            }
        };
        timeout(PATIENCE, next).await.expect("the event did not come in time")
    }

    /// The next event of this name.
    pub(crate) async fn event(&mut self, name: &str) -> Arc<Event> {
        self.until(|event| event.data.name() == name).await
    }

    /// Returns the texts of the next `count` messages received on a connection. Each is returned once, in order,
    /// whatever else was waited for meanwhile. The messages of two connections have no common order.
    pub(crate) async fn texts(&mut self, connection: &ConnectionId, count: usize) -> Vec<String> {
        let mut texts = Vec::new();
        while texts.len() < count {
            let kept = self.overheard.iter().position(|event| event.origin.connection == *connection);
            let event = match kept.and_then(|place| self.overheard.remove(place)) {
                Some(event) => event,
                None => self.until(|event| event.origin.connection == *connection && message(event).is_some()).await,
            };
            texts.extend(message(&event).and_then(Message::text));
        }
        texts
    }

    /// Every text in the ledger.
    pub(crate) fn said(&self) -> Vec<String> {
        self.emulator.ledger().iter().filter_map(|entry| entry.text).collect()
    }
}

/// A system that does not outlive its test: its connections would take the processor's time from the tests after it.
pub(crate) struct OwnedTertulia(Option<Tertulia>);

impl OwnedTertulia {
    pub(crate) async fn stop(mut self, within: Duration) {
        if let Some(tertulia) = self.0.take() {
            tertulia.stop(within).await;
        }
    }
}

impl Deref for OwnedTertulia {
    type Target = Tertulia;

    fn deref(&self) -> &Tertulia {
        self.0.as_ref().expect("a system until it is stopped")
    }
}

impl Drop for OwnedTertulia {
    fn drop(&mut self) {
        if let Some(tertulia) = self.0.take() {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            thread::spawn(move || runtime.block_on(tertulia.stop(Duration::ZERO)));
        }
    }
}

pub(crate) fn platform(emulator: &Emulator) -> PlatformSettings {
    PlatformSettings {
        discovery: format!("https://{}", emulator.listen()),
        authorities: vec![emulator.ca_pem().to_owned()],
        ..PlatformSettings::default()
    }
}

/// Repeats sooner than the default, and gives a slow machine time.
pub(crate) fn hasty() -> SessionPolicy {
    SessionPolicy {
        first_retry_within: Duration::from_millis(50),
        backoff_base: Duration::from_millis(50),
        backoff_max: Duration::from_millis(200),
        login_backoff_base: Duration::from_millis(50),
        login_backoff_max: Duration::from_millis(200),
        connect_timeout: PATIENCE,
        login_timeout: PATIENCE,
        verify_timeout: PATIENCE,
        ..SessionPolicy::default()
    }
}

pub(crate) fn bot(number: usize) -> ConnectionSettings {
    let login = AgentLogin::Password { username: format!("bot{number}"), password: "secret".into() };
    ConnectionSettings { policy: hasty(), ..ConnectionSettings::bot(format!("bot-{number}"), "12345678", login) }
}

pub(crate) fn consumer(name: &str) -> ConnectionSettings {
    let consumer = ConnectionSettings::consumer(name, "12345678", ConsumerLogin::SignUp);
    ConnectionSettings { policy: SessionPolicy { refresh_every: None, ..hasty() }, ..consumer }
}

pub(crate) fn message(event: &Event) -> Option<&Message> {
    event.message()
}

/// Changes a store that no journal writes to.
pub(crate) fn change(store: &MemoryStore, change: Change) {
    let commit = Commit { number: store.last_commit() + 1, changes: vec![change], ..Commit::default() };
    store.commit(&commit).unwrap();
}
