//! Where other nodes call: a listener of its own, behind the secret that nodes share.

use std::{io, sync::Arc};

use actix_web::{
    App, Error, HttpMessage as _, HttpResponse, HttpServer, ResponseError as _,
    body::{BoxBody, MessageBody},
    dev::{ServerHandle, ServiceRequest, ServiceResponse},
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue},
    },
    middleware::{Next, from_fn},
    web::{self, Data},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use utoipa_actix_web::AppExt as _;

use super::Neighbours;
use crate::{
    config::Scope,
    gateway::{access::Holder, problem::Problem, routes::routes, state::State},
    reach::Reach,
};

/// The header with the caller that the first node has admitted.
pub(super) const CALLER: HeaderName = HeaderName::from_static("tertulia-caller");
/// Threads that serve other nodes.
const WORKERS: usize = 1;

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
pub(super) fn describe(request: &ServiceRequest) -> Option<HeaderValue> {
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

fn described(request: &ServiceRequest, state: &State) -> Option<Arc<Holder>> {
    let text = BASE64_STANDARD.decode(request.headers().get(CALLER)?.as_bytes()).ok()?;
    let Described { name, scope, reach, forwarded_bytes } = serde_json::from_slice(&text).ok()?;
    Some(Arc::new(Holder::of_another_node(name, scope, reach, forwarded_bytes, state.closing.child_token())))
}

/// Listens to other nodes.
pub(in crate::gateway) fn listen(state: Data<State>, neighbours: &Neighbours) -> io::Result<ServerHandle> {
    let listen = neighbours.listen;
    let neighbours = Data::new(neighbours.clone());
    let server = HttpServer::new(move || {
        let app = App::new().app_data(state.clone()).app_data(neighbours.clone()).wrap(from_fn(require));
        let app = app.route("/internal/v1/nudge", web::post().to(nudge));
        app.into_utoipa_app().configure(routes).into_app()
    });
    let server = server.workers(WORKERS).disable_signals().shutdown_timeout(1).bind(listen)?.run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    Ok(handle)
}

/// Admits nodes only, and makes their callers this node's.
async fn require(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let (neighbours, state) = (request.app_data::<Data<Neighbours>>(), request.app_data::<Data<State>>());
    let is_node = neighbours.is_some_and(|neighbours| neighbours.secret.is_shown(request.headers()));
    let holder = state.and_then(|state| described(&request, state));
    if !is_node {
        let problem =
            Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", "only nodes of the cluster may call here");
        return Ok(request.into_response(problem.error_response()));
    }
    request.extensions_mut().insert(ForCaller);
    if let Some(holder) = holder {
        request.extensions_mut().insert(holder);
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}

/// Something has changed in the database that this node should see at once.
async fn nudge(neighbours: Data<Neighbours>) -> HttpResponse {
    neighbours.members.beat_now();
    HttpResponse::NoContent().finish()
}
