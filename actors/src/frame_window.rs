//! Limits the frames that were read and not handled yet, of each connection and of the process. At a limit nothing more is
//! read, and TCP makes the platform wait.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most bytes of unhandled frames of the process, over all connections, in KiB. At least as much as the largest
/// frame.
const KIBIBYTES: usize = 128 << 10;
/// The least share of a frame, in KiB, because a frame takes memory in addition to its bytes. So at most 32,768 frames
/// are unhandled.
const SMALL: usize = 4;

/// What the connections of a process may have read and not handled.
pub(crate) struct FrameBudget {
    kibibytes: Arc<Semaphore>,
    most_kibibytes: usize,
}

impl Default for FrameBudget {
    fn default() -> Self {
        Self::new(KIBIBYTES)
    }
}

impl FrameBudget {
    fn new(kibibytes: usize) -> Self {
        Self { kibibytes: Arc::new(Semaphore::new(kibibytes)), most_kibibytes: kibibytes }
    }

    /// The share of a frame with this many bytes, in KiB. A frame above the limit takes all of it.
    fn share(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.div_ceil(1024).max(SMALL).min(self.most_kibibytes)).unwrap_or(u32::MAX)
    }
}

/// The frames of one connection that were read and not handled yet.
#[derive(Clone)]
pub(crate) struct FrameWindow {
    own: Arc<Semaphore>,
    most: usize,
    process: Arc<FrameBudget>,
}

/// The place of one frame. Dropping it makes room for another frame.
pub(crate) struct FramePlace {
    _own: OwnedSemaphorePermit,
    _kibibytes: OwnedSemaphorePermit,
}

impl FrameWindow {
    /// Returns the window of a connection that may have `most` unhandled frames, but at least one.
    pub(crate) fn new(most: usize, process: Arc<FrameBudget>) -> Self {
        let most = most.max(1);
        Self { own: Arc::new(Semaphore::new(most)), most, process }
    }

    /// Waits for the place of a frame with this many bytes. `None` never happens while the window exists.
    pub(crate) async fn take(&self, bytes: usize) -> Option<FramePlace> {
        let kibibytes = &self.process.kibibytes;
        Some(FramePlace {
            _own: Arc::clone(&self.own).acquire_owned().await.ok()?,
            _kibibytes: Arc::clone(kibibytes).acquire_many_owned(self.process.share(bytes)).await.ok()?,
        })
    }

    /// Takes the place of a frame with this many bytes, if there is room now.
    pub(crate) fn try_take(&self, bytes: usize) -> Option<FramePlace> {
        let kibibytes = &self.process.kibibytes;
        Some(FramePlace {
            _own: Arc::clone(&self.own).try_acquire_owned().ok()?,
            _kibibytes: Arc::clone(kibibytes).try_acquire_many_owned(self.process.share(bytes)).ok()?,
        })
    }

    /// The number of frames of this connection that were read and not handled yet.
    pub(crate) fn unhandled(&self) -> usize {
        self.most.saturating_sub(self.own.available_permits())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_connection_has_its_own_limit() {
        let window = FrameWindow::new(2, Arc::default());
        let taken = [window.try_take(1), window.try_take(1)].map(Option::unwrap);
        assert!(window.try_take(1).is_none());
        assert_eq!(window.unhandled(), 2);
        drop(taken);
        assert_eq!(window.unhandled(), 0);
    }

    #[test]
    fn connections_share_the_limits_of_the_process() {
        let budget = Arc::new(FrameBudget::new(10));
        let [mine, theirs] = [0, 1].map(|_| FrameWindow::new(100, Arc::clone(&budget)));
        let taken = [mine.try_take(1).unwrap(), theirs.try_take(1).unwrap()];
        assert!(theirs.try_take(1).is_none(), "two small frames count 8 KiB");
        drop(taken);
        let large = mine.try_take((5 << 10) + 1).unwrap();
        assert!(theirs.try_take((4 << 10) + 1).is_none(), "11 KiB");
        let waits = theirs.take((4 << 10) + 1);
        let mut waits = std::pin::pin!(waits);
        assert!(waits.as_mut().now_or_never().is_none());
        drop(large);
        assert!(waits.now_or_never().is_some());
        assert!(mine.try_take(usize::MAX).is_some(), "a frame above the limit passes alone");
    }
}
