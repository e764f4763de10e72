//! Work that this node does while it has a duty.

use std::{future::pending, time::Duration};

use futures_util::future::BoxFuture;
use tertulia_actors::{core::placement::Acting, engine::Journal};
use tokio::time::timeout;

/// How long giving a duty back may take.
const GIVEN_BACK_WITHIN: Duration = Duration::from_secs(10);

/// Work that this node does while it has a duty that is no connection's.
pub(crate) trait Work: Send + Sync + 'static {
    /// Begins the work: takes the duty as soon as the cluster allows it, then does it. Does nothing if the work is begun.
    fn begin(&self);

    /// Whether the work is begun and not ended, even if another node still has the duty.
    fn is_begun(&self) -> bool;

    /// Ends the work. What is under way finishes, or is dropped `within`. The duty is given back once everything that was
    /// written is durable. When this returns, nothing acts any more.
    fn end(&self, within: Duration) -> BoxFuture<'_, ()>;
}

/// Waits until another node has the duty; for ever without a right to one.
pub(crate) async fn until_lost(journal: &Journal, acting: Option<&Acting>) {
    match acting {
        Some(acting) => journal.until_lost(acting).await,
        None => pending().await,
    }
}

/// Gives a duty back, once everything that was written is durable. If that takes too long, this node keeps the duty.
pub(crate) async fn give_back(journal: &Journal, acting: Option<&Acting>) {
    let Some(acting) = acting else { return };
    let giving = async {
        journal.settled().await;
        journal.cluster().hand_back(acting).await;
    };
    if timeout(GIVEN_BACK_WITHIN, giving).await.is_err() {
        tracing::warn!(duty = %acting.duty, "a duty could not be given back in time");
    }
}
