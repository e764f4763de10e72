//! The origins whose pages may call from a browser.

use actix_web::http::header::{self, HeaderMap, HeaderValue};

/// The origins whose pages may call.
pub(super) struct Origins(Vec<HeaderValue>);

impl Origins {
    pub(super) fn new(origins: &[String]) -> Self {
        // The configuration accepts only origins that are valid header values.
        Self(origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the request comes from a page of one of the origins.
    pub(super) fn allow(&self, headers: &HeaderMap) -> bool {
        headers.get(header::ORIGIN).is_some_and(|origin| self.0.contains(origin))
    }
}
