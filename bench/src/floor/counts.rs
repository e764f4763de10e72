//! What all sockets have received together.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU32, Ordering},
};

use anyhow::Context as _;
use tokio::{sync::Notify, time::timeout};

use crate::load::PATIENCE;

/// Counts of the frames that all sockets received. The sockets write, the run waits.
#[derive(Default)]
pub(super) struct Counts {
    frames: AtomicU32,
    messages: AtomicU32,
    subscribed: AtomicU32,
    accepted: AtomicU32,
    /// The number that the run waits for, of whatever it waits for.
    awaited: AtomicU32,
    reached: Notify,
    failure: Mutex<Option<anyhow::Error>>,
}

impl Counts {
    /// A text frame arrived.
    pub(super) fn frame(&self) {
        self.frames.fetch_add(1, Ordering::Relaxed);
    }

    /// The frame is a record.
    pub(super) fn message(&self) {
        self.count(&self.messages);
    }

    /// A socket has all its subscriptions.
    pub(super) fn subscription(&self) {
        self.count(&self.subscribed);
    }

    /// A conversation was accepted.
    pub(super) fn acceptance(&self) {
        self.count(&self.accepted);
    }

    /// A socket has failed, so the run cannot go on.
    pub(super) fn fail(&self, error: anyhow::Error) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        self.reached.notify_one();
    }

    pub(super) fn frames(&self) -> u32 {
        self.frames.load(Ordering::Relaxed)
    }

    pub(super) fn messages(&self) -> u32 {
        self.messages.load(Ordering::SeqCst)
    }

    /// Waits until so many sockets have all their subscriptions.
    pub(super) async fn subscribed(&self, sockets: u32) -> anyhow::Result<()> {
        self.until(&self.subscribed, sockets).await.context("not every socket has its subscriptions")
    }

    /// Waits until so many conversations were accepted.
    pub(super) async fn accepted(&self, conversations: u32) -> anyhow::Result<()> {
        self.until(&self.accepted, conversations).await.context("not every conversation was accepted")
    }

    /// Waits until so many messages arrived since the start.
    pub(super) async fn heard(&self, messages: u32) -> anyhow::Result<()> {
        self.until(&self.messages, messages).await.context("not every message arrived")
    }

    fn count(&self, number: &AtomicU32) {
        let now = number.fetch_add(1, Ordering::SeqCst) + 1;
        if now == self.awaited.load(Ordering::SeqCst) {
            self.reached.notify_one();
        }
    }

    async fn until(&self, number: &AtomicU32, wanted: u32) -> anyhow::Result<()> {
        // First the number to wait for, then the look: a count between both wakes the wait.
        self.awaited.store(wanted, Ordering::SeqCst);
        let reached = async {
            loop {
                if let Some(error) = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
                    return Err(error);
                }
                if number.load(Ordering::SeqCst) >= wanted {
                    return Ok(());
                }
                self.reached.notified().await;
            }
        };
        timeout(PATIENCE, reached).await.context("a step took too long")?
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[actix_rt::test]
    async fn a_wait_ends_with_the_last_message() {
        let counts = Arc::new(Counts::default());
        counts.message();
        let waiting = actix_rt::spawn({
            let counts = Arc::clone(&counts);
            async move { counts.heard(2).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        counts.message();
        waiting.await.unwrap().unwrap();
        counts.heard(2).await.unwrap();
    }

    #[actix_rt::test]
    async fn a_wait_ends_with_the_failure_of_a_socket() {
        let counts = Counts::default();
        counts.fail(anyhow::anyhow!("the socket ended"));
        let error = counts.subscribed(1).await.unwrap_err();
        assert!(format!("{error:#}").ends_with("the socket ended"), "{error:#}");
    }
}
