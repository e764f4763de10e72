//! The limits of a session, with their defaults.

use std::time::Duration;

use thiserror::Error;

use super::backoff::Backoff;

/// The limits of a session. Start from [`Default`] and change what differs. A connection refuses a policy for which
/// [`SessionPolicy::validate`] fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionPolicy {
    /// The waits after the first one double from here. Default 500 ms.
    pub backoff_base: Duration,
    /// The longest wait between connects. Default 30 s.
    pub backoff_max: Duration,
    /// How long a stopping session waits for the socket to close. Default 5 s.
    pub close_timeout: Duration,
    /// How long a websocket upgrade may take. Default 10 s.
    pub connect_timeout: Duration,
    /// A socket without any inbound frame for this long is dead. Longer than `keep_alive_every`. Default 25 s.
    pub dead_after: Duration,
    /// The first attempt after a loss starts within this time. Default 2 s.
    pub first_retry_within: Duration,
    /// The identity of an anonymous consumer is lost after this many refusals in a row, if they lasted for
    /// `identity_refused_for`. Default 5.
    pub identity_refusals: u32,
    /// The identity of an anonymous consumer is lost only after it was refused for this long, unless it has expired.
    /// Default 10 min.
    pub identity_refused_for: Duration,
    /// How often a keep-alive is sent on an open socket. Default 10 s.
    pub keep_alive_every: Duration,
    /// A refused or throttled login is not repeated sooner than this. Default 5 s.
    pub login_backoff_base: Duration,
    /// The longest wait between logins, even if the platform or the owner requests a longer one. Default 5 min.
    pub login_backoff_max: Duration,
    /// How long a login or a token refresh may take. Default 10 s.
    pub login_timeout: Duration,
    /// The session fails after this many refusals in a row of credentials that never worked. Default 1.
    pub max_credential_refusals: u32,
    /// Whether a connection that is lost, or cannot be made, is tried again (the SDK's `maintainConnection`). Otherwise
    /// the session fails at the first loss. Default true.
    pub reconnects: bool,
    /// How often the token is refreshed while a socket is open; `None` for tokens that cannot be refreshed. Default 4
    /// min.
    pub refresh_every: Option<Duration>,
    /// How long the resume plan may make no progress. Default 120 s.
    pub resume_timeout: Duration,
    /// The back-off is reset after this long in [`Ready`](super::Phase::Ready). Default 30 s.
    pub stable_after: Duration,
    /// A throttled connect (status 429) is not repeated sooner than this. Default 5 s.
    pub throttled_for: Duration,
    /// How long the first request may take. Default 10 s.
    pub verify_timeout: Duration,
}

impl Default for SessionPolicy {
    fn default() -> Self {
        Self {
            backoff_base: Duration::from_millis(500),
            backoff_max: Duration::from_secs(30),
            close_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(10),
            dead_after: Duration::from_secs(25),
            first_retry_within: Duration::from_secs(2),
            identity_refusals: 5,
            identity_refused_for: Duration::from_secs(10 * 60),
            keep_alive_every: Duration::from_secs(10),
            login_backoff_base: Duration::from_secs(5),
            login_backoff_max: Duration::from_secs(5 * 60),
            login_timeout: Duration::from_secs(10),
            max_credential_refusals: 1,
            reconnects: true,
            refresh_every: Some(Duration::from_secs(4 * 60)),
            resume_timeout: Duration::from_secs(120),
            stable_after: Duration::from_secs(30),
            throttled_for: Duration::from_secs(5),
            verify_timeout: Duration::from_secs(10),
        }
    }
}

impl SessionPolicy {
    /// Checks that the limits are usable.
    ///
    /// # Errors
    /// The first limit that is zero or contradicts another.
    pub fn validate(&self) -> Result<(), PolicyError> {
        let durations = [
            ("backoff_base", self.backoff_base),
            ("close_timeout", self.close_timeout),
            ("connect_timeout", self.connect_timeout),
            ("keep_alive_every", self.keep_alive_every),
            ("login_backoff_base", self.login_backoff_base),
            ("login_timeout", self.login_timeout),
            ("refresh_every", self.refresh_every.unwrap_or(Duration::MAX)),
            ("resume_timeout", self.resume_timeout),
            ("verify_timeout", self.verify_timeout),
        ];
        if let Some((limit, _)) = durations.into_iter().find(|(_, value)| value.as_millis() == 0) {
            return Err(PolicyError::TooSmall { limit });
        }
        let counts =
            [("identity_refusals", self.identity_refusals), ("max_credential_refusals", self.max_credential_refusals)];
        if let Some((limit, _)) = counts.into_iter().find(|(_, count)| *count == 0) {
            return Err(PolicyError::TooSmall { limit });
        }
        let ordered = [
            ("backoff_base", self.backoff_base, "backoff_max", self.backoff_max),
            ("login_backoff_base", self.login_backoff_base, "login_backoff_max", self.login_backoff_max),
        ];
        for (lower, low, upper, high) in ordered {
            if low > high {
                return Err(PolicyError::Contradiction { lower, upper });
            }
        }
        if self.keep_alive_every >= self.dead_after {
            return Err(PolicyError::Contradiction { lower: "keep_alive_every", upper: "dead_after" });
        }
        Ok(())
    }

    /// The wait before the connect with number `failures` since the last stable period (from 1).
    pub(super) fn connect_backoff(&self, failures: u32) -> Backoff {
        let first = failures <= 1;
        Backoff {
            floor: Duration::ZERO,
            base: if first { self.first_retry_within } else { self.backoff_base },
            max: if first { self.first_retry_within } else { self.backoff_max },
        }
    }

    /// The wait before the next login.
    pub(super) fn login_backoff(&self) -> Backoff {
        Backoff { floor: self.login_backoff_base, base: self.login_backoff_base, max: self.login_backoff_max }
    }

    /// The wait before the right to log in is requested again. These requests do not reach the platform.
    pub(super) fn claim_backoff(&self) -> Backoff {
        let pause = self.login_backoff_base / 5;
        Backoff { floor: pause, base: pause, max: pause }
    }

    /// The wait before the next login of a user who is also logged in elsewhere, because each login ends the other
    /// one's session.
    pub(super) fn eviction_backoff(&self) -> Backoff {
        let floor = (self.login_backoff_max / 25).max(self.login_backoff_base);
        Backoff { floor, base: floor * 2 / 3, max: self.login_backoff_max }
    }

    /// A login that lasted this long counts as uncontested.
    pub(super) fn uncontested_after(&self) -> Duration {
        self.login_backoff_max * 2
    }
}

/// Why a [`SessionPolicy`] is refused.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// A limit that must be at least one (millisecond, time) is zero.
    #[error("session policy: `{limit}` must not be zero")]
    TooSmall {
        /// The limit's name.
        limit: &'static str,
    },
    /// Two limits contradict each other.
    #[error("session policy: `{lower}` must be below `{upper}`")]
    Contradiction {
        /// The limit that is too large.
        lower: &'static str,
        /// The limit that is too small.
        upper: &'static str,
    },
}
