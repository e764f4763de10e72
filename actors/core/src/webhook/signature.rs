//! The signature of a webhook, which proves that the platform sent its body (protocol [§10.4](crate::protocol#104)).

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{
    Hmac, KeyInit, Mac,
    digest::{InvalidLength, MacError},
};
use sha1::Sha1;
use sha2::Sha256;
use thiserror::Error;

/// Why a signature was refused. Reveals nothing about the secret or the right signature.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// The webhook has no signature.
    #[error("the webhook has no signature")]
    Missing,
    /// The signature is not `sha1=` or `sha256=` followed by base64.
    #[error("the webhook's signature is malformed")]
    Malformed,
    /// The signature does not match this body and this secret.
    #[error("the webhook's signature does not match its body")]
    Wrong,
}

/// Checks the `x-liveperson-signature` of a webhook against the raw bytes of its body: `sha1=` or `sha256=` and the
/// base64 of the HMAC with the application's secret. Compares in constant time.
///
/// # Errors
/// [`SignatureError`]; then the body must not be processed.
pub fn verify(secret: &[u8], body: &[u8], signature: Option<&str>) -> Result<(), SignatureError> {
    let (algorithm, given) = parts(signature)?;
    let checked = match algorithm {
        Algorithm::Sha1 => check(Hmac::<Sha1>::new_from_slice(secret), body, &given),
        Algorithm::Sha256 => check(Hmac::<Sha256>::new_from_slice(secret), body, &given),
    };
    checked.map_err(|_| SignatureError::Wrong)
}

/// Checks that `signature` is well-formed, without a body.
///
/// # Errors
/// [`SignatureError`], but never [`SignatureError::Wrong`].
pub fn check_form(signature: Option<&str>) -> Result<(), SignatureError> {
    parts(signature).map(drop)
}

enum Algorithm {
    Sha1,
    Sha256,
}

fn parts(signature: Option<&str>) -> Result<(Algorithm, Vec<u8>), SignatureError> {
    let (algorithm, given) = signature.ok_or(SignatureError::Missing)?.trim().split_once('=').unwrap_or_default();
    let given = STANDARD.decode(given).map_err(|_| SignatureError::Malformed)?;
    match algorithm {
        "sha1" => Ok((Algorithm::Sha1, given)),
        "sha256" => Ok((Algorithm::Sha256, given)),
        _ => Err(SignatureError::Malformed),
    }
}

fn check<M: Mac>(mac: Result<M, InvalidLength>, body: &[u8], given: &[u8]) -> Result<(), MacError> {
    // An HMAC accepts keys of every length.
    mac.map_err(|_| MacError)?.chain_update(body).verify_slice(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"emulator-secret";
    const BODY: &[u8] = br#"{"kind":"notification","body":{"changes":[]},"type":"ms.MessagingEventNotification"}"#;

    #[test]
    fn both_algorithms_are_taken_over_the_raw_bytes() {
        for signature in ["sha1=QXrgMO1TEp21Q1FWZOAsJ+uuMWw=", "sha256=ky1yUVIGvYhVC3SZVVe6KHCscq3klxE4dfeSK0saw3A="] {
            assert_eq!(verify(SECRET, BODY, Some(signature)), Ok(()));
            assert_eq!(verify(b"another", BODY, Some(signature)), Err(SignatureError::Wrong));
            assert_eq!(verify(SECRET, &BODY[1..], Some(signature)), Err(SignatureError::Wrong));
        }
    }

    #[test]
    fn a_signature_of_the_other_algorithm_or_cut_short_is_wrong() {
        let cut = STANDARD.encode(&STANDARD.decode("QXrgMO1TEp21Q1FWZOAsJ+uuMWw=").unwrap()[..10]);
        for signature in ["sha256=QXrgMO1TEp21Q1FWZOAsJ+uuMWw=".to_owned(), "sha1=".to_owned(), format!("sha1={cut}")] {
            assert_eq!(verify(SECRET, BODY, Some(&signature)), Err(SignatureError::Wrong), "{signature}");
            assert_eq!(check_form(Some(&signature)), Ok(()), "{signature}");
        }
    }

    #[test]
    fn what_is_no_signature_is_told_apart() {
        assert_eq!(verify(SECRET, BODY, None), Err(SignatureError::Missing));
        assert_eq!(check_form(None), Err(SignatureError::Missing));
        for signature in ["", "sha1", "md5=QXrgMO1TEp21Q1FWZOAsJ+uuMWw=", "sha1=?", "QXrgMO1TEp21Q1FWZOAsJ+uuMWw="] {
            assert_eq!(verify(SECRET, BODY, Some(signature)), Err(SignatureError::Malformed), "{signature}");
            assert_eq!(check_form(Some(signature)), Err(SignatureError::Malformed), "{signature}");
        }
    }
}
