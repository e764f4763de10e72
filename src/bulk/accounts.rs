//! The limits of requests per account.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tertulia_actors::core::id::{AccountId, ConnectionId};

use super::{job::Rate, pace::Slowdown};

/// The limits of requests per account, shared by all jobs.
pub(super) struct Accounts {
    turns: DefaultKeyedRateLimiter<AccountId>,
    slowdowns: Mutex<Slowdowns>,
}

#[derive(Default)]
struct Slowdowns {
    accounts: HashMap<AccountId, Slowdown>,
    /// The number of refusals of each connection when it was last checked.
    seen: HashMap<ConnectionId, u64>,
}

impl Default for Accounts {
    fn default() -> Self {
        let rate = NonZeroU32::new(Rate::MAX).unwrap_or(NonZeroU32::MIN);
        let turns = RateLimiter::keyed(Quota::per_second(rate).allow_burst(NonZeroU32::MIN));
        Self { turns, slowdowns: Mutex::default() }
    }
}

impl Accounts {
    /// The fraction of its rate at which a job continues, after checking for new refusals of the connection. Calls
    /// `on_refusal` if there are any.
    pub(super) fn speed(
        &self,
        account: &AccountId,
        connection: &ConnectionId,
        refusals: u64,
        on_refusal: impl FnOnce(),
    ) -> f64 {
        let now = Instant::now();
        let mut slowdowns = self.slowdowns.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = slowdowns.seen.insert(connection.clone(), refusals).unwrap_or(refusals);
        let slowdown = slowdowns.accounts.entry(account.clone()).or_default();
        if seen < refusals {
            slowdown.refused(now);
            on_refusal();
        }
        slowdown.speed(now)
    }

    /// Waits until the limit of the account allows the next request.
    pub(super) async fn turn(&self, account: &AccountId) {
        self.turns.until_key_ready(account).await;
    }
}
