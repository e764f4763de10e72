//! The routing table: from one event to the subscribers that want it.

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
use crate::{metrics::Metrics, supervision::Depth};

/// What an event is about.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// The connection itself.
    Connection,
    /// A conversation, told by its connection and so outside the conversation's own numbering.
    About(&'a ConversationId),
    /// A conversation, as the next of its own events.
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

/// All subscribers of a process, and the numbering of its events.
pub struct RoutingTable {
    epoch: Arc<str>,
    next_offset: AtomicU64,
    next_route: AtomicU64,
    routes: ArcSwap<Routes>,
    /// Serialises changes of `routes`; readers never take it.
    changing: Mutex<()>,
    metrics: Arc<Metrics>,
}

/// A subscription in the table; dropping it ends the subscription.
pub struct Subscription {
    table: Arc<RoutingTable>,
    number: u64,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.table.change(|routes| routes.remove(self.number));
    }
}

impl RoutingTable {
    /// A table without subscribers, numbering events from `<epoch>-1`.
    #[must_use]
    pub fn new(epoch: &str, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            epoch: epoch.into(),
            next_offset: AtomicU64::new(1),
            next_route: AtomicU64::new(1),
            routes: ArcSwap::default(),
            changing: Mutex::new(()),
            metrics,
        })
    }

    /// A stream of the events that match, with room for `capacity` of them.
    pub fn stream(self: &Arc<Self>, filter: Filter, capacity: usize) -> EventStream {
        let (sender, receiver) = mpsc::channel(capacity.max(1));
        EventStream::new(receiver, self.add(filter, Target::Stream(sender)))
    }

    /// Sends the events that match to an actor, at most `capacity` at a time.
    pub fn attach(self: &Arc<Self>, filter: Filter, recipient: Recipient<Delivery>, capacity: usize) -> Subscription {
        self.add(filter, Target::Actor { recipient, queue: Depth::new(capacity.max(1)) })
    }

    /// Emits one event: gives it its place in the history and offers it to every subscriber that wants it.
    pub fn publish(&self, origin: &Arc<Origin>, subject: Subject<'_>, data: EventData) {
        let offset = self.next_offset.fetch_add(1, Ordering::Relaxed);
        self.metrics.events.inc();
        let routes = self.routes.load();
        let wanted = routes.wanting(&origin.connection, subject.conversation(), &data);
        if wanted.is_empty() {
            return;
        }
        let event = Arc::new(Event {
            id: EventId { epoch: Arc::clone(&self.epoch), offset },
            origin: Arc::clone(origin),
            conversation: subject.conversation().cloned(),
            sequence: subject.sequence(),
            time: jiff::Timestamp::now(),
            data,
        });
        for route in wanted {
            if !route.offer(&event) {
                self.metrics.events_missed.inc();
            }
        }
    }

    fn add(self: &Arc<Self>, filter: Filter, target: Target) -> Subscription {
        let number = self.next_route.fetch_add(1, Ordering::Relaxed);
        let route = Arc::new(Route::new(number, filter, target));
        self.change(|routes| routes.add(&route));
        Subscription { table: Arc::clone(self), number }
    }

    fn change(&self, change: impl FnOnce(&mut Routes)) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut routes = Routes::clone(&self.routes.load());
        change(&mut routes);
        self.routes.store(Arc::new(routes));
    }
}
