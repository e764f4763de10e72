//! Checks that a path cannot lead to another service.

use std::borrow::Cow;

/// The most rounds of percent-decoding that a path can need before it counts as malformed.
const ROUNDS: usize = 4;
/// The longest name of a service.
const NAME: usize = 64;

/// Whether this can be the name of a service.
pub(super) fn is_service_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=NAME).contains(&name.len()) && name.bytes().all(is_plain)
}

/// Checks a path with its query.
///
/// A service, or a proxy in front of it, may decode a path once or twice and then resolve `..`. So no decoded form of
/// the path may contain characters or segments that could lead to another service.
///
/// # Errors
/// The reason why the path is refused.
pub(super) fn check(target: &str) -> Result<(), &'static str> {
    if !target.bytes().all(|byte| byte.is_ascii_graphic()) || target.contains('#') {
        return Err("the path or the query has characters that a URL must not contain");
    }
    let path = target.split('?').next().unwrap_or_default();
    if !path.starts_with('/') {
        return Err("the path does not begin with /");
    }
    let mut decoded: Cow<'_, [u8]> = path.as_bytes().into();
    for _ in 0..ROUNDS {
        check_decoded(&decoded)?;
        let next = decode(&decoded);
        if next == *decoded {
            return Ok(());
        }
        decoded = next.into();
    }
    Err("the path is percent-encoded too often")
}

fn check_decoded(path: &[u8]) -> Result<(), &'static str> {
    if path.iter().any(|byte| byte.is_ascii_control() || *byte == b'\\') {
        return Err("the path contains a backslash or a control character");
    }
    if path.starts_with(b"//") {
        return Err("the path begins with //");
    }
    // Some servers remove parameters after a semicolon before they resolve `.` and `..`.
    let name = |segment: &[u8]| segment.split(|byte| *byte == b';').next().unwrap_or_default().to_vec();
    let is_dots = |segment: &[u8]| matches!(name(segment).as_slice(), b"." | b"..");
    if path.split(|byte| *byte == b'/').any(is_dots) {
        return Err("the path contains . or .. as a segment");
    }
    Ok(())
}

/// Decodes every valid percent-encoded byte.
fn decode(path: &[u8]) -> Vec<u8> {
    let digit = |byte: Option<&u8>| {
        byte.and_then(|byte| char::from(*byte).to_digit(16)).and_then(|digit| u8::try_from(digit).ok())
    };
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((first, after)) = rest.split_first() {
        match (first, digit(after.first()), digit(after.get(1))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(high * 16 + low);
                rest = &after[2..];
            }
            _ => {
                decoded.push(*first);
                rest = after;
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_could_lead_elsewhere_is_refused() {
        for bad in [
            "",
            "api",
            "//evil.example/x",
            "/%2fevil.example",
            "/%2Fevil.example",
            "/a/../b",
            "/a/..",
            "/./a",
            "/a/%2e%2e/b",
            "/a/%2E./b",
            "/a/.%2e",
            "/a%2f..%2fb",
            "/a/%252e%252e/b",
            "/a/..;x=1/b",
            "/a\\..\\b",
            "/a%5c..%5cb",
            "/a%0d%0ax:y",
            "/a%00",
            "/a b",
            "/a\tb",
            "/a#b",
            "/ü",
            "/a%2525252525252e",
            "https://evil.example/",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_valid_path_is_forwarded_unchanged() {
        for good in [
            "/",
            "/api/account/1/configuration/le-users/skills?v=2.0&select=id,name&in=a/../b",
            "/a%2Fb",
            "/a..b/...",
            "/a;v=1/b@c:d/e~f!$&'()*+,=",
            "/100%",
            "/%zz",
            "/a//b",
            "/%C3%BC",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn the_name_of_a_service_is_one_word() {
        assert!(is_service_name("accountConfigReadWrite") && is_service_name("le_data-1"));
        for bad in ["", "a/b", "..", "a?b", "a%2fb", "a b", &"a".repeat(NAME + 1)] {
            assert!(!is_service_name(bad), "{bad}");
        }
    }
}
