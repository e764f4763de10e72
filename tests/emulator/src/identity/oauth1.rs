//! Requests that are signed with an agent's API keys instead of a bearer (OAuth 1.0, RFC 5849).

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;

/// How many seconds the clock of a signer may differ from ours.
const CLOCK_SKEW: u64 = 300;

/// Why a signed request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignatureError {
    #[error("the OAuth header is malformed")]
    Malformed,
    #[error("the OAuth key or token is unknown")]
    UnknownKey,
    #[error("the OAuth signature method is not HMAC-SHA1, HMAC-SHA256 or PLAINTEXT")]
    Method,
    #[error("the OAuth timestamp is more than five minutes away")]
    Timestamp,
    #[error("the OAuth signature is wrong")]
    Signature,
}

/// The two secrets that sign a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Secrets {
    /// Of the application key.
    pub(crate) consumer: String,
    /// Of the access token.
    pub(crate) token: String,
}

/// The request that was signed, as far as the signature covers it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SignedRequest<'a> {
    pub(crate) method: &'a str,
    /// Scheme, host and path, without the query.
    pub(crate) url: &'a str,
    pub(crate) query: &'a str,
}

/// The parameters of an `Authorization: OAuth` header.
#[derive(Debug)]
pub(crate) struct OAuthHeader(Vec<(String, String)>);

impl OAuthHeader {
    /// Reads the parameters behind the word `OAuth`.
    pub(crate) fn read(parameters: &str) -> Result<Self, SignatureError> {
        let pairs = parameters.split(',').map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            Some((decoded(name, false)?, decoded(value.trim_matches('"'), false)?))
        });
        pairs.collect::<Option<Vec<_>>>().map(Self).ok_or(SignatureError::Malformed)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The application key that signs.
    pub(crate) fn consumer_key(&self) -> &str {
        self.get("oauth_consumer_key").unwrap_or_default()
    }

    /// The access token that the request is signed for.
    pub(crate) fn token(&self) -> &str {
        self.get("oauth_token").unwrap_or_default()
    }

    /// Whether these secrets signed this request, at about this time in seconds since the epoch.
    pub(crate) fn verify(&self, request: SignedRequest<'_>, secrets: &Secrets, now: u64) -> Result<(), SignatureError> {
        let signature = self.get("oauth_signature").ok_or(SignatureError::Malformed)?;
        let key = format!("{}&{}", encoded(&secrets.consumer), encoded(&secrets.token));
        let method = self.get("oauth_signature_method").unwrap_or_default();
        if method == "PLAINTEXT" {
            return (signature == key).then_some(()).ok_or(SignatureError::Signature);
        }
        let signed_at: u64 =
            self.get("oauth_timestamp").and_then(|time| time.parse().ok()).ok_or(SignatureError::Timestamp)?;
        if now.abs_diff(signed_at) > CLOCK_SKEW {
            return Err(SignatureError::Timestamp);
        }
        let base = self.base_string(request)?;
        let signature = BASE64.decode(signature).map_err(|_| SignatureError::Signature)?;
        let is_right = match method {
            "HMAC-SHA1" => Hmac::<Sha1>::new_from_slice(key.as_bytes())
                .is_ok_and(|mac| mac.chain_update(&base).verify_slice(&signature).is_ok()),
            "HMAC-SHA256" => Hmac::<Sha256>::new_from_slice(key.as_bytes())
                .is_ok_and(|mac| mac.chain_update(&base).verify_slice(&signature).is_ok()),
            _ => return Err(SignatureError::Method),
        };
        is_right.then_some(()).ok_or(SignatureError::Signature)
    }

    /// The signature base string (RFC 5849, section 3.4.1).
    fn base_string(&self, request: SignedRequest<'_>) -> Result<String, SignatureError> {
        let of_header = self.0.iter().filter(|(name, _)| name != "oauth_signature" && name != "realm");
        let mut parameters: Vec<(String, String)> =
            of_header.map(|(name, value)| (encoded(name), encoded(value))).collect();
        for pair in request.query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let both = decoded(name, true).zip(decoded(value, true));
            let (name, value) = both.ok_or(SignatureError::Malformed)?;
            parameters.push((encoded(&name), encoded(&value)));
        }
        parameters.sort_unstable();
        let parameters: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let parts = [request.method.to_uppercase(), encoded(request.url), encoded(&parameters.join("&"))];
        Ok(parts.join("&"))
    }
}

/// Percent-encodes everything but unreserved characters (RFC 5849, section 3.6).
fn encoded(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// Undoes percent-encoding; in a query a plus sign is a blank.
fn decoded(text: &str, in_query: bool) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            b'+' if in_query => b' ',
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The request that section 1.2 of RFC 5849 signs.
    const PHOTO: SignedRequest<'static> = SignedRequest {
        method: "GET",
        url: "http://photos.example.net/photos",
        query: "file=vacation.jpg&size=original",
    };

    fn header() -> OAuthHeader {
        OAuthHeader::read(
            r#"realm="Photos", oauth_consumer_key="dpf43f3p2l4k3l03", oauth_token="nnch734d00sl2jdk",
            oauth_signature_method="HMAC-SHA1", oauth_timestamp="137131202", oauth_nonce="chapoH",
            oauth_signature="MdpQcU8iPSUjWoN%2FUDMsK2sui9I%3D""#,
        )
        .unwrap()
    }

    fn secrets() -> Secrets {
        Secrets { consumer: "kd94hf93k423kf44".to_owned(), token: "pfkkdhi9sl3r4s00".to_owned() }
    }

    #[test]
    fn the_example_of_the_standard_is_verified() {
        let header = header();
        assert_eq!((header.consumer_key(), header.token()), ("dpf43f3p2l4k3l03", "nnch734d00sl2jdk"));
        assert_eq!(header.verify(PHOTO, &secrets(), 137_131_202), Ok(()));
    }

    #[test]
    fn the_base_string_is_that_of_the_standard() {
        let header = OAuthHeader::read(
            r#"realm="Example", oauth_consumer_key="9djdj82h48djs9d2", oauth_token="kkk9d7dh3k39sjv7",
            oauth_signature_method="HMAC-SHA1", oauth_timestamp="137131201", oauth_nonce="7d8f3e4a",
            oauth_signature="bYT5CMsGcbgUdFHObYMEfcx6bsw%3D""#,
        );
        // Section 3.4.1.1; the members of its form are in the query here.
        let query = "b5=%3D%253D&a3=a&c%40=&a2=r%20b&c2&a3=2+q";
        let request = SignedRequest { method: "post", url: "http://example.com/request", query };
        let expected = "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D\
            %26c%2540%3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a\
            %26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7";
        assert_eq!(header.unwrap().base_string(request).unwrap(), expected);
    }

    #[test]
    fn what_was_not_signed_like_that_is_refused() {
        let other = SignedRequest { query: "file=other.jpg&size=original", ..PHOTO };
        assert_eq!(header().verify(other, &secrets(), 137_131_202), Err(SignatureError::Signature));
        let others = Secrets { token: "other".to_owned(), ..secrets() };
        assert_eq!(header().verify(PHOTO, &others, 137_131_202), Err(SignatureError::Signature));
        assert_eq!(header().verify(PHOTO, &secrets(), 137_131_503), Err(SignatureError::Timestamp));
        assert_eq!(OAuthHeader::read("nothing").unwrap_err(), SignatureError::Malformed);
        let method = OAuthHeader::read(r#"oauth_signature_method="RSA", oauth_timestamp="1", oauth_signature="x""#);
        assert_eq!(method.unwrap().verify(PHOTO, &secrets(), 1), Err(SignatureError::Signature));
    }

    #[test]
    fn a_plain_signature_is_the_two_secrets() {
        let header = OAuthHeader::read(
            r#"oauth_signature_method="PLAINTEXT", oauth_signature="kd94hf93k423kf44%26pfkkdhi9sl3r4s00""#,
        );
        assert_eq!(header.unwrap().verify(PHOTO, &secrets(), 1), Ok(()));
    }
}
