//! The arbiters of a process: one thread each, with the connections distributed over them, and stopped together.

use std::io;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use actix::{Arbiter, ArbiterHandle, System};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::watchdog::{Watch, Watchdog, WatchdogOptions};

/// The number of arbiters, and the settings of their watchdog.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PoolOptions {
    /// The number of arbiters. Default: one per core.
    pub arbiters: NonZeroUsize,
    /// The settings of the watchdog.
    pub watchdog: WatchdogOptions,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            arbiters: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            watchdog: WatchdogOptions::default(),
        }
    }
}

/// Why a pool could not be started.
#[derive(Debug, Error)]
pub(crate) enum PoolError {
    /// Arbiters live in an actix system, and none runs on this thread.
    #[error("arbiters cannot be started: no actix system runs on this thread")]
    NoSystem,
    /// The operating system refused a thread.
    #[error("arbiters cannot be started")]
    Thread(#[from] io::Error),
}

/// A fixed number of arbiters and their watchdog. An arbiter that has ended is replaced.
#[derive(Debug)]
pub(crate) struct ArbiterPool {
    seats: Mutex<Seats>,
    watchdog: Watchdog,
}

#[derive(Debug, Default)]
struct Seats {
    /// Not empty until the pool stops.
    seats: Vec<Seat>,
    /// The number of arbiters started so far, used to name the next one.
    started: usize,
}

#[derive(Debug)]
struct Seat {
    arbiter: Arbiter,
    load: Arc<AtomicUsize>,
    watch: Option<Watch>,
}

impl Seats {
    fn start_one(&mut self, watchdog: &Watchdog) -> io::Result<Seat> {
        let arbiter = Arbiter::try_new()?;
        let watch = watchdog.watch(format!("arbiter-{}", self.started), &arbiter.handle());
        self.started += 1;
        Ok(Seat { arbiter, load: Arc::default(), watch })
    }
}

/// The result of stopping a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stopped {
    /// Arbiters that ended in time.
    pub joined: usize,
    /// Arbiters left running with a blocked handler. Their threads end with the process.
    pub abandoned: usize,
}

impl ArbiterPool {
    /// Starts the arbiters and their watchdog.
    ///
    /// # Errors
    /// No actix system runs on this thread, or a thread could not be started.
    pub(crate) fn start(options: PoolOptions) -> Result<Self, PoolError> {
        System::try_current().ok_or(PoolError::NoSystem)?;
        let watchdog = Watchdog::start(options.watchdog)?;
        let mut seats = Seats::default();
        for _ in 0..options.arbiters.get() {
            let seat = seats.start_one(&watchdog)?;
            seats.seats.push(seat);
        }
        Ok(Self { seats: Mutex::new(seats), watchdog })
    }

    /// Reserves a place on the arbiter with the fewest placements, preferring the first among equals. An arbiter that
    /// has ended or is blocked is used only if there is no other.
    #[must_use]
    pub(crate) fn place(&self) -> Placement {
        let seats = self.lock();
        let merit = |seat: &&Seat| {
            let is_frozen = seat.watch.as_ref().is_some_and(Watch::is_frozen);
            (!seat.arbiter.alive(), is_frozen, seat.load.load(Ordering::Relaxed))
        };
        match seats.seats.iter().min_by_key(merit) {
            Some(seat) => {
                seat.load.fetch_add(1, Ordering::Relaxed);
                Placement { arbiter: Some(seat.arbiter.handle()), load: Arc::clone(&seat.load) }
            }
            // The pool was stopped, so nothing runs any more.
            None => Placement { arbiter: None, load: Arc::new(AtomicUsize::new(1)) },
        }
    }

    /// Replaces arbiters whose threads have ended; returns their number. Call it on a thread of the actix system.
    pub(crate) fn replace_ended(&self) -> usize {
        let mut seats = self.lock();
        if System::try_current().is_none() {
            return 0;
        }
        let ended: Vec<usize> = (0..seats.seats.len()).filter(|at| !seats.seats[*at].arbiter.alive()).collect();
        let mut replaced = 0;
        for at in ended {
            match seats.start_one(&self.watchdog) {
                Ok(seat) => {
                    // Placements on the old arbiter decrement a counter that is no longer used.
                    seats.seats[at] = seat;
                    replaced += 1;
                    tracing::error!("an arbiter ended and was replaced");
                }
                Err(error) => tracing::error!(%error, "an arbiter ended and cannot be replaced"),
            }
        }
        replaced
    }

    /// The number of placements on each arbiter.
    #[cfg(test)]
    pub(crate) fn loads(&self) -> Vec<usize> {
        self.lock().seats.iter().map(|seat| seat.load.load(Ordering::Relaxed)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The watchdog's counters.
    #[must_use]
    pub(crate) fn watchdog(&self) -> &Watchdog {
        &self.watchdog
    }

    /// Stops all arbiters, which runs their actors' `stopping` and `stopped`, and waits at most `within` for all of
    /// them together. Nothing is placed on them afterwards.
    pub(crate) async fn stop(&self, within: Duration) -> Stopped {
        let seats = std::mem::take(&mut self.lock().seats);
        let arbiters = seats.len();
        let (joined, mut joins) = mpsc::channel(arbiters.max(1));
        for Seat { arbiter, .. } in seats {
            arbiter.stop();
            let joined = joined.clone();
            // Not `spawn_blocking`: the runtime would wait for a blocked join when it ends.
            thread::spawn(move || {
                if arbiter.join().is_err() {
                    tracing::error!("an arbiter ended with a panic");
                }
                joined.try_send(()).ok();
            });
        }
        drop(joined);
        let mut count = 0;
        let all = async {
            while joins.recv().await.is_some() {
                count += 1;
            }
        };
        let in_time = timeout(within, all).await.is_ok();
        let stopped = Stopped { joined: count, abandoned: arbiters - count };
        if !in_time {
            tracing::error!(abandoned = stopped.abandoned, "arbiters did not stop in time");
        }
        stopped
    }
}

/// A place on an arbiter, counted until dropped. Held by the owner of the actor placed there.
#[derive(Debug)]
pub(crate) struct Placement {
    /// `None` after the pool was stopped.
    arbiter: Option<ArbiterHandle>,
    load: Arc<AtomicUsize>,
}

impl Placement {
    /// The arbiter to start on; `None` after the pool was stopped.
    #[must_use]
    pub(crate) fn arbiter(&self) -> Option<&ArbiterHandle> {
        self.arbiter.as_ref()
    }
}

impl Drop for Placement {
    fn drop(&mut self) {
        self.load.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn pool(arbiters: usize) -> ArbiterPool {
        let arbiters = NonZeroUsize::new(arbiters).unwrap();
        ArbiterPool::start(PoolOptions { arbiters, ..PoolOptions::default() }).unwrap()
    }

    #[actix::test]
    async fn placements_spread_and_free_places_are_filled_first() {
        let pool = pool(3);
        let mut placements: Vec<_> = (0..6).map(|_| pool.place()).collect();
        assert_eq!(pool.loads(), [2, 2, 2]);
        placements.remove(1);
        assert_eq!(pool.loads(), [2, 1, 2]);
        placements.push(pool.place());
        assert_eq!(pool.loads(), [2, 2, 2]);
        assert_eq!(pool.stop(PATIENCE).await, Stopped { joined: 3, abandoned: 0 });
    }

    #[actix::test]
    async fn a_placement_runs_on_a_thread_of_the_pool() {
        let pool = pool(1);
        let (told, thread) = oneshot::channel();
        pool.place().arbiter().unwrap().spawn_fn(move || told.send(thread::current().id()).unwrap());
        assert_ne!(thread.await.unwrap(), thread::current().id());
        pool.stop(PATIENCE).await;
    }

    #[actix::test]
    async fn an_arbiter_that_ended_gets_no_placements_and_is_replaced() {
        let pool = pool(2);
        let ended = pool.place();
        let (told, end) = oneshot::channel::<()>();
        // The future is dropped with its arbiter.
        ended.arbiter().unwrap().spawn(async move {
            let _told = told;
            std::future::pending::<()>().await;
        });
        ended.arbiter().unwrap().stop();
        assert!(end.await.is_err());
        let others = [pool.place(), pool.place()];
        assert_eq!(pool.loads(), [1, 2]);
        assert_eq!(pool.replace_ended(), 1);
        assert_eq!(pool.replace_ended(), 0);
        assert_eq!(pool.loads(), [0, 2]);
        drop(ended);
        assert_eq!(pool.loads(), [0, 2], "the old one's placements are its own");
        drop(others);
        assert_eq!(pool.stop(PATIENCE).await, Stopped { joined: 2, abandoned: 0 });
    }

    #[actix::test]
    async fn a_stopped_pool_has_no_place() {
        let pool = pool(1);
        pool.stop(PATIENCE).await;
        assert!(pool.place().arbiter().is_none());
        assert_eq!(pool.replace_ended(), 0);
    }

    #[actix::test]
    async fn a_stuck_arbiter_does_not_hold_up_the_stop() {
        let pool = pool(1);
        let (release, stuck) = std::sync::mpsc::channel::<()>();
        let (told, is_stuck) = oneshot::channel();
        pool.place().arbiter().unwrap().spawn_fn(move || {
            told.send(()).ok();
            stuck.recv().ok();
        });
        is_stuck.await.unwrap();
        let stopped = pool.stop(Duration::from_millis(200)).await;
        assert_eq!(stopped.abandoned, 1);
        drop(release);
    }

    #[test]
    fn without_an_actix_system_a_pool_is_refused_and_nothing_panics() {
        assert!(matches!(ArbiterPool::start(PoolOptions::default()), Err(PoolError::NoSystem)));
    }
}
