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
    Event, EventData, EventId, Filter, Origin,
    stream::{EventStream, Item},
};
use crate::{
    metrics::Metrics,
    supervision::{Depth, DepthPermit},
};

/// An event on its way to a subscriber's actor. It counts against the subscriber's queue until it is dropped.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub struct Delivery {
    /// The event.
    pub event: Arc<Event>,
    /// Events that were dropped just before this one, because the queue was full.
    pub missed: u64,
    pub(super) _place: DepthPermit,
}

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

/// Where matching events go. Nothing here ever waits: a full queue drops the event for that subscriber alone, counts
/// it, and says so with the next one that fits.
enum Target {
    Stream(mpsc::Sender<Item>),
    Actor { recipient: Recipient<Delivery>, queue: Depth },
}

struct Route {
    number: u64,
    filter: Filter,
    target: Target,
    missed: AtomicU64,
}

/// All subscribers of a process, and the numbering of its events.
pub struct RoutingTable {
    epoch: Arc<str>,
    next_offset: AtomicU64,
    next_route: AtomicU64,
    routes: ArcSwap<Vec<Arc<Route>>>,
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
        self.table.change(|routes| routes.retain(|route| route.number != self.number));
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
        let mut wanted = routes
            .iter()
            .filter(|route| route.filter.wants(&origin.connection, subject.conversation(), &data))
            .peekable();
        if wanted.peek().is_none() {
            return;
        }
        let wanted: Vec<&Arc<Route>> = wanted.collect();
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
        let route = Arc::new(Route { number, filter, target, missed: AtomicU64::new(0) });
        self.change(|routes| routes.push(route));
        Subscription { table: Arc::clone(self), number }
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Arc<Route>>)) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut routes = Vec::clone(&self.routes.load());
        change(&mut routes);
        self.routes.store(Arc::new(routes));
    }
}

impl Route {
    fn offer(&self, event: &Arc<Event>) -> bool {
        let missed = self.missed.swap(0, Ordering::Relaxed);
        let taken = match &self.target {
            Target::Stream(sender) => (missed == 0 || sender.try_send(Item::Missed(missed)).is_ok())
                .then(|| sender.try_send(Item::Event(Arc::clone(event))).is_ok()),
            Target::Actor { recipient, queue } => queue.try_enter().map(|place| {
                recipient.do_send(Delivery { event: Arc::clone(event), missed, _place: place });
                true
            }),
        };
        match taken {
            Some(true) => true,
            // The notice of what was missed went out, so only this event is still to be told of.
            Some(false) => {
                self.missed.fetch_add(1, Ordering::Relaxed);
                false
            }
            None => {
                self.missed.fetch_add(missed + 1, Ordering::Relaxed);
                false
            }
        }
    }
}
