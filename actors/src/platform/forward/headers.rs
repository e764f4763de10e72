//! Selects the headers that are forwarded between a caller and a service.

use awc::http::header::HeaderMap as ClientHeaders;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{self, CONNECTION},
};

use super::target;

/// Headers that concern one HTTP connection (RFC 9110 §7.6.1). They are never forwarded.
const HOP_BY_HOP: [&str; 8] =
    ["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "content-length"];
/// Headers of a request about the caller's identity, about the address of the request, and about the encoding of the
/// answer.
const OF_REQUEST: [&str; 9] =
    ["accept-encoding", "authorization", "cookie", "cookie2", "expect", "forwarded", "host", "origin", "referer"];
/// Headers of an answer that are for the connection's login or for the connection to the service.
const OF_ANSWER: [&str; 8] = [
    "alt-svc",
    "authentication-info",
    "content-encoding",
    "content-location",
    "set-cookie",
    "set-cookie2",
    "strict-transport-security",
    "www-authenticate",
];

/// The headers of a request that are forwarded to the service.
pub(super) fn of_request(headers: &HeaderMap) -> HeaderMap {
    let named = named(headers.get_all(CONNECTION).iter());
    let is_own =
        |name: &str| OF_REQUEST.contains(&name) || name.starts_with("sec-") || name.starts_with("x-forwarded-");
    let passing = headers.iter().filter(|(name, _)| !is_hop_by_hop(name, &named) && !is_own(name.as_str()));
    passing.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The headers of an answer of the service at `host` that are forwarded to the caller. A `Location` at the service
/// becomes a path.
pub(super) fn of_answer(headers: &ClientHeaders, host: &str) -> HeaderMap {
    let named = named(headers.get_all(CONNECTION));
    let mut passing = HeaderMap::new();
    for (name, value) in headers {
        if *name == header::LOCATION {
            if let Some(path) = value.to_str().ok().and_then(|location| path_at(location, host)) {
                passing.insert(header::LOCATION, path);
            }
        } else if !is_hop_by_hop(name, &named) && !OF_ANSWER.contains(&name.as_str()) {
            passing.append(name.clone(), value.clone());
        }
    }
    // The size is reliable, because the HTTP client compares the size of the body with it.
    if let Some(size) = headers.get(header::CONTENT_LENGTH) {
        passing.insert(header::CONTENT_LENGTH, size.clone());
    }
    passing
}

/// The headers that a `Connection` header names.
fn named<'h>(values: impl Iterator<Item = &'h HeaderValue>) -> Vec<String> {
    let texts = values.filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect()
}

fn is_hop_by_hop(name: &HeaderName, named: &[String]) -> bool {
    let name = name.as_str();
    HOP_BY_HOP.contains(&name) || name.starts_with("proxy-") || named.iter().any(|other| other == name)
}

/// The path of a `Location` that stays at `host`.
fn path_at(location: &str, host: &str) -> Option<HeaderValue> {
    let bare = host.split_once("://").map_or(host, |(_, authority)| authority);
    let path = match location.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") || host.starts_with("http://") => {
            let at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            let (authority, path) = rest.split_at(at);
            if !authority.eq_ignore_ascii_case(bare) {
                return None;
            }
            if path.is_empty() { "/" } else { path }
        }
        _ => location,
    };
    target::check(path).ok()?;
    HeaderValue::from_str(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map<M: FromIterator<(HeaderName, HeaderValue)>>(headers: &[(&'static str, &'static str)]) -> M {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        headers.iter().map(pair).collect()
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn headers_about_the_identity_or_the_address_of_the_caller_are_removed() {
        let headers: HeaderMap = map(&[
            ("host", "evil.example"),
            ("authorization", "Bearer gateway"),
            ("cookie", "session_id=1"),
            ("proxy-authorization", "Basic eA=="),
            ("connection", "close, X-Named"),
            ("x-named", "1"),
            ("keep-alive", "1"),
            ("te", "trailers"),
            ("trailer", "x"),
            ("transfer-encoding", "chunked"),
            ("content-length", "7"),
            ("upgrade", "websocket"),
            ("expect", "100-continue"),
            ("accept-encoding", "gzip"),
            ("sec-websocket-protocol", "bearer.eA"),
            ("origin", "https://page.example"),
            ("referer", "https://page.example/x"),
            ("forwarded", "for=1.2.3.4"),
            ("x-forwarded-for", "1.2.3.4"),
            ("accept", "application/json"),
            ("content-type", "application/json"),
            ("if-match", "\"1\""),
            ("x-lp-on-behalf", "consumer"),
        ]);
        assert_eq!(names(&of_request(&headers)), ["accept", "content-type", "if-match", "x-lp-on-behalf"]);
    }

    #[test]
    fn headers_of_an_answer_about_cookies_or_the_connection_are_removed() {
        let mut headers = ClientHeaders::new();
        for (name, value) in [
            ("set-cookie", "session_id=1"),
            ("set-cookie2", "x"),
            ("www-authenticate", "Bearer"),
            ("proxy-authenticate", "Basic"),
            ("connection", "x-named"),
            ("x-named", "1"),
            ("transfer-encoding", "chunked"),
            ("content-location", "/other"),
            ("alt-svc", "h3"),
            ("etag", "\"1\""),
            ("ac-revision", "7"),
            ("retry-after", "1"),
            ("content-type", "application/json"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let passing = of_answer(&headers, "a.example");
        assert_eq!(names(&passing), ["ac-revision", "content-type", "etag", "retry-after"]);
    }

    #[test]
    fn a_location_passes_only_if_it_stays_at_the_service() {
        for (location, path) in [
            ("/next?x=1", Some("/next?x=1")),
            ("https://a.example:8443/next", Some("/next")),
            ("HTTPS://A.example:8443", Some("/")),
            ("https://a.example/next", None),
            ("http://a.example:8443/next", None),
            ("https://evil.example/next", None),
            ("https://a.example:8443@evil.example/", None),
            ("//evil.example/next", None),
            ("/a/../b", None),
            ("next", None),
            ("javascript:alert(1)", None),
        ] {
            let found = path_at(location, "a.example:8443");
            assert_eq!(found.as_ref().map(|path| path.to_str().unwrap()), path, "{location}");
        }
    }
}
