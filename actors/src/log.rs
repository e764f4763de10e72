//! The event log: appends events to the journal and offers them to subscribers.

use std::sync::{Arc, OnceLock};

use dashmap::{DashMap, Entry};
use tertulia_core::{
    id::{ConnectionId, ConversationId},
    placement::Acting,
};
use tokio::sync::watch;

use crate::{
    engine::{AfterCommit, Change, CommitError, Committed, Journal, Loggable, Step},
    metrics::Metrics,
    subscriber::{Event, EventData, Offering, Origin, RoutingTable},
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
    /// The runs of connections whose actors exist.
    writers: DashMap<ConnectionId, watch::Sender<Writers>>,
}

/// The runs of one connection.
#[derive(Clone, Copy, Default)]
struct Writers {
    /// How many runs began.
    begun: u64,
    /// How many runs have actors that may still write.
    live: u64,
}

/// Shows that actors of one run of a connection exist, which may write for it. All of them share it.
pub(crate) struct Writing {
    log: Arc<Log>,
    connection: ConnectionId,
}

impl Drop for Writing {
    fn drop(&mut self) {
        if let Entry::Occupied(writers) = self.log.writers.entry(self.connection.clone()) {
            writers.get().send_modify(|writers| writers.live -= 1);
            if writers.get().borrow().live == 0 {
                writers.remove();
            }
        }
    }
}

impl Log {
    /// Returns a log that appends events to `journal` and offers them to the subscribers in `routing`.
    #[must_use]
    pub(crate) fn new(journal: Arc<Journal>, routing: Arc<RoutingTable>, metrics: Arc<Metrics>) -> Self {
        Self { journal, routing, metrics, rights: DashMap::new(), writers: DashMap::new() }
    }

    /// Begins a run of `connection`, until the result is dropped.
    pub(crate) fn begin_writing(self: &Arc<Self>, connection: &ConnectionId) -> Writing {
        let writers = self.writers.entry(connection.clone()).or_default();
        writers.send_modify(|writers| *writers = Writers { begun: writers.begun + 1, live: writers.live + 1 });
        Writing { log: Arc::clone(self), connection: connection.clone() }
    }

    /// Waits until no actor can write for `connection` any more, or until another run of it begins.
    pub(crate) async fn unwritten(&self, connection: &ConnectionId) {
        let seen = self.writers.get(connection).map(|writers| writers.subscribe());
        let Some(mut seen) = seen else { return };
        let begun = seen.borrow().begun;
        // An error means that the last actor is gone.
        let _ = seen.wait_for(|writers| writers.live == 0 || writers.begun > begun).await;
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
            for route in routes.of(event) {
                let offering = Offering::new(route, event, &self.metrics.events_missed);
                // What a connection says about itself must not pass, or be passed by, events of its conversations.
                if event.sequence.is_some() { offering.make_soon() } else { offering.make_now() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn log() -> Arc<Log> {
        let journal = Journal::forgetful();
        Arc::new(Log::new(journal, Arc::new(RoutingTable::default()), Arc::default()))
    }

    #[test]
    fn a_connection_is_unwritten_when_the_last_actor_of_its_run_is_gone() {
        let (log, bot) = (log(), ConnectionId::from("bot"));
        let mut actors = vec![Arc::new(log.begin_writing(&bot))];
        actors.push(Arc::clone(&actors[0]));
        let _another = log.begin_writing(&"another".into());
        let mut unwritten = Box::pin(log.unwritten(&bot));
        assert!(unwritten.as_mut().now_or_never().is_none());
        actors.pop();
        assert!(unwritten.as_mut().now_or_never().is_none());
        actors.pop();
        assert!(unwritten.now_or_never().is_some());
        assert!(log.unwritten(&bot).now_or_never().is_some() && log.writers.len() == 1);
    }

    #[test]
    fn another_run_ends_the_wait_for_the_last_one() {
        let (log, bot) = (log(), ConnectionId::from("bot"));
        let first = log.begin_writing(&bot);
        let mut unwritten = Box::pin(log.unwritten(&bot));
        assert!(unwritten.as_mut().now_or_never().is_none());
        let second = log.begin_writing(&bot);
        assert!(unwritten.now_or_never().is_some());
        drop(first);
        assert!(log.unwritten(&bot).now_or_never().is_none(), "the second run has actors");
        drop(second);
        assert!(log.unwritten(&bot).now_or_never().is_some());
    }
}
