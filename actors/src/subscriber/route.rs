//! The route to one subscriber, and the table that finds routes by connection and conversation.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use actix::Recipient;
use tertulia_core::id::{ConnectionId, ConversationId};
use tokio::sync::mpsc;

use super::{Event, EventData, Filter};
use crate::supervision::{Depth, DepthPermit};

/// An event on its way to a subscriber's actor. It occupies a place in the subscriber's queue until it is dropped.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub(crate) struct Delivery {
    /// The event.
    pub event: Arc<Event>,
    /// The number of events dropped just before this event because the queue was full.
    pub missed: u64,
    pub(super) _place: DepthPermit,
}

/// An event for a stream, or the number of events that the stream missed.
pub(super) enum Item {
    Event(Arc<Event>),
    Missed(u64),
}

/// The destination of matching events. Delivery never waits: a full queue drops the event for that subscriber alone,
/// counts it, and reports the count with the next event that fits.
pub(super) enum Target {
    Stream(mpsc::Sender<Item>),
    Actor { recipient: Recipient<Delivery>, queue: Depth },
}

/// The route to one subscriber.
pub(crate) struct Route {
    number: u64,
    filter: Filter,
    target: Target,
    missed: AtomicU64,
}

/// All routes. Each route is listed under the narrowest condition of its filter, so that an event is compared only with
/// routes of its own conversation and connection, and with routes without either.
#[derive(Clone, Default)]
pub(crate) struct Routes {
    everywhere: Vec<Arc<Route>>,
    of_connection: HashMap<ConnectionId, Vec<Arc<Route>>>,
    of_conversation: HashMap<ConversationId, Vec<Arc<Route>>>,
}

impl Routes {
    pub(super) fn add(&mut self, route: &Arc<Route>) {
        let Filter { connections, conversations, .. } = &route.filter;
        if !conversations.is_empty() {
            for id in conversations {
                self.of_conversation.entry(id.clone()).or_default().push(Arc::clone(route));
            }
        } else if !connections.is_empty() {
            for id in connections {
                self.of_connection.entry(id.clone()).or_default().push(Arc::clone(route));
            }
        } else {
            self.everywhere.push(Arc::clone(route));
        }
    }

    pub(super) fn remove(&mut self, number: u64) {
        self.everywhere.retain(|route| route.number != number);
        remove_under(&mut self.of_connection, number);
        remove_under(&mut self.of_conversation, number);
    }

    /// Returns the routes whose filters accept the event.
    fn wanting<'r>(
        &'r self,
        connection: &'r ConnectionId,
        conversation: Option<&'r ConversationId>,
        data: &'r EventData,
    ) -> impl Iterator<Item = &'r Arc<Route>> {
        let of_conversation = conversation.and_then(|id| self.of_conversation.get(id)).into_iter().flatten();
        let of_connection = self.of_connection.get(connection).into_iter().flatten();
        let candidates = self.everywhere.iter().chain(of_connection).chain(of_conversation);
        candidates.filter(move |route| route.filter.wants(connection, conversation, data))
    }

    /// Returns whether a route accepts the event.
    pub(crate) fn is_wanted(
        &self,
        connection: &ConnectionId,
        conversation: Option<&ConversationId>,
        data: &EventData,
    ) -> bool {
        self.wanting(connection, conversation, data).next().is_some()
    }

    /// Returns the routes whose filters accept the event.
    pub(crate) fn of<'r>(&'r self, event: &'r Event) -> impl Iterator<Item = &'r Arc<Route>> {
        self.wanting(&event.origin.connection, event.conversation.as_ref(), &event.data)
    }
}

fn remove_under<K: Eq + Hash>(routes: &mut HashMap<K, Vec<Arc<Route>>>, number: u64) {
    routes.retain(|_, routes| {
        routes.retain(|route| route.number != number);
        !routes.is_empty()
    });
}

impl Route {
    pub(super) fn new(number: u64, filter: Filter, target: Target) -> Self {
        Self { number, filter, target, missed: AtomicU64::new(0) }
    }

    /// Delivers the event; `false` if it had to be dropped.
    pub(super) fn offer(&self, event: &Arc<Event>) -> bool {
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
            // The count of missed events was delivered, so only this event is still unreported.
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
