//! A stream of events for a reader in this process.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::Stream;
use tokio::sync::mpsc;

use super::{
    Event, Filter, RoutingTable, Subscription,
    route::{Item, Target},
};

impl Item {
    fn read(self) -> Result<Arc<Event>, LaggedError> {
        match self {
            Self::Event(event) => Ok(event),
            Self::Missed(missed) => Err(LaggedError { missed }),
        }
    }
}

/// The reader was too slow: events were dropped at this place of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{missed} events were missed, because the reader's queue was full")]
pub struct LaggedError {
    /// The number of dropped events.
    pub missed: u64,
}

/// A live stream of events. Bounded: a slow reader gets an error with the number of missed events, and delays nobody
/// else.
pub struct EventStream {
    items: mpsc::Receiver<Item>,
    _subscription: Subscription,
}

impl EventStream {
    /// Returns a stream of the matching events that buffers up to `capacity` of them.
    pub(crate) fn new(routing: &Arc<RoutingTable>, filter: Filter, capacity: usize) -> Self {
        let (sender, items) = mpsc::channel(capacity.max(1));
        Self { items, _subscription: routing.add(filter, Target::Stream(sender)) }
    }

    /// Returns the next event; `None` after the system has stopped.
    ///
    /// # Errors
    /// [`LaggedError`] if events had to be dropped; the stream continues after them.
    pub async fn next(&mut self) -> Option<Result<Arc<Event>, LaggedError>> {
        self.items.recv().await.map(Item::read)
    }
}

impl Stream for EventStream {
    type Item = Result<Arc<Event>, LaggedError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.items.poll_recv(context).map(|item| item.map(Item::read))
    }
}
