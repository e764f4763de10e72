//! Who may come in: agents' logins and sessions, consumers' tokens.

mod agents;
mod oauth1;
mod tokens;

pub(crate) use agents::{AgentSession, AgentSessions, Credentials, KnownAgent, SessionNumber};
pub(crate) use oauth1::{OAuthHeader, Secrets, SignatureError, SignedRequest};
pub(crate) use tokens::Tokens;

use sha2::{Digest, Sha256};

/// Lower-case hexadecimal digits of bytes.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// An id of 64 hexadecimal digits that depends on nothing but its parts.
pub(crate) fn derived_id(parts: &[&str]) -> String {
    hex(&Sha256::digest(parts.join("\u{1f}")))
}

/// A secret of 64 hexadecimal digits.
pub(crate) fn random_secret() -> String {
    hex(&rand::random::<[u8; 32]>())
}
