//! Limits how fast a process logs in and connects, so that a fleet that lost its platform does not overload it
//! ([Q6](crate::rules#q6)).

use std::{num::NonZeroU32, time::Duration};

use dashmap::DashMap;
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Jitter, Quota, RateLimiter};
use tertulia_core::id::AccountId;
use tokio::time::{Instant, sleep_until};

/// How fast a process may log in and connect.
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
    logins: DefaultDirectRateLimiter,
    account_logins: DefaultKeyedRateLimiter<AccountId>,
    connects: DefaultDirectRateLimiter,
    /// Accounts whose logins are delayed because there were too many, and until when.
    held: DashMap<AccountId, Instant>,
}

impl Turns {
    pub(super) fn new(pace: Pace) -> Self {
        Self {
            logins: RateLimiter::direct(Quota::per_second(pace.logins)),
            account_logins: RateLimiter::keyed(Quota::per_second(pace.logins_per_account)),
            connects: RateLimiter::direct(Quota::per_second(pace.connects)),
            held: DashMap::new(),
        }
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
        self.account_logins.until_key_ready_with_jitter(account, jitter()).await;
        self.logins.until_ready_with_jitter(jitter()).await;
    }

    pub(super) async fn connect(&self) {
        self.connects.until_ready_with_jitter(jitter()).await;
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
