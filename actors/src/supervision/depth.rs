//! A hard bound on an actor's queue. The mailbox limit of actix is advisory: each clone of an address may exceed it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Counts the messages on their way to one actor and refuses messages beyond a limit. Clones share the count.
#[derive(Debug, Clone)]
pub(crate) struct Depth(Arc<Count>);

#[derive(Debug)]
struct Count {
    current: AtomicUsize,
    limit: usize,
    is_closed: AtomicBool,
}

impl Depth {
    /// Returns a bound of `limit` messages; a limit of zero refuses every message.
    #[must_use]
    pub(crate) fn new(limit: usize) -> Self {
        Self(Arc::new(Count { current: AtomicUsize::new(0), limit, is_closed: AtomicBool::new(false) }))
    }

    /// Reserves a place; `None` at the limit or while closed. The permit travels inside the message, so that the place
    /// becomes free when the message is handled, dropped with its queue, or lost with a panic.
    #[must_use]
    pub(crate) fn try_enter(&self) -> Option<DepthPermit> {
        if self.is_closed() {
            return None;
        }
        self.0
            .current
            .try_update(Ordering::Relaxed, Ordering::Relaxed, |current| (current < self.0.limit).then_some(current + 1))
            .ok()
            .map(|_| DepthPermit(Arc::clone(&self.0)))
    }

    /// Refuses new messages until [`Self::open`]; places already reserved stay reserved.
    pub(crate) fn close(&self) {
        self.0.is_closed.store(true, Ordering::Release);
    }

    /// Accepts messages again, up to the limit.
    pub(crate) fn open(&self) {
        self.0.is_closed.store(false, Ordering::Release);
    }

    /// Whether it is closed.
    #[must_use]
    pub(crate) fn is_closed(&self) -> bool {
        self.0.is_closed.load(Ordering::Acquire)
    }

    /// The number of reserved places.
    #[cfg(test)]
    pub(crate) fn current(&self) -> usize {
        self.0.current.load(Ordering::Relaxed)
    }

    /// The number of places.
    #[cfg(test)]
    pub(crate) fn limit(&self) -> usize {
        self.0.limit
    }
}

/// A reserved place in a [`Depth`], freed on drop.
#[derive(Debug)]
pub(crate) struct DepthPermit(Arc<Count>);

impl Drop for DepthPermit {
    fn drop(&mut self) {
        self.0.current.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_cannot_exceed_the_limit() {
        let depth = Depth::new(2);
        let permits: Vec<_> = (0..5).filter_map(|_| depth.clone().try_enter()).collect();
        assert_eq!((permits.len(), depth.current(), depth.limit()), (2, 2, 2));
    }

    #[test]
    fn a_dropped_permit_frees_its_place() {
        let depth = Depth::new(1);
        let permit = depth.try_enter();
        assert!(depth.try_enter().is_none());
        drop(permit);
        assert_eq!(depth.current(), 0);
        assert!(depth.try_enter().is_some());
    }

    #[test]
    fn a_limit_of_zero_lets_nothing_pass() {
        assert!(Depth::new(0).try_enter().is_none());
    }

    #[test]
    fn nothing_passes_while_it_is_closed() {
        let depth = Depth::new(2);
        let permit = depth.try_enter();
        depth.clone().close();
        assert!(depth.is_closed() && depth.try_enter().is_none());
        drop(permit);
        assert_eq!(depth.current(), 0);
        depth.open();
        assert!(depth.try_enter().is_some());
    }

    #[test]
    fn threads_together_stay_within_the_limit() {
        let depth = Depth::new(10);
        let taken: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..100).filter_map(|_| depth.try_enter()).collect::<Vec<_>>()))
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(taken.len(), 10);
    }
}
