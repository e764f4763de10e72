//! How much one caller may request: a rate per second and a number of concurrent requests. Event streams have their own
//! limit.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use actix_web::http::{StatusCode, header};
use governor::{
    DefaultDirectRateLimiter, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::Problem;
use crate::config::Limits;

/// The remaining allowance of one caller.
pub(super) struct Allowance {
    rate: DefaultDirectRateLimiter,
    places: Arc<Semaphore>,
    clock: DefaultClock,
}

/// A request that is being answered; dropping it frees its place.
pub(super) struct Turn(#[expect(dead_code, reason = "held until it is dropped")] OwnedSemaphorePermit);

impl Allowance {
    pub(super) fn new(limits: &Limits) -> Self {
        let Limits { requests_per_second, burst, concurrent, .. } = *limits;
        let of = |number: u32| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(of(requests_per_second)).allow_burst(of(burst));
        Self {
            rate: RateLimiter::direct(quota),
            places: Arc::new(Semaphore::new(concurrent as usize)),
            clock: DefaultClock::default(),
        }
    }

    /// Admits one request.
    pub(super) fn enter(&self) -> Result<Turn, Problem> {
        self.rate.check().map_err(|until| {
            let wait = until.wait_time_from(self.clock.now());
            let detail = "the token's limit of requests per second is reached";
            refusal("too-many-requests", detail, wait)
        })?;
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            let detail = "the token's limit of concurrent requests is reached";
            refusal("too-many-at-once", detail, Duration::ZERO)
        })?;
        Ok(Turn(place))
    }
}

/// A refusal that asks to wait for `wait`, rounded up to whole seconds.
fn refusal(code: &'static str, detail: &'static str, wait: Duration) -> Problem {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, code, detail);
    problem.header(header::RETRY_AFTER, seconds.max(1).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_may_send_a_burst_and_then_at_the_rate() {
        let allowance = Allowance::new(&Limits { requests_per_second: 1, burst: 3, ..Limits::default() });
        let refused = (0..4).map(|_| allowance.enter()).filter(Result::is_err).count();
        assert_eq!(refused, 1);
    }

    #[test]
    fn a_place_is_free_again_when_its_request_was_answered() {
        let allowance = Allowance::new(&Limits { concurrent: 1, ..Limits::default() });
        let turn = allowance.enter();
        assert!(turn.is_ok() && allowance.enter().is_err());
        drop(turn);
        assert!(allowance.enter().is_ok());
    }
}
