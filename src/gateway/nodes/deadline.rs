//! How long a request may take over all nodes. The first node determines it, and a node to which the request is passed on has
//! what is left. Pure.

use std::time::Duration;

use actix_web::http::{
    Method,
    header::{HeaderMap, HeaderName, HeaderValue},
};

/// The header with the milliseconds that a passed-on request may still take.
pub(super) const DEADLINE: HeaderName = HeaderName::from_static("tertulia-deadline");
/// The header with the number of times a request was passed on. A request that was passed on is not passed on again.
pub(super) const HOPS: HeaderName = HeaderName::from_static("tertulia-hops");
/// The only value of [`HOPS`].
const ONE: HeaderValue = HeaderValue::from_static("1");

/// How long a request that only reads may take.
const READS: Duration = Duration::from_secs(30);
/// How long a request that acts may take: longer than an endpoint waits for the outcome.
const ACTS: Duration = Duration::from_secs(90);
/// How long a request that carries a file, or a request to a service of the platform, may take.
const TRANSFERS: Duration = Duration::from_secs(300);

/// How long a request may take, from its arrival at the first node.
pub(super) fn allowed(method: &Method, path: &str) -> Duration {
    let is_transfer = |segment: &str| matches!(segment, "files" | "platform");
    if path.split('/').any(is_transfer) {
        TRANSFERS
    } else if *method == Method::GET || *method == Method::HEAD {
        READS
    } else {
        ACTS
    }
}

/// The headers of a request that is passed on and may still take this long.
pub(super) fn passed_on(left: Duration) -> [(HeaderName, HeaderValue); 2] {
    let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
    [(DEADLINE, HeaderValue::from(left)), (HOPS, ONE)]
}

/// How long a passed-on request may still take; `None` if it does not say.
pub(in crate::gateway) fn time_left(headers: &HeaderMap) -> Option<Duration> {
    headers.get(DEADLINE)?.to_str().ok()?.parse().ok().map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_may_take_longer_than_acts_and_acts_longer_than_reads() {
        assert_eq!(allowed(&Method::GET, "/v1/conversations/c"), READS);
        assert_eq!(allowed(&Method::POST, "/v1/conversations/c/messages"), ACTS);
        assert_eq!(allowed(&Method::POST, "/v1/conversations/c/files"), TRANSFERS);
        assert_eq!(allowed(&Method::GET, "/v1/connections/b/platform/service/path"), TRANSFERS);
    }

    #[test]
    fn the_next_node_has_the_time_that_is_left() {
        let mut headers = HeaderMap::new();
        assert_eq!(time_left(&headers), None);
        for (name, value) in passed_on(Duration::from_micros(1_700)) {
            headers.insert(name, value);
        }
        assert_eq!(time_left(&headers), Some(Duration::from_millis(1)));
        assert_eq!(headers.get(HOPS), Some(&ONE));
        headers.insert(DEADLINE, HeaderValue::from_static("soon"));
        assert_eq!(time_left(&headers), None);
    }
}
