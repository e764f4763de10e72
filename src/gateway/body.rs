//! The JSON body of a request: bounded, in time, and of the documented shape.

use std::{future::Future, pin::Pin, time::Duration};

use actix_web::{FromRequest, HttpMessage as _, HttpRequest, dev::Payload, http::StatusCode, web};
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;

use super::problem::Problem;

/// The largest body, in bytes: four times what the longest structured content needs when each of its characters is
/// escaped.
const MAX_BYTES: usize = 512 * 1024;
/// How long a caller may take to send the body.
const WITHIN: Duration = Duration::from_secs(10);

/// A body that was read.
pub(super) struct Body<T> {
    pub(super) value: T,
    /// Tells one body from another.
    pub(super) digest: Digest,
}

/// The SHA-256 of a body, in hexadecimal.
pub(super) struct Digest(String);

impl Digest {
    fn of(body: &[u8]) -> Self {
        Self(Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = request.content_type().eq_ignore_ascii_case("application/json");
        let payload = web::Payload::from_request(request, payload).into_inner();
        Box::pin(async move {
            // Also keeps pages of other origins from posting without being asked for permission first.
            if !is_json {
                let detail = "the body must be application/json";
                return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json", detail));
            }
            let payload = payload.map_err(|error| Problem::bad_request(error.to_string()))?;
            let bytes = read(payload, MAX_BYTES).await?;
            let value = serde_json::from_slice(&bytes).map_err(|error| Problem::bad_request(error.to_string()))?;
            Ok(Self { value, digest: Digest::of(&bytes) })
        })
    }
}

/// Reads a whole body of at most `max` bytes.
pub(super) async fn read(payload: web::Payload, max: usize) -> Result<web::Bytes, Problem> {
    match timeout(WITHIN, payload.to_bytes_limited(max)).await {
        Ok(Ok(Ok(bytes))) => Ok(bytes),
        Ok(Ok(Err(error))) => Err(Problem::bad_request(error.to_string())),
        Ok(Err(_)) => {
            let detail = format!("the body has more than {max} bytes");
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", detail))
        }
        Err(_) => {
            let detail = "the body did not come in time";
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "body-too-slow", detail))
        }
    }
}
