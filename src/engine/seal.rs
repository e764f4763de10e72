//! Secrets in records that several processes read: sealed with a key that only the configuration has.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chacha20poly1305::{
    Key, KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tertulia_actors::engine::{RecordKey, RecordSeal, StoreError};

/// Precedes the secret in the digests that the key and its id are made of.
const KEY: &[u8] = b"tertulia seal key 1\0";
const KEY_ID: &[u8] = b"tertulia seal key id 1\0";
const NONCE_BYTES: usize = 24;

/// Seals the values of records with XChaCha20-Poly1305. A sealed value names its key, so that a value sealed with another
/// key is distinguished from a damaged one.
#[derive(Clone)]
pub struct Seal {
    cipher: XChaCha20Poly1305,
    key_id: String,
}

/// A sealed value as stored.
#[derive(Serialize, Deserialize)]
struct Sealed {
    /// The id of the key.
    sealed: String,
    nonce: String,
    text: String,
}

/// Why a sealed value cannot be read.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The value was sealed with another key, or there is no key.
    #[error("the value is sealed with the key {sealed_with}; node.seal is {ours}")]
    OtherKey {
        /// The id of the key that the value names.
        sealed_with: String,
        /// The id of the configured key, or `not set`.
        ours: String,
    },
    /// The value, or the key of its record, was changed.
    #[error("the sealed value is damaged")]
    Damaged,
    /// The value could not be sealed.
    #[error("the value could not be sealed")]
    NotSealed,
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl Seal {
    /// The seal of a secret, which should have 32 random bytes or more.
    #[must_use]
    pub fn new(secret: &SecretString) -> Self {
        let digest =
            |purpose: &[u8]| Sha256::new().chain_update(purpose).chain_update(secret.expose_secret()).finalize();
        let key_id = digest(KEY_ID).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let key: [u8; 32] = digest(KEY).into();
        Self { cipher: XChaCha20Poly1305::new(&Key::from(key)), key_id }
    }

    /// Seals a value for the record with this key. It can be read only under the same key.
    ///
    /// # Errors
    /// [`SealError::NotSealed`]: the value is longer than the cipher allows.
    pub fn close(&self, record: &[u8], value: &[u8]) -> Result<Vec<u8>, SealError> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let payload = Payload { msg: value, aad: record };
        let text = self.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| SealError::NotSealed)?;
        let sealed = Sealed {
            sealed: self.key_id.clone(),
            nonce: BASE64_STANDARD.encode(nonce),
            text: BASE64_STANDARD.encode(text),
        };
        serde_json::to_vec(&sealed).map_err(|_| SealError::NotSealed)
    }

    /// Reads the value of the record with this key. A value that was never sealed is returned as it is, so that a seal can
    /// be introduced later.
    ///
    /// # Errors
    /// [`SealError::OtherKey`], [`SealError::Damaged`].
    pub fn open(seal: Option<&Self>, record: &[u8], value: &[u8]) -> Result<Vec<u8>, SealError> {
        let Ok(sealed) = serde_json::from_slice::<Sealed>(value) else { return Ok(value.to_vec()) };
        let Some(seal) = seal.filter(|seal| seal.key_id == sealed.sealed) else {
            let ours = seal.map_or_else(|| "not set".to_owned(), |seal| seal.key_id.clone());
            return Err(SealError::OtherKey { sealed_with: sealed.sealed, ours });
        };
        let decode = |text: &str| BASE64_STANDARD.decode(text).map_err(|_| SealError::Damaged);
        let nonce: [u8; NONCE_BYTES] = decode(&sealed.nonce)?.try_into().map_err(|_| SealError::Damaged)?;
        let text = decode(&sealed.text)?;
        let payload = Payload { msg: &text, aad: record };
        seal.cipher.decrypt(&XNonce::from(nonce), payload).map_err(|_| SealError::Damaged)
    }
}

impl RecordSeal for Seal {
    fn close(&self, key: &RecordKey, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        Self::close(self, key.as_bytes(), value).map_err(|error| StoreError::new("seal a record", error))
    }

    fn open(&self, key: &RecordKey, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        Self::open(Some(self), key.as_bytes(), value).map_err(|error| StoreError::new("open a sealed record", error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUE: &[u8] = br#"{"secret":"whsec_x"}"#;

    fn seal(secret: &str) -> Seal {
        Seal::new(&SecretString::from(secret))
    }

    #[test]
    fn a_sealed_value_is_read_with_the_same_key_and_contains_nothing_of_it() {
        let ours = seal("a");
        let sealed = ours.close(b"record", VALUE).unwrap();
        assert!(!String::from_utf8(sealed.clone()).unwrap().contains("whsec"));
        assert_eq!(Seal::open(Some(&ours), b"record", &sealed).unwrap(), VALUE);
        assert_ne!(ours.close(b"record", VALUE).unwrap(), sealed);
    }

    #[test]
    fn a_connection_reads_what_it_sealed_and_what_was_never_sealed() {
        let (ours, key) = (seal("a"), RecordKey::of(&["consumer-identity", "ann"]));
        let sealed = RecordSeal::close(&ours, &key, VALUE).unwrap();
        assert!(!sealed.windows(5).any(|part| part == b"whsec"));
        for value in [&sealed[..], VALUE] {
            assert_eq!(RecordSeal::open(&ours, &key, value).unwrap(), VALUE);
        }
        assert!(RecordSeal::open(&seal("b"), &key, &sealed).is_err());
        assert!(RecordSeal::open(&ours, &key.with("more"), &sealed).is_err());
    }

    #[test]
    fn a_value_that_was_never_sealed_is_read_as_it_is() {
        assert_eq!(Seal::open(Some(&seal("a")), b"record", VALUE).unwrap(), VALUE);
        assert_eq!(Seal::open(None, b"record", VALUE).unwrap(), VALUE);
    }

    #[test]
    fn another_key_is_named_and_a_change_is_noticed() {
        let ours = seal("a");
        let sealed = ours.close(b"record", VALUE).unwrap();
        for other in [None, Some(&seal("b"))] {
            let refused = Seal::open(other, b"record", &sealed).unwrap_err();
            assert!(
                matches!(&refused, SealError::OtherKey { sealed_with, .. } if *sealed_with == ours.key_id),
                "{refused}"
            );
        }
        assert_eq!(Seal::open(Some(&ours), b"another record", &sealed), Err(SealError::Damaged));
        let mut changed: Sealed = serde_json::from_slice(&sealed).unwrap();
        changed.text.replace_range(0..1, if changed.text.starts_with('A') { "B" } else { "A" });
        let changed = serde_json::to_vec(&changed).unwrap();
        assert_eq!(Seal::open(Some(&ours), b"record", &changed), Err(SealError::Damaged));
    }
}
