//! How fast a process may log in and connect, so that a fleet that lost its platform does not storm it (Q6, W9).

use std::{num::NonZeroU32, time::Duration};

use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Jitter, Quota, RateLimiter};
use tertulia_core::id::AccountId;

/// How fast a process may log in and connect.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Logins a second, of all connections of one account.
    pub logins_per_account: NonZeroU32,
    /// Logins a second, of all connections.
    pub logins: NonZeroU32,
    /// Sockets opened a second, of all connections.
    pub connects: NonZeroU32,
}

impl Default for Pace {
    /// 10 logins a second for one account, 50 in all, 200 sockets.
    fn default() -> Self {
        let per_second = |count| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        Self { logins_per_account: per_second(10), logins: per_second(50), connects: per_second(200) }
    }
}

/// The turns of a process: whoever wants to log in or connect waits for one.
pub(super) struct Turns {
    logins: DefaultDirectRateLimiter,
    account_logins: DefaultKeyedRateLimiter<AccountId>,
    connects: DefaultDirectRateLimiter,
}

impl Turns {
    pub(super) fn new(pace: Pace) -> Self {
        Self {
            logins: RateLimiter::direct(Quota::per_second(pace.logins)),
            account_logins: RateLimiter::keyed(Quota::per_second(pace.logins_per_account)),
            connects: RateLimiter::direct(Quota::per_second(pace.connects)),
        }
    }

    pub(super) async fn log_in(&self, account: &AccountId) {
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
