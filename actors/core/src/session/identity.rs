//! When an anonymous consumer's identity is lost ([CA-3](crate::rules#ca-3)).
//!
//! The platform grants such an identity once. A second sign-up creates another consumer, who has none of the
//! conversations. Therefore a single refusal is not enough. An identity is lost when the platform refuses a token that
//! has expired, or refuses the identity for minutes. Only refusals of a socket's first request count, because no other
//! request contains the consumer's token. An expiry by the clock alone does not count, because the clock may be wrong.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{millis::Millis, policy::SessionPolicy};
use crate::time::Timestamp;

/// How long after its issue an external token can be exchanged for another token (protocol [§2.3](crate::protocol#23)).
const RENEWABLE_FOR: Duration = Duration::from_secs(730 * 60 * 60);

/// Why an identity is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum IdentityLoss {
    /// Its token has expired, cannot be renewed, and the platform refuses it.
    #[error("its token has expired and cannot be renewed")]
    Expired,
    /// The connection is configured with another account, another type of login or another connector.
    #[error("the connection is configured with another login")]
    LoginChanged,
    /// The previous run of the process did not store it.
    #[error("the previous run did not store the identity")]
    NotStored,
    /// The previous run had stepped up to it and did not store the token of the step-up, or the configured login has
    /// changed since.
    #[error("the token of its step-up is not stored")]
    StepUpNotStored,
    /// The platform has refused it for minutes.
    #[error("the platform keeps refusing the identity")]
    Refused,
}

/// The times in a token, if it is a JWT.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenTimes {
    issued: Option<Timestamp>,
    expires: Option<Timestamp>,
}

/// The claims used here, in seconds.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Claims {
    iat: Option<Timestamp>,
    exp: Option<Timestamp>,
}

impl TokenTimes {
    /// Reads the times of a token, without checking its signature.
    #[must_use]
    pub fn of(token: &str) -> Self {
        use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
        let mut parts = token.split('.');
        let payload = parts.nth(1).filter(|_| parts.count() == 1);
        let decoded = payload.and_then(|payload| URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok());
        let claims = decoded.and_then(|claims| serde_json::from_slice(&claims).ok()).unwrap_or_default();
        let Claims { iat, exp } = claims;
        let time = |seconds: Timestamp| Timestamp(seconds.0.saturating_mul(1_000)).when_set();
        Self { issued: iat.and_then(time), expires: exp.and_then(time) }
    }

    /// Returns whether the token has expired at `now`; `false` if the token has no expiry.
    #[must_use]
    pub fn has_expired(self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Returns whether an external token with these times can be exchanged for another token at `now`; `true` if the
    /// token has no time of issue.
    #[must_use]
    pub fn is_renewable(self, now: Timestamp) -> bool {
        let renewable_for = i64::try_from(RENEWABLE_FOR.as_millis()).unwrap_or(i64::MAX);
        self.issued.is_none_or(|issued| now.0 < issued.0.saturating_add(renewable_for))
    }
}

/// The refusals of an identity since the platform last accepted it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IdentityStanding {
    refusals: u32,
    refused_since: Option<Millis>,
}

impl IdentityStanding {
    /// The platform accepted a socket of the identity.
    pub fn accepted(&mut self) {
        *self = Self::default();
    }

    /// The platform refused the first request of a socket because of its token (401, 403, or a close that blames the
    /// token). Returns why the identity is lost, if it is. `has_expired` says that its token has expired and cannot be
    /// renewed.
    pub fn refused(&mut self, has_expired: bool, now: Millis, policy: &SessionPolicy) -> Option<IdentityLoss> {
        self.refusals = self.refusals.saturating_add(1);
        let lasted = now.since(*self.refused_since.get_or_insert(now));
        match () {
            () if has_expired => Some(IdentityLoss::Expired),
            () if self.refusals >= policy.identity_refusals && lasted >= policy.identity_refused_for => {
                Some(IdentityLoss::Refused)
            }
            () => None,
        }
    }
}
