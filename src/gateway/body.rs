//! The JSON body of a request. The size of each body and of all bodies together is limited, as is the time to send it;
//! the shape must be the documented one.

use std::{future::Future, pin::Pin, time::Duration};

use actix_web::{
    FromRequest, HttpMessage as _, HttpRequest,
    dev::Payload,
    http::{StatusCode, header},
    web::{self, Bytes, BytesMut, Data},
};
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;

use super::{
    problem::Problem,
    room::{Room, Taken},
    state::State,
};

/// The largest body, in bytes: four times the longest structured content with each character escaped.
const MAX_BYTES: usize = 512 * 1024;
/// How long a caller may take to send the body.
pub(super) const WITHIN: Duration = Duration::from_secs(10);

/// A body that was read.
pub(super) struct Body<T> {
    pub(super) value: T,
    /// Equal for requests with the same body to the same resource.
    pub(super) digest: Digest,
    _memory: Taken,
}

/// An optional body; if it is absent, its default is used.
pub(super) struct BodyOrNone<T> {
    pub(super) value: T,
    pub(super) digest: Digest,
    _memory: Taken,
}

/// A SHA-256 in hexadecimal.
pub(super) struct Digest(String);

impl Digest {
    /// The digest of `parts` for `resource`. Each part is hashed with its length, so that different parts never give
    /// the same input.
    pub(super) fn of<'p>(resource: &'p str, parts: impl IntoIterator<Item = &'p [u8]>) -> Self {
        let mut hash = Sha256::new();
        for part in [resource.as_bytes()].into_iter().chain(parts) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), web::Payload::from_request(request, payload).into_inner());
        Box::pin(async move {
            // Also stops pages of other origins from posting without a CORS permission.
            if !is_json(&request) {
                return Err(no_json());
            }
            let payload = payload.map_err(|error| Problem::bad_request(error.to_string()))?;
            let (bytes, memory) = read(&request, payload, MAX_BYTES, &room(&request)).await?;
            Ok(Self { value: parsed(&bytes)?, digest: digest(&request, &bytes), _memory: memory })
        })
    }
}

impl<T: DeserializeOwned + Default + 'static> FromRequest for BodyOrNone<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), web::Payload::from_request(request, payload).into_inner());
        Box::pin(async move {
            let payload = payload.map_err(|error| Problem::bad_request(error.to_string()))?;
            let (bytes, memory) = read(&request, payload, MAX_BYTES, &room(&request)).await?;
            let value = match bytes.is_empty() {
                true => T::default(),
                false if is_json(&request) => parsed(&bytes)?,
                false => return Err(no_json()),
            };
            Ok(Self { value, digest: digest(&request, &bytes), _memory: memory })
        })
    }
}

fn is_json(request: &HttpRequest) -> bool {
    request.content_type().eq_ignore_ascii_case("application/json")
}

fn no_json() -> Problem {
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json", "the body must be application/json")
}

fn parsed<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| Problem::bad_request(error.to_string()))
}

fn digest(request: &HttpRequest, bytes: &[u8]) -> Digest {
    Digest::of(&request.match_pattern().unwrap_or_default(), [bytes])
}

/// The memory for the bodies of admitted callers.
fn room(request: &HttpRequest) -> Room {
    // Every request of the service has its state.
    request.app_data::<Data<State>>().map_or_else(|| Room::new(MAX_BYTES), |state| state.bodies.clone())
}

/// Reads a whole body of at most `max` bytes if `room` has space. The memory is released when the returned [`Taken`] is
/// dropped.
///
/// # Errors
/// The body is too large, which its head may already say; it arrives too slowly; or `room` has no space.
pub(super) async fn read(
    request: &HttpRequest,
    payload: web::Payload,
    max: usize,
    room: &Room,
) -> Result<(Bytes, Taken), Problem> {
    if declared(request).is_some_and(|bytes| bytes > max as u64) {
        return Err(too_large(max as u64));
    }
    timeout(WITHIN, collect(payload, max, room)).await.unwrap_or_else(|_| Err(too_slow()))
}

async fn collect(mut payload: web::Payload, max: usize, room: &Room) -> Result<(Bytes, Taken), Problem> {
    let (mut body, mut memory) = (BytesMut::new(), room.enter());
    while let Some(piece) = payload.next().await {
        let piece = piece.map_err(|error| Problem::bad_request(error.to_string()))?;
        if body.len() + piece.len() > max {
            return Err(too_large(max as u64));
        }
        memory.grow(piece.len())?;
        body.extend_from_slice(&piece);
    }
    Ok((body.freeze(), memory))
}

/// The length of the body according to the head.
pub(super) fn declared(request: &HttpRequest) -> Option<u64> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

pub(super) fn too_large(max: u64) -> Problem {
    let detail = format!("the body has more than {max} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", detail)
}

pub(super) fn too_slow() -> Problem {
    Problem::new(StatusCode::REQUEST_TIMEOUT, "body-too-slow", "the body did not arrive in time")
}
