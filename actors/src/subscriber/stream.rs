//! A stream of events for a reader in this process.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{Event, routing::Subscription};

pub(super) enum Item {
    Event(Arc<Event>),
    Missed(u64),
}

/// The reader was too slow: so many events were dropped at this place of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{missed} events were missed, because the reader's queue was full")]
pub struct Lagged {
    /// How many.
    pub missed: u64,
}

/// Events as they happen. Bounded: a reader that does not keep up is told what it missed and holds nobody up.
pub struct EventStream {
    items: mpsc::Receiver<Item>,
    _subscription: Subscription,
}

impl EventStream {
    pub(super) fn new(items: mpsc::Receiver<Item>, subscription: Subscription) -> Self {
        Self { items, _subscription: subscription }
    }

    /// The next event; `None` once the system has stopped.
    ///
    /// # Errors
    /// [`Lagged`] where events had to be dropped; the stream goes on behind them.
    pub async fn next(&mut self) -> Option<Result<Arc<Event>, Lagged>> {
        self.items.recv().await.map(|item| match item {
            Item::Event(event) => Ok(event),
            Item::Missed(missed) => Err(Lagged { missed }),
        })
    }
}
