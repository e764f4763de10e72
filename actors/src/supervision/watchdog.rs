//! Detects blocked arbiters. A blocked handler cannot be stopped, but another thread can detect it.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{fmt, io, thread};

use actix::ArbiterHandle;

/// The timing of the watchdog.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WatchdogOptions {
    /// How often an arbiter updates its progress mark, and how often the marks are read. Default 250 ms.
    pub every: Duration,
    /// An arbiter whose mark did not change for this long is reported as frozen. Default 5 s.
    pub frozen_after: Duration,
}

impl Default for WatchdogOptions {
    fn default() -> Self {
        Self { every: Duration::from_millis(250), frozen_after: Duration::from_secs(5) }
    }
}

/// A thread that reads the progress marks of arbiters. Ends when dropped.
pub(crate) struct Watchdog {
    options: WatchdogOptions,
    shared: Arc<Shared>,
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    watched: Mutex<Vec<Watched>>,
    frozen_now: AtomicUsize,
    frozen_total: AtomicU64,
}

impl Watchdog {
    /// Starts the watching thread.
    ///
    /// # Errors
    /// The thread could not be started.
    pub(crate) fn start(options: WatchdogOptions) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let (stop, stopped) = mpsc::channel();
        let thread = thread::Builder::new().name("watchdog".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || {
                while stopped.recv_timeout(options.every) == Err(mpsc::RecvTimeoutError::Timeout) {
                    shared.look(Instant::now(), options.frozen_after);
                }
            }
        })?;
        Ok(Self { options, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// Watches an arbiter under a name until the arbiter stops or this watchdog is dropped; `None` if it has already
    /// stopped.
    pub(crate) fn watch(&self, name: impl Into<Arc<str>>, arbiter: &ArbiterHandle) -> Option<Watch> {
        let mark = Arc::<Mark>::default();
        let every = self.options.every;
        let ticking = Ticking(Arc::clone(&mark));
        let started = arbiter.spawn(async move {
            let mut interval = tokio::time::interval(every);
            while ticking.0.is_watched.load(Ordering::Relaxed) {
                interval.tick().await;
                ticking.0.ticks.fetch_add(1, Ordering::Relaxed);
            }
        });
        started.then(|| {
            self.shared.lock().push(Watched::new(name.into(), Arc::clone(&mark), Instant::now()));
            Watch(mark)
        })
    }

    /// The number of arbiters blocked now.
    #[must_use]
    pub(crate) fn frozen_now(&self) -> usize {
        self.shared.frozen_now.load(Ordering::Relaxed)
    }

    /// How often an arbiter was found blocked.
    #[must_use]
    pub(crate) fn frozen_total(&self) -> u64 {
        self.shared.frozen_total.load(Ordering::Relaxed)
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.stop.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the watchdog itself panicked");
        }
        for watched in self.shared.lock().drain(..) {
            watched.mark.is_watched.store(false, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Watchdog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watchdog")
            .field("options", &self.options)
            .field("frozen_now", &self.frozen_now())
            .field("frozen_total", &self.frozen_total())
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self, now: Instant, frozen_after: Duration) {
        let mut watched = self.lock();
        watched.retain(|arbiter| !arbiter.mark.has_ended.load(Ordering::Relaxed));
        for arbiter in watched.iter_mut() {
            match arbiter.look(now, frozen_after) {
                Some(Change::Froze) => {
                    self.frozen_total.fetch_add(1, Ordering::Relaxed);
                    tracing::error!(arbiter = %arbiter.name, ?frozen_after, "arbiter is blocked");
                }
                Some(Change::Recovered { after }) => {
                    tracing::warn!(arbiter = %arbiter.name, ?after, "arbiter runs again");
                }
                None => {}
            }
        }
        let frozen = watched.iter().filter(|arbiter| arbiter.is_frozen).count();
        self.frozen_now.store(frozen, Ordering::Relaxed);
    }
}

/// The watchdog's view of one arbiter.
#[derive(Debug)]
pub(crate) struct Watch(Arc<Mark>);

impl Watch {
    /// Whether the arbiter is blocked.
    #[must_use]
    pub(crate) fn is_frozen(&self) -> bool {
        self.0.is_frozen.load(Ordering::Relaxed)
    }
}

/// The state shared by an arbiter and its watchdog.
#[derive(Debug)]
struct Mark {
    is_frozen: AtomicBool,
    ticks: AtomicU64,
    has_ended: AtomicBool,
    is_watched: AtomicBool,
}

impl Default for Mark {
    fn default() -> Self {
        Self {
            is_frozen: AtomicBool::new(false),
            ticks: AtomicU64::new(0),
            has_ended: AtomicBool::new(false),
            is_watched: AtomicBool::new(true),
        }
    }
}

/// The arbiter's side of a mark; dropped with the arbiter.
struct Ticking(Arc<Mark>);

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.has_ended.store(true, Ordering::Relaxed);
    }
}

/// The watchdog's side of a mark.
#[derive(Debug)]
struct Watched {
    name: Arc<str>,
    mark: Arc<Mark>,
    ticks: u64,
    moved_at: Instant,
    is_frozen: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Change {
    Froze,
    Recovered { after: Duration },
}

impl Watched {
    fn new(name: Arc<str>, mark: Arc<Mark>, now: Instant) -> Self {
        Self { name, mark, ticks: 0, moved_at: now, is_frozen: false }
    }

    fn look(&mut self, now: Instant, frozen_after: Duration) -> Option<Change> {
        let ticks = self.mark.ticks.load(Ordering::Relaxed);
        let still_for = now.duration_since(self.moved_at);
        if ticks != self.ticks {
            self.ticks = ticks;
            self.moved_at = now;
            let recovered = std::mem::take(&mut self.is_frozen);
            self.mark.is_frozen.store(false, Ordering::Relaxed);
            return recovered.then_some(Change::Recovered { after: still_for });
        }
        if still_for >= frozen_after && !self.is_frozen {
            self.is_frozen = true;
            self.mark.is_frozen.store(true, Ordering::Relaxed);
            return Some(Change::Froze);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROZEN_AFTER: Duration = Duration::from_secs(5);

    #[test]
    fn a_mark_that_stands_still_is_reported_once_and_its_recovery_too() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mark = Arc::<Mark>::default();
        let mut watched = Watched::new("arbiter".into(), Arc::clone(&mark), start);

        assert_eq!(watched.look(at(4), FROZEN_AFTER), None);
        mark.ticks.store(1, Ordering::Relaxed);
        assert_eq!(watched.look(at(5), FROZEN_AFTER), None, "it moved");
        assert_eq!(watched.look(at(9), FROZEN_AFTER), None);
        assert_eq!(watched.look(at(10), FROZEN_AFTER), Some(Change::Froze));
        assert_eq!(watched.look(at(20), FROZEN_AFTER), None, "it is known");
        mark.ticks.store(2, Ordering::Relaxed);
        assert_eq!(watched.look(at(21), FROZEN_AFTER), Some(Change::Recovered { after: Duration::from_secs(16) }));
        assert_eq!(watched.look(at(22), FROZEN_AFTER), None);
    }

    #[actix::test]
    async fn a_blocked_arbiter_is_seen_until_it_moves_again_and_forgotten_when_it_stops() {
        let options = WatchdogOptions { every: Duration::from_millis(2), frozen_after: Duration::from_millis(40) };
        let watchdog = Watchdog::start(options).unwrap();
        let arbiter = actix::Arbiter::new();
        let watch = watchdog.watch("blocked", &arbiter.handle()).unwrap();
        let (release, blocked) = mpsc::channel::<()>();
        arbiter.spawn_fn(move || assert!(blocked.recv().is_err()));

        until(|| watchdog.frozen_now() == 1 && watch.is_frozen()).await;
        assert!(watchdog.frozen_total() >= 1);
        drop(release);
        until(|| watchdog.frozen_now() == 0 && !watch.is_frozen()).await;

        arbiter.stop();
        arbiter.join().unwrap();
        until(|| watchdog.shared.lock().is_empty()).await;
    }

    async fn until(condition: impl Fn() -> bool) {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
