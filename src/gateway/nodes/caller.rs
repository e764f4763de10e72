//! The caller of a request, as one node describes it to another.

use std::sync::Arc;

use actix_web::{
    HttpMessage as _, HttpRequest,
    http::header::{HeaderMap, HeaderName, HeaderValue},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::{config::Scope, gateway::access::Holder, reach::Reach};

/// The header with the caller that the first node has admitted.
pub(super) const CALLER: HeaderName = HeaderName::from_static("tertulia-caller");

/// Marks a request of another node, made for a caller.
#[derive(Clone, Copy, Debug)]
pub(in crate::gateway) struct ForCaller;

/// A caller, as one node describes it to another.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    name: Option<String>,
    scope: Scope,
    reach: Reach,
    forwarded_bytes: u64,
}

/// The caller of a request, for another node; `None` if it needs none, as a webhook of the platform.
pub(super) fn describe(request: &HttpRequest) -> Option<HeaderValue> {
    let holder = request.extensions().get::<Arc<Holder>>().cloned()?;
    let described = Described {
        name: holder.name.as_deref().map(str::to_owned),
        scope: holder.scope,
        reach: holder.reach.clone(),
        forwarded_bytes: holder.forwarded_bytes,
    };
    let text = serde_json::to_vec(&described).ok()?;
    HeaderValue::from_str(&BASE64_STANDARD.encode(text)).ok()
}

/// The caller that another node describes, until `gone`.
pub(in crate::gateway) fn described(headers: &HeaderMap, gone: CancellationToken) -> Option<Arc<Holder>> {
    let text = BASE64_STANDARD.decode(headers.get(CALLER)?.as_bytes()).ok()?;
    let Described { name, scope, reach, forwarded_bytes } = serde_json::from_slice(&text).ok()?;
    Some(Arc::new(Holder::of_another_node(name, scope, reach, forwarded_bytes, gone)))
}
