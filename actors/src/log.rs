//! The event log: appends events to the journal and offers them to subscribers.

use std::sync::{Arc, OnceLock};

use dashmap::DashMap;
use tertulia_core::{
    id::{ConnectionId, ConversationId},
    placement::Acting,
};

use crate::{
    engine::{AfterCommit, Change, CommitError, Committed, Journal, Loggable, Step},
    metrics::Metrics,
    subscriber::{Event, EventData, Origin, RoutingTable},
};

/// What an event belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Subject<'a> {
    /// The connection itself.
    Connection,
    /// A conversation, but emitted by its connection and not numbered with the conversation's events.
    About(&'a ConversationId),
    /// A conversation, with the next number of its events.
    Conversation(&'a ConversationId, u64),
}

impl<'a> Subject<'a> {
    fn conversation(self) -> Option<&'a ConversationId> {
        match self {
            Self::Connection => None,
            Self::About(id) | Self::Conversation(id, _) => Some(id),
        }
    }

    fn sequence(self) -> Option<u64> {
        match self {
            Self::Connection | Self::About(_) => None,
            Self::Conversation(_, sequence) => Some(sequence),
        }
    }
}

/// The events and record changes of one step, all or nothing.
#[derive(Default)]
pub(crate) struct NumberedStep {
    /// The events, each with its number within the conversation.
    pub events: Vec<(u64, EventData)>,
    /// Changes of records.
    pub changes: Vec<Change>,
    /// Called with the outcome: everything is durable, or nothing of it was kept. Immediately without a store.
    pub then: Option<AfterCommit>,
}

/// The log of a process.
pub(crate) struct Log {
    journal: Arc<Journal>,
    routing: Arc<RoutingTable>,
    metrics: Arc<Metrics>,
    /// The rights to write for connections.
    rights: DashMap<ConnectionId, Acting>,
}

impl Log {
    /// Returns a log that appends events to `journal` and offers them to the subscribers in `routing`.
    #[must_use]
    pub(crate) fn new(journal: Arc<Journal>, routing: Arc<RoutingTable>, metrics: Arc<Metrics>) -> Self {
        Self { journal, routing, metrics, rights: DashMap::new() }
    }

    /// Sets the right to write for `connection`, which every later step of it carries.
    pub(crate) fn assign(&self, connection: &ConnectionId, acting: Acting) {
        self.rights.insert(connection.clone(), acting);
    }

    /// The right to write for `connection`; `None` before its duty was taken.
    pub(crate) fn acting(&self, connection: &ConnectionId) -> Option<Acting> {
        self.rights.get(connection).map(|acting| acting.clone())
    }

    /// Forgets the right to write for a connection that has ended, and returns it.
    pub(crate) fn release(&self, connection: &ConnectionId) -> Option<Acting> {
        self.rights.remove(connection).map(|(_, acting)| acting)
    }

    /// Stores changes of a connection's records. The future completes with the outcome.
    pub(crate) fn keep(
        &self,
        connection: &ConnectionId,
        changes: Vec<Change>,
    ) -> impl Future<Output = Result<Committed, CommitError>> + Send + use<> {
        self.journal.keep_for(self.acting(connection), changes)
    }

    /// Emits one event: appends it to the log and offers it to every matching subscriber.
    pub(crate) fn publish(&self, origin: &Arc<Origin>, subject: Subject<'_>, data: EventData) {
        self.emit(origin, vec![(subject, data)], Vec::new(), None);
    }

    /// Emits one event like [`Self::publish`], and stores changes of records with it.
    pub(crate) fn publish_with(
        &self,
        origin: &Arc<Origin>,
        subject: Subject<'_>,
        data: EventData,
        changes: Vec<Change>,
    ) {
        self.emit(origin, vec![(subject, data)], changes, None);
    }

    /// Emits the events of a conversation's step, and stores them together with its changes.
    pub(crate) fn append(&self, origin: &Arc<Origin>, conversation: &ConversationId, step: NumberedStep) {
        let NumberedStep { events, changes, then } = step;
        let events = events.into_iter().map(|(number, data)| (Subject::Conversation(conversation, number), data));
        self.emit(origin, events.collect(), changes, then);
    }

    /// Offers events live, before they are durable, because live subscribers are in this process.
    fn emit(
        &self,
        origin: &Arc<Origin>,
        events: Vec<(Subject<'_>, EventData)>,
        changes: Vec<Change>,
        then: Option<AfterCommit>,
    ) {
        self.metrics.events.inc_by(events.len() as u64);
        let routes = self.routing.routes();
        let (keeps, time) = (self.journal.keeps(), jiff::Timestamp::now());
        let named = events.into_iter().filter_map(|(subject, data)| {
            let is_wanted = routes.is_wanted(&origin.connection, subject.conversation(), &data);
            (is_wanted || keeps).then(|| {
                let event = Event {
                    id: OnceLock::new(),
                    origin: Arc::clone(origin),
                    conversation: subject.conversation().cloned(),
                    sequence: subject.sequence(),
                    time,
                    data,
                };
                (Arc::new(event), is_wanted)
            })
        });
        let named: Vec<(Arc<Event>, bool)> = named.collect();
        let events = named.iter().map(|(event, _)| Arc::clone(event) as Arc<dyn Loggable>).collect();
        self.journal.append(Step { acting: self.acting(&origin.connection), events, changes, then });
        for (event, _) in named.iter().filter(|(_, is_wanted)| *is_wanted) {
            self.metrics.events_missed.inc_by(routes.offer(event));
        }
    }
}
