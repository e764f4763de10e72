//! This process's right to act, as everything in the process looks at it.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};
use tertulia_core::{
    session::Millis,
    tenure::{LeaseDuration, Standing, Tenure as Rules},
};
use tokio::sync::watch;

/// In place of the time of a beat: the process sends none and may always act.
const ENDLESS: u64 = u64::MAX;
/// In place of the time of a beat: the process was fenced.
const OVER: u64 = u64::MAX - 1;
/// In place of the time of a beat: the process sends none and may not act now.
const SUSPENDED: u64 = u64::MAX - 2;
/// The latest time of a beat.
const LATEST: u64 = u64::MAX - 3;

/// This process's right to act ([`tertulia_core::tenure`]). Cheap to clone; all clones are the same right.
#[derive(Clone, Debug)]
pub struct Tenure(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    lease: LeaseDuration,
    /// When the latest answered beat was sent, in milliseconds, or one of the constants above.
    sent: AtomicU64,
    standing: watch::Sender<Standing>,
    sockets: watch::Sender<bool>,
}

impl Default for Tenure {
    /// The right of a process alone, which never ends.
    fn default() -> Self {
        Self::beginning(LeaseDuration::default(), ENDLESS)
    }
}

impl Tenure {
    /// The right of a node that joined at `sent`, by [`Tenure::now`] before the request. Whoever sends the beats calls
    /// [`Tenure::answered`] after each, and [`Tenure::look`] at least every tenth of the lease.
    #[must_use]
    pub fn joined(lease: LeaseDuration, sent: Millis) -> Self {
        Self::beginning(lease, sent.0.min(LATEST))
    }

    fn beginning(lease: LeaseDuration, sent: u64) -> Self {
        let (standing, sockets) = (watch::Sender::new(Standing::Valid), watch::Sender::new(true));
        Self(Arc::new(Inner { lease, sent: AtomicU64::new(sent), standing, sockets }))
    }

    /// The time by a clock that goes on while the machine sleeps.
    #[must_use]
    pub fn now() -> Millis {
        let time = clock_gettime(ClockId::Boottime);
        let seconds = Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or_default());
        let nanos = Duration::from_nanos(u64::try_from(time.tv_nsec).unwrap_or_default());
        Millis(u64::try_from((seconds + nanos).as_millis()).unwrap_or(LATEST))
    }

    /// Whether something may be sent to others now. Looks at the clock, so that a process that stood still does not
    /// believe in an old standing.
    #[must_use]
    pub fn may_act(&self) -> bool {
        self.at(Self::now()) == Standing::Valid
    }

    /// The standing, as last determined by [`Tenure::look`].
    #[must_use]
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.0.standing.subscribe()
    }

    /// Whether sockets may be open, as last determined by [`Tenure::look`].
    #[must_use]
    pub fn may_keep_sockets(&self) -> watch::Receiver<bool> {
        self.0.sockets.subscribe()
    }

    /// Whether this process was fenced, or has left. It then never writes or sends anything again.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.sent.load(Ordering::Acquire) == OVER
    }

    /// The time until this process must stop to act, unless a beat is answered; `None` if it never must.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        match self.0.sent.load(Ordering::Acquire) {
            ENDLESS => None,
            OVER | SUSPENDED => Some(Duration::ZERO),
            sent => Some(self.0.lease.suspended_after().saturating_sub(Self::now().since(Millis(sent)))),
        }
    }

    /// A beat that was sent at `sent` was answered. Answers may arrive in any order. A fenced process stays fenced.
    pub fn answered(&self, sent: Millis) {
        let next = sent.0.min(LATEST);
        let _ = self.0.sent.fetch_update(Ordering::AcqRel, Ordering::Acquire, |last| (last < next).then_some(next));
        self.look();
    }

    /// Another node fenced this one, or it has left.
    pub fn fenced(&self) {
        self.0.sent.store(OVER, Ordering::Release);
        self.look();
    }

    /// Determines the standing by the clock and lets others know of a change.
    pub fn look(&self) {
        let now = Self::now();
        let (standing, sockets) = (self.at(now), self.may_keep_sockets_at(now));
        let is_final = |last: &Standing| *last == Standing::Over;
        self.0.standing.send_if_modified(|last| !is_final(last) && mem::replace(last, standing) != standing);
        self.0.sockets.send_if_modified(|last| mem::replace(last, sockets) != sockets);
    }

    /// Suspends a process that sends no beats, or lets it act again. A fenced process stays fenced.
    pub fn suspend(&self, is_suspended: bool) {
        let (last, next) = if is_suspended { (ENDLESS, SUSPENDED) } else { (SUSPENDED, ENDLESS) };
        let _ = self.0.sent.compare_exchange(last, next, Ordering::AcqRel, Ordering::Acquire);
        self.look();
    }

    fn at(&self, now: Millis) -> Standing {
        match self.0.sent.load(Ordering::Acquire) {
            ENDLESS => Standing::Valid,
            SUSPENDED => Standing::Suspended,
            OVER => Standing::Over,
            sent => Rules::joined(self.0.lease, Millis(sent)).standing(now),
        }
    }

    fn may_keep_sockets_at(&self, now: Millis) -> bool {
        match self.0.sent.load(Ordering::Acquire) {
            ENDLESS | SUSPENDED => true,
            OVER => false,
            sent => Rules::joined(self.0.lease, Millis(sent)).may_keep_sockets(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ago(duration: Duration) -> Millis {
        Tenure::now().before(duration)
    }

    #[test]
    fn the_clock_decides_even_if_nobody_has_looked_since() {
        let lease = LeaseDuration::default();
        let tenure = Tenure::joined(lease, Tenure::now());
        assert!(tenure.may_act());
        let stood_still = Tenure::joined(lease, ago(lease.suspended_after()));
        assert_eq!(*stood_still.standing().borrow(), Standing::Valid);
        assert!(!stood_still.may_act());
        stood_still.look();
        assert_eq!(*stood_still.standing().borrow(), Standing::Suspended);
        assert!(*stood_still.may_keep_sockets().borrow());
        let longer = Tenure::joined(lease, ago(lease.sockets_close_after()));
        longer.look();
        assert!(!*longer.may_keep_sockets().borrow());
        longer.answered(Tenure::now());
        assert!(longer.may_act() && *longer.may_keep_sockets().borrow());
        assert_eq!(*longer.standing().borrow(), Standing::Valid);
    }

    #[test]
    fn an_answer_to_an_older_beat_changes_nothing_and_a_fence_is_final() {
        let tenure = Tenure::joined(LeaseDuration::default(), Tenure::now());
        tenure.answered(Millis(0));
        assert!(tenure.may_act());
        tenure.fenced();
        tenure.answered(Tenure::now());
        assert_eq!((tenure.may_act(), *tenure.standing().borrow()), (false, Standing::Over));
        assert_eq!(tenure.left(), Some(Duration::ZERO));
    }

    #[test]
    fn a_process_alone_may_act_unless_it_is_suspended() {
        let tenure = Tenure::default();
        assert_eq!((tenure.may_act(), tenure.left()), (true, None));
        tenure.suspend(true);
        tenure.look();
        assert_eq!((tenure.may_act(), *tenure.standing().borrow()), (false, Standing::Suspended));
        tenure.suspend(false);
        assert!(tenure.may_act());
    }
}
