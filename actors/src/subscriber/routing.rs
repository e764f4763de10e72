//! The routing table: finds the subscribers of an event.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use actix::Recipient;
use arc_swap::ArcSwap;
use tertulia_core::id::ConversationId;
use tokio::sync::mpsc;

use super::{
    Delivery, Event, EventData, EventId, EventStream, Filter, Origin,
    route::{Route, Routes, Target},
};
use crate::{
    engine::{AfterCommit, Change, Journal, Loggable, Step},
    metrics::Metrics,
    supervision::{Depth, Placement},
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
pub(crate) struct Commit {
    /// The events, each with its number within the conversation.
    pub events: Vec<(u64, EventData)>,
    /// Changes of records.
    pub changes: Vec<Change>,
    /// Called when everything is durable; immediately without a store.
    pub then: Option<AfterCommit>,
}

/// All subscribers of a process, and the access to the log.
pub(crate) struct RoutingTable {
    journal: Arc<Journal>,
    next_route: AtomicU64,
    routes: ArcSwap<Routes>,
    /// Serializes changes of `routes`; readers never lock it.
    changing: Mutex<()>,
    metrics: Arc<Metrics>,
}

/// A subscription in the table; dropping it ends the subscription.
pub struct Subscription {
    table: Arc<RoutingTable>,
    number: u64,
    /// Where its subscriber runs, counted so that the next subscriber runs elsewhere.
    placement: Option<Placement>,
}

impl Subscription {
    /// Holds the placement of its subscriber until it is dropped.
    pub(crate) fn placed(mut self, placement: Placement) -> Self {
        self.placement = Some(placement);
        self
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.table.change(|routes| routes.remove(self.number));
    }
}

impl RoutingTable {
    /// Returns a table without subscribers, whose events go to `journal`.
    #[must_use]
    pub(crate) fn new(journal: Arc<Journal>, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            journal,
            next_route: AtomicU64::new(1),
            routes: ArcSwap::default(),
            changing: Mutex::new(()),
            metrics,
        })
    }

    /// Returns a stream of the matching events that buffers up to `capacity` of them.
    pub(crate) fn stream(self: &Arc<Self>, filter: Filter, capacity: usize) -> EventStream {
        let (sender, receiver) = mpsc::channel(capacity.max(1));
        EventStream::new(receiver, self.add(filter, Target::Stream(sender)))
    }

    /// Sends the matching events to an actor, with at most `capacity` in its queue.
    pub(crate) fn attach(
        self: &Arc<Self>,
        filter: Filter,
        recipient: Recipient<Delivery>,
        capacity: usize,
    ) -> Subscription {
        self.add(filter, Target::Actor { recipient, queue: Depth::new(capacity.max(1)) })
    }

    /// The log.
    #[must_use]
    pub(crate) fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }

    /// Emits one event: assigns its offset in the log and offers it to every matching subscriber.
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
    pub(crate) fn commit(&self, origin: &Arc<Origin>, conversation: &ConversationId, commit: Commit) {
        let Commit { events, changes, then } = commit;
        let events = events.into_iter().map(|(place, data)| (Subject::Conversation(conversation, place), data));
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
        let routes = self.routes.load();
        let mut named = Vec::new();
        self.journal.append(events.len(), |first| {
            let time = jiff::Timestamp::now();
            for (offset, (subject, data)) in (first..).zip(events) {
                let is_wanted = routes.is_wanted(&origin.connection, subject.conversation(), &data);
                if is_wanted || self.journal.keeps() {
                    let event = Arc::new(Event {
                        id: EventId { epoch: Arc::clone(self.journal.epoch()), offset },
                        origin: Arc::clone(origin),
                        conversation: subject.conversation().cloned(),
                        sequence: subject.sequence(),
                        time,
                        data,
                    });
                    named.push((event, is_wanted));
                }
            }
            let kept = named.iter().map(|(event, _)| Arc::clone(event) as Arc<dyn Loggable>);
            Step { events: if self.journal.keeps() { kept.collect() } else { Vec::new() }, changes, then }
        });
        for (event, _) in named.iter().filter(|(_, is_wanted)| *is_wanted) {
            for route in routes.wanting(&origin.connection, event.conversation.as_ref(), &event.data) {
                if !route.offer(event) {
                    self.metrics.events_missed.inc();
                }
            }
        }
    }

    fn add(self: &Arc<Self>, filter: Filter, target: Target) -> Subscription {
        let number = self.next_route.fetch_add(1, Ordering::Relaxed);
        let route = Arc::new(Route::new(number, filter, target));
        self.change(|routes| routes.add(&route));
        Subscription { table: Arc::clone(self), number, placement: None }
    }

    fn change(&self, change: impl FnOnce(&mut Routes)) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut routes = Routes::clone(&self.routes.load());
        change(&mut routes);
        self.routes.store(Arc::new(routes));
    }
}
