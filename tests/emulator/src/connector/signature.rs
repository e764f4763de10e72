//! How a webhook is signed (protocol [§10.4](crate::protocol#104)).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;

/// Which hash a signature is made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignatureKind {
    /// `sha1=`, the usual one.
    #[default]
    Sha1,
    /// `sha256=`, as some accounts have it.
    Sha256,
}

impl SignatureKind {
    /// The header's value: the base64 of the HMAC over the raw body.
    pub(super) fn sign(self, secret: &str, body: &str) -> String {
        match self {
            Self::Sha1 => format!("sha1={}", mac::<Hmac<Sha1>>(secret, body)),
            Self::Sha256 => format!("sha256={}", mac::<Hmac<Sha256>>(secret, body)),
        }
    }
}

fn mac<M: Mac + KeyInit>(secret: &str, body: &str) -> String {
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(body.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_signed_over_its_raw_bytes() {
        let body = r#"{"kind":"notification","body":{"changes":[]},"type":"ms.MessagingEventNotification"}"#;
        assert_eq!(SignatureKind::Sha1.sign("emulator-secret", body), "sha1=QXrgMO1TEp21Q1FWZOAsJ+uuMWw=");
        let long = "sha256=ky1yUVIGvYhVC3SZVVe6KHCscq3klxE4dfeSK0saw3A=";
        assert_eq!(SignatureKind::Sha256.sign("emulator-secret", body), long);
    }
}
