//! The URL of a webhook's receiver, and the checks that need only the URL.

use std::{fmt, net::IpAddr};

use awc::http::Uri;
use serde::{Deserialize, Serialize};

use tertulia_actors::core::address::is_internal;

/// The longest accepted URL, in bytes.
const LONGEST: usize = 2_048;

/// The URL of a receiver: `https`, or `http` if internal addresses are allowed; with a host and without credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Target(String);

/// Why a URL is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The URL cannot be parsed, or has another scheme.
    #[error("the url must be an absolute https URL of at most {LONGEST} bytes")]
    NotAUrl,
    /// The URL is plain HTTP, which is allowed only with internal receivers.
    #[error("the url must be https: over http anyone on the way could read the events")]
    NotEncrypted,
    /// The URL contains a user name or password.
    #[error("the url must not hold credentials")]
    Credentials,
    /// The URL leads to this machine or to a private network.
    #[error(
        "the url leads to an internal address, which the configuration does not allow: see webhooks.allow_internal"
    )]
    Internal,
}

impl Target {
    /// Parses a URL. The addresses of a host name are checked at each connection, not here.
    ///
    /// # Errors
    /// [`TargetError`].
    pub fn parse(text: &str, allow_internal: bool) -> Result<Self, TargetError> {
        if text.len() > LONGEST || text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '#') {
            return Err(TargetError::NotAUrl);
        }
        let uri: Uri = text.parse().map_err(|_| TargetError::NotAUrl)?;
        let authority = uri.authority().ok_or(TargetError::NotAUrl)?;
        if authority.as_str().contains('@') {
            return Err(TargetError::Credentials);
        }
        let host = authority.host();
        // The parser does not check that the port is a number in range.
        let port_is_wrong = authority.as_str()[host.len()..].len() > 1 && uri.port_u16().is_none();
        if host.is_empty() || port_is_wrong || uri.port_u16() == Some(0) {
            return Err(TargetError::NotAUrl);
        }
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if allow_internal => {}
            Some("http") => return Err(TargetError::NotEncrypted),
            _ => return Err(TargetError::NotAUrl),
        }
        match literal(host) {
            Some(address) if is_internal(address) && !allow_internal => Err(TargetError::Internal),
            _ => Ok(Self(text.to_owned())),
        }
    }

    /// The URL as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The address, if the host is an address and not a name.
pub(super) fn literal(host: &str) -> Option<IpAddr> {
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receivers_are_https_without_credentials_and_not_internal() {
        let long = format!("https://example.com/{}", "a".repeat(LONGEST));
        for (text, outcome) in [
            ("https://example.com/hook?key=1", Ok(())),
            ("https://example.com:8443", Ok(())),
            ("https://8.8.8.8/hook", Ok(())),
            ("https://[2606:4700:4700::1111]/hook", Ok(())),
            ("http://example.com/hook", Err(TargetError::NotEncrypted)),
            ("ftp://example.com/", Err(TargetError::NotAUrl)),
            ("file:///etc/passwd", Err(TargetError::NotAUrl)),
            ("/hook", Err(TargetError::NotAUrl)),
            ("example.com", Err(TargetError::NotAUrl)),
            ("https://", Err(TargetError::NotAUrl)),
            ("https://:443/", Err(TargetError::NotAUrl)),
            ("https://example.com:0/", Err(TargetError::NotAUrl)),
            ("https://example.com:99999/", Err(TargetError::NotAUrl)),
            ("https://example.com/#fragment", Err(TargetError::NotAUrl)),
            ("https://example.com/a b", Err(TargetError::NotAUrl)),
            ("https://example.com/\r\nhost: x", Err(TargetError::NotAUrl)),
            (&long, Err(TargetError::NotAUrl)),
            ("https://user:password@example.com/", Err(TargetError::Credentials)),
            ("https://example.com@127.0.0.1/", Err(TargetError::Credentials)),
            ("https://127.0.0.1/", Err(TargetError::Internal)),
            ("https://169.254.169.254/latest", Err(TargetError::Internal)),
            ("https://[::1]:8443/", Err(TargetError::Internal)),
            ("https://[::ffff:10.0.0.1]/", Err(TargetError::Internal)),
        ] {
            assert_eq!(Target::parse(text, false).map(|_| ()), outcome, "{text}");
        }
    }

    #[test]
    fn plain_http_is_allowed_with_internal_addresses() {
        for text in ["http://127.0.0.1:8080/hook", "http://localhost/", "https://[::1]/"] {
            assert!(Target::parse(text, true).is_ok(), "{text}");
        }
        assert_eq!(Target::parse("http://a:b@localhost/", true), Err(TargetError::Credentials));
    }
}
