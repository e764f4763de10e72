//! Limits how fast a process logs in and connects, so that a fleet that lost its platform does not overload it
//! ([Q6](crate::rules#q6)).

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use dashmap::DashMap;
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Jitter, Quota, RateLimiter};
use tertulia_core::id::AccountId;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// How fast a process may log in and connect. Where several nodes share a store, all of them together may.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Logins per second of all connections of one account.
    pub logins_per_account: NonZeroU32,
    /// Logins per second of all connections.
    pub logins: NonZeroU32,
    /// Sockets opened per second by all connections.
    pub connects: NonZeroU32,
    /// The least delay of an account's logins after the platform refused a login because there were too many.
    pub after_refusal: Duration,
}

impl Default for Pace {
    /// 10 logins per second for one account, 50 in total, 200 sockets; a delay of five seconds after a refusal.
    fn default() -> Self {
        let per_second = |count| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        Self {
            logins_per_account: per_second(10),
            logins: per_second(50),
            connects: per_second(200),
            after_refusal: Duration::from_secs(5),
        }
    }
}

/// The longest delay of an account's logins at a time.
const LONGEST_HOLD: Duration = Duration::from_secs(60);

/// The rate limiters of a process: every login and every new socket waits for one.
pub(super) struct Turns {
    pace: Pace,
    /// Replaced when the number of nodes changes. Who waits then waits by the new limits.
    limits: watch::Sender<Arc<Limits>>,
    /// Accounts whose logins are delayed because there were too many, and until when.
    held: DashMap<AccountId, Instant>,
}

/// One node's share of the pace.
struct Limits {
    nodes: NonZeroU32,
    logins: DefaultDirectRateLimiter,
    account_logins: DefaultKeyedRateLimiter<AccountId>,
    connects: DefaultDirectRateLimiter,
}

impl Limits {
    fn new(pace: &Pace, nodes: NonZeroU32) -> Arc<Self> {
        Arc::new(Self {
            nodes,
            logins: RateLimiter::direct(share(pace.logins, nodes)),
            account_logins: RateLimiter::keyed(share(pace.logins_per_account, nodes)),
            connects: RateLimiter::direct(share(pace.connects, nodes)),
        })
    }
}

/// One node's share of a rate per second: possibly less than one per second.
fn share(rate: NonZeroU32, nodes: NonZeroU32) -> Quota {
    let period = Duration::from_secs(1) * nodes.get() / rate.get();
    let burst = NonZeroU32::new(rate.get() / nodes.get()).unwrap_or(NonZeroU32::MIN);
    Quota::with_period(period).map_or(Quota::per_second(rate), |quota| quota.allow_burst(burst))
}

impl Turns {
    pub(super) fn new(pace: Pace) -> Self {
        let limits = watch::Sender::new(Limits::new(&pace, NonZeroU32::MIN));
        Self { pace, limits, held: DashMap::new() }
    }

    /// Limits this process to its share of the pace among `nodes`.
    pub(super) fn share(&self, nodes: NonZeroU32) {
        self.limits.send_if_modified(|limits| {
            let is_new = limits.nodes != nodes;
            if is_new {
                *limits = Limits::new(&self.pace, nodes);
            }
            is_new
        });
    }

    /// Delays all logins of `account`: a login refused because there were too many would be refused for the account's
    /// other connections too.
    pub(super) fn hold(&self, account: &AccountId, wait: Duration) {
        let until = Instant::now() + wait.min(LONGEST_HOLD);
        self.held.entry(account.clone()).and_modify(|held| *held = until.max(*held)).or_insert(until);
    }

    pub(super) async fn log_in(&self, account: &AccountId) {
        while let Some(until) = self.held.get(account).map(|held| *held) {
            if until <= Instant::now() {
                self.held.remove_if(account, |_, held| *held <= until);
                break;
            }
            sleep_until(until).await;
        }
        let mut limits = self.limits.subscribe();
        loop {
            let now = Arc::clone(&limits.borrow_and_update());
            let turn = async {
                now.account_logins.until_key_ready_with_jitter(account, jitter()).await;
                now.logins.until_ready_with_jitter(jitter()).await;
            };
            tokio::select! {
                () = turn => return,
                Ok(()) = limits.changed() => {}
            }
        }
    }

    pub(super) async fn connect(&self) {
        let mut limits = self.limits.subscribe();
        loop {
            let now = Arc::clone(&limits.borrow_and_update());
            tokio::select! {
                () = now.connects.until_ready_with_jitter(jitter()) => return,
                Ok(()) = limits.changed() => {}
            }
        }
    }
}

fn jitter() -> Jitter {
    Jitter::up_to(Duration::from_millis(20))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protocol §9.3: a login refused with 429 delays the logins of its account, and of no other account.
    #[tokio::test(start_paused = true)]
    async fn a_refused_login_holds_back_its_account_alone() {
        let turns = Turns::new(Pace::default());
        let (refused, other) = (AccountId::from("1"), AccountId::from("2"));
        turns.hold(&refused, Duration::from_secs(5));
        turns.hold(&refused, Duration::from_secs(1));
        let begun = Instant::now();
        turns.log_in(&other).await;
        assert!(begun.elapsed() < Duration::from_secs(1));
        turns.log_in(&refused).await;
        assert!(begun.elapsed() >= Duration::from_secs(5));
        assert!(turns.held.is_empty(), "what is over is forgotten");
    }

    #[test]
    fn nodes_share_each_rate_equally() {
        let number = |number| NonZeroU32::new(number).unwrap();
        let quota = |rate, nodes| share(number(rate), number(nodes));
        assert_eq!(quota(10, 1), Quota::per_second(number(10)));
        let third = quota(9, 3);
        assert_eq!((third.burst_size().get(), third.replenish_interval()), (3, Duration::from_secs(1) / 3));
        let seldom = quota(10, 32);
        assert_eq!((seldom.burst_size().get(), seldom.replenish_interval()), (1, Duration::from_millis(3_200)));
    }

    /// A login that waits is not left behind with the limits of before.
    #[tokio::test]
    async fn who_waits_goes_by_the_new_limits() {
        let one = NonZeroU32::MIN;
        let turns = Turns::new(Pace { logins_per_account: one, ..Pace::default() });
        turns.share(NonZeroU32::MAX);
        let account = AccountId::from("1");
        turns.log_in(&account).await;
        // The next turn by these limits is in more than a century.
        let waiting = turns.log_in(&account);
        tokio::pin!(waiting);
        assert!(futures_util::poll!(waiting.as_mut()).is_pending());
        turns.share(one);
        waiting.await;
    }

    #[tokio::test(start_paused = true)]
    async fn no_wish_of_the_platform_holds_logins_back_for_ever() {
        let turns = Turns::new(Pace::default());
        let account = AccountId::from("1");
        turns.hold(&account, Duration::MAX);
        let begun = Instant::now();
        turns.log_in(&account).await;
        assert!(begun.elapsed() <= LONGEST_HOLD + Duration::from_secs(1));
    }
}
