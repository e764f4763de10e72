//! The secrets that sign deliveries (Standard Webhooks 1.0).

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString, zeroize::Zeroize as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Sha256;

const PREFIX: &str = "whsec_";
/// The length of a key, in bytes.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// The most secrets that sign at the same time.
pub(super) const MOST_SECRETS: usize = 5;
/// How long an old secret signs beside the new one by default.
pub const OVERLAP: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest overlap that a caller may request.
pub const LONGEST_OVERLAP: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A secret: `whsec_` and a key in base64. It is revealed only to the store and in the response that creates it.
#[derive(Clone, Debug)]
pub struct Secret(SecretString);

/// Why a secret is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The text is not a secret.
    #[error("a secret must be {PREFIX} followed by 24 to 64 bytes in base64")]
    Malformed,
    /// Too many of the webhook's secrets are still valid.
    #[error("{MOST_SECRETS} secrets are still valid; wait until one has expired")]
    TooMany,
}

impl Secret {
    /// A new secret of 32 random bytes.
    #[must_use]
    pub fn random() -> Self {
        let mut key: [u8; 32] = rand::random();
        let secret = Self(format!("{PREFIX}{}", BASE64_STANDARD.encode(key)).into());
        key.zeroize();
        secret
    }

    /// Parses a caller's own secret.
    ///
    /// # Errors
    /// [`SecretError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let key = key(text).ok_or(SecretError::Malformed)?;
        if KEY_BYTES.contains(&key.len()) { Ok(Self(text.into())) } else { Err(SecretError::Malformed) }
    }

    /// The secret as text.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Signs one attempt.
    fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&key(self.expose())?).ok()?;
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        Some(format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes())))
    }
}

fn key(text: &str) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(text.strip_prefix(PREFIX)?).ok()
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.into()))
    }
}

/// A replaced secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Previous {
    secret: Secret,
    /// When it stops signing.
    until: jiff::Timestamp,
}

/// The secrets of one webhook.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Secrets {
    current: Secret,
    #[serde(default)]
    previous: Vec<Previous>,
}

impl Secrets {
    /// A webhook's first secret.
    #[must_use]
    pub(super) fn new(current: Secret) -> Self {
        Self { current, previous: Vec::new() }
    }

    /// The current secret, which signs first.
    #[must_use]
    pub(super) fn current(&self) -> &str {
        self.current.expose()
    }

    /// Makes `secret` the current one; the previous one also signs for `overlap`. Returns when that ends.
    ///
    /// # Errors
    /// [`SecretError::TooMany`]: none of the older secrets has expired.
    pub(super) fn rotate(
        &mut self,
        next: Secret,
        overlap: Duration,
        now: jiff::Timestamp,
    ) -> Result<jiff::Timestamp, SecretError> {
        self.previous.retain(|previous| previous.until > now);
        let until = now.saturating_add(overlap.min(LONGEST_OVERLAP)).unwrap_or(jiff::Timestamp::MAX);
        if overlap.is_zero() {
            self.current = next;
            return Ok(now);
        }
        if self.previous.len() + 2 > MOST_SECRETS {
            return Err(SecretError::TooMany);
        }
        let secret = std::mem::replace(&mut self.current, next);
        self.previous.insert(0, Previous { secret, until });
        Ok(until)
    }

    /// When each older secret stops signing, newest first.
    pub(super) fn overlaps(&self, now: jiff::Timestamp) -> impl Iterator<Item = jiff::Timestamp> + '_ {
        self.previous.iter().map(|previous| previous.until).filter(move |until| *until > now)
    }

    /// The header `webhook-signature`: one signature per valid secret.
    #[must_use]
    pub(super) fn signatures(&self, id: &str, now: jiff::Timestamp, body: &[u8]) -> String {
        let previous = self.previous.iter().filter(|previous| previous.until > now).map(|previous| &previous.secret);
        let secrets = std::iter::once(&self.current).chain(previous);
        let signatures: Vec<String> = secrets.filter_map(|secret| secret.sign(id, now.as_second(), body)).collect();
        signatures.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const NOW: i64 = 1_614_265_330;

    fn at(second: i64) -> jiff::Timestamp {
        jiff::Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_signature_is_that_of_the_standard_webhooks_test_vector() {
        let secrets = Secrets::new(Secret::parse(SECRET).unwrap());
        let signature = secrets.signatures("msg_p5jXN8AQM9LWM0D4loKWxJek", at(NOW), br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_callers_own_secret_must_have_the_form_and_length_of_a_secret() {
        let of = |bytes: usize| format!("{PREFIX}{}", BASE64_STANDARD.encode(vec![7; bytes]));
        for good in [SECRET.to_owned(), of(24), of(64)] {
            assert_eq!(Secret::parse(&good).unwrap().expose(), good);
        }
        for wrong in ["", "whsec_", "secret", &of(23), &of(65), &SECRET[6..], "whsec_%%%%"] {
            assert_eq!(Secret::parse(wrong).unwrap_err(), SecretError::Malformed, "{wrong}");
        }
        let (one, other) = (Secret::random(), Secret::random());
        assert!(Secret::parse(one.expose()).is_ok());
        assert_ne!(one.expose(), other.expose());
    }

    #[test]
    fn the_old_secret_signs_beside_the_new_one_until_its_time_is_over() {
        let (old, new) = (Secret::parse(SECRET).unwrap(), Secret::random());
        let mut secrets = Secrets::new(old.clone());
        let until = secrets.rotate(new.clone(), Duration::from_secs(60), at(NOW)).unwrap();
        assert_eq!(until, at(NOW + 60));
        let sign = |secret: &Secret, second| secret.sign("id", second, b"{}").unwrap();
        let both = format!("{} {}", sign(&new, NOW), sign(&old, NOW));
        assert_eq!(secrets.signatures("id", at(NOW), b"{}"), both);
        assert_eq!(secrets.overlaps(at(NOW)).collect::<Vec<_>>(), [until]);
        assert_eq!(secrets.signatures("id", at(NOW + 60), b"{}"), sign(&new, NOW + 60));
        assert_eq!(secrets.overlaps(at(NOW + 60)).count(), 0);
    }

    #[test]
    fn a_leaked_secret_can_be_ended_at_once_and_no_other_expires_early() {
        let mut secrets = Secrets::new(Secret::random());
        for _ in 1..MOST_SECRETS {
            secrets.rotate(Secret::random(), OVERLAP, at(NOW)).unwrap();
        }
        assert_eq!(secrets.rotate(Secret::random(), OVERLAP, at(NOW)).unwrap_err(), SecretError::TooMany);
        assert_eq!(secrets.signatures("id", at(NOW), b"").split(' ').count(), MOST_SECRETS);
        let day_later = NOW + i64::try_from(OVERLAP.as_secs()).unwrap();
        secrets.rotate(Secret::random(), Duration::ZERO, at(day_later)).unwrap();
        assert_eq!(secrets.signatures("id", at(day_later), b"").split(' ').count(), 1);
    }

    #[test]
    fn a_secret_is_not_shown_by_accident() {
        let shown = format!("{:?}", Secrets::new(Secret::parse(SECRET).unwrap()));
        assert!(!shown.contains(&SECRET[6..]), "{shown}");
    }
}
