//! Consumers' tokens: JWTs that the emulator signs with HMAC SHA-256 (HS256, RFC 7515) and reads back (protocol
//! [§2.3](crate::protocol#23), [§10.2](crate::protocol#102)).

use std::collections::HashSet;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Sha256;

use super::random_secret;

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("the token does not have three parts of Base64 with JSON in them")]
    Malformed,
    #[error("this account did not sign the token with HS256")]
    Foreign,
    #[error("the token is for another account")]
    OtherAccount,
    #[error("the token has expired")]
    Expired,
    #[error("the token has been revoked")]
    Revoked,
    #[error("the token names nobody")]
    Nameless,
}

/// The account's signing key and the tokens that it has revoked.
pub(crate) struct Tokens {
    signing: Hmac<Sha256>,
    account: String,
    revoked: HashSet<String>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
}

/// The claims that decide whether a token is valid.
#[derive(Deserialize)]
struct Validity {
    aud: String,
    exp: u64,
}

impl Tokens {
    pub(crate) fn new(account: &str) -> Self {
        #[allow(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let signing = Hmac::new_from_slice(random_secret().as_bytes()).expect("a key of any length");
        Self { signing, account: account.to_owned(), revoked: HashSet::new() }
    }

    /// A token for a subject that lives some seconds; further claims are added to it. Two tokens of one second are two
    /// tokens, so that one of them can be taken back.
    pub(crate) fn issue(&self, subject: &str, seconds: u64, claims: Value) -> String {
        let now = epoch_seconds();
        let mut body = json!({
            "sub": subject,
            "aud": self.audience(),
            "iss": "https://idp.liveperson.net",
            "iat": now,
            "exp": now + seconds,
            "jti": uuid::Uuid::new_v4().to_string(),
        });
        if let (Value::Object(body), Value::Object(claims)) = (&mut body, claims) {
            body.extend(claims);
        }
        self.sign(&json!({"typ": "JWT", "alg": "HS256", "kid": "emulator"}), &body)
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
        let signature = self.signing.clone().chain_update(&signed).finalize().into_bytes();
        format!("{signed}.{}", BASE64.encode(signature))
    }

    /// The claims of a valid token; an expired one is invalid.
    pub(crate) fn read(&self, token: &str) -> Result<Value, TokenError> {
        if self.revoked.contains(token) {
            return Err(TokenError::Revoked);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        let header: Header = decode(header)?;
        let signature = BASE64.decode(signature).map_err(|_| TokenError::Malformed)?;
        let is_ours = self.signing.clone().chain_update(signed).verify_slice(&signature).is_ok();
        if header.alg != "HS256" || !is_ours {
            return Err(TokenError::Foreign);
        }
        let validity: Validity = decode(claims)?;
        if validity.aud != self.audience() {
            return Err(TokenError::OtherAccount);
        }
        if validity.exp <= epoch_seconds() {
            return Err(TokenError::Expired);
        }
        decode(claims)
    }

    fn audience(&self) -> String {
        format!("acc:{}", self.account)
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

/// The JSON of one part of a token.
fn decode<T: serde::de::DeserializeOwned>(part: &str) -> Result<T, TokenError> {
    let json = BASE64.decode(part).map_err(|_| TokenError::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| TokenError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_the_subject_and_claims_that_it_was_issued_with() {
        let tokens = Tokens::new("12345678");
        let token = tokens.issue("ann", 60, json!({"lp_sdes": []}));
        let claims = tokens.read(&token).unwrap();
        assert_eq!((&claims["sub"], &claims["lp_sdes"]), (&json!("ann"), &json!([])));
        assert_eq!(tokens.subject(&token).as_deref(), Ok("ann"));
        assert_ne!(token, tokens.issue("ann", 60, json!({"lp_sdes": []})));
    }

    #[test]
    fn only_a_whole_unexpired_token_of_this_account_with_its_signature_is_read() {
        let mut tokens = Tokens::new("12345678");
        let now = epoch_seconds();
        let claims =
            |account: &str, expires: u64| json!({"sub": "ann", "aud": format!("acc:{account}"), "exp": expires});
        let header = |algorithm: &str| json!({"typ": "JWT", "alg": algorithm});
        let good = tokens.sign(&header("HS256"), &claims("12345678", now + 60));
        assert!(tokens.read(&good).is_ok());
        let (signed, _) = good.rsplit_once('.').unwrap();
        let refused = [
            (tokens.sign(&header("HS256"), &claims("12345678", now)), TokenError::Expired),
            (tokens.sign(&header("HS256"), &claims("87654321", now + 60)), TokenError::OtherAccount),
            (tokens.sign(&header("none"), &claims("12345678", now + 60)), TokenError::Foreign),
            (Tokens::new("12345678").sign(&header("HS256"), &claims("12345678", now + 60)), TokenError::Foreign),
            (format!("{signed}."), TokenError::Foreign),
            (signed.to_owned(), TokenError::Malformed),
            ("e30.e30.e30".to_owned(), TokenError::Malformed),
            (String::new(), TokenError::Malformed),
        ];
        for (token, error) in refused {
            assert_eq!(tokens.read(&token), Err(error), "{token}");
        }
        let nameless = json!({"aud": "acc:12345678", "exp": now + 60});
        assert_eq!(tokens.subject(&tokens.sign(&header("HS256"), &nameless)), Err(TokenError::Nameless));
        tokens.revoke(&good);
        assert_eq!(tokens.read(&good), Err(TokenError::Revoked));
    }
}
