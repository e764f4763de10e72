//! Consumers' tokens: three-part JWTs that the emulator signs and reads back (protocol §2.3, §10.2).

use std::collections::HashSet;
use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde_json::{Value, json};

use super::random_secret;

/// Why a token is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("the token is not one of this account: {0}")]
    Invalid(#[from] jsonwebtoken::errors::Error),
    #[error("the token has been revoked")]
    Revoked,
    #[error("the token names nobody")]
    Nameless,
}

/// The account's signing key and what it has taken back.
pub(crate) struct Tokens {
    signing: EncodingKey,
    verifying: DecodingKey,
    account: String,
    revoked: HashSet<String>,
}

impl Tokens {
    pub(crate) fn new(account: &str) -> Self {
        let secret = random_secret();
        Self {
            signing: EncodingKey::from_secret(secret.as_bytes()),
            verifying: DecodingKey::from_secret(secret.as_bytes()),
            account: account.to_owned(),
            revoked: HashSet::new(),
        }
    }

    /// A token for a subject that lives some seconds; further claims are added to it. Two tokens of one second are two
    /// tokens, so that one of them can be taken back.
    pub(crate) fn issue(&self, subject: &str, seconds: u64, claims: Value) -> Result<String, TokenError> {
        let now = epoch_seconds();
        let mut body = json!({
            "sub": subject,
            "aud": format!("acc:{}", self.account),
            "iss": "https://idp.liveperson.net",
            "iat": now,
            "exp": now + seconds,
            "jti": uuid::Uuid::new_v4().to_string(),
        });
        if let (Value::Object(body), Value::Object(claims)) = (&mut body, claims) {
            body.extend(claims);
        }
        let header = Header { kid: Some("emulator".to_owned()), ..Header::new(Algorithm::HS256) };
        Ok(encode(&header, &body, &self.signing)?)
    }

    /// The claims of a valid token; an expired one is invalid.
    pub(crate) fn read(&self, token: &str) -> Result<Value, TokenError> {
        if self.revoked.contains(token) {
            return Err(TokenError::Revoked);
        }
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[format!("acc:{}", self.account)]);
        validation.leeway = 0;
        Ok(decode::<Value>(token, &self.verifying, &validation)?.claims)
    }

    /// The subject of a valid token.
    pub(crate) fn subject(&self, token: &str) -> Result<String, TokenError> {
        self.read(token)?["sub"].as_str().map(str::to_owned).ok_or(TokenError::Nameless)
    }

    /// Takes a token back.
    pub(crate) fn revoke(&mut self, token: &str) {
        self.revoked.insert(token.to_owned());
    }
}

fn epoch_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
