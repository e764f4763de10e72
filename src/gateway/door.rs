//! Where other nodes call: a listener of its own, behind the secret that nodes share.

use std::io;

use actix_web::{
    App, Error, HttpMessage as _, HttpResponse, HttpServer, ResponseError as _,
    body::{BoxBody, MessageBody},
    dev::{ServerHandle, ServiceRequest, ServiceResponse},
    http::StatusCode,
    middleware::{Next, from_fn},
    web::{self, Data},
};
use utoipa_actix_web::AppExt as _;

use super::{
    nodes::{ForCaller, Neighbours, answer_find, answer_find_ring, described, internal_routes, misdirected},
    problem::Problem,
    routes::interface,
    state::State,
};
use crate::cluster::peers::NUDGE;

/// Threads that serve other nodes.
const WORKERS: usize = 1;

/// Listens to other nodes.
pub(super) fn listen(state: Data<State>, neighbours: &Neighbours) -> io::Result<ServerHandle> {
    let listen = neighbours.listen;
    let tls = neighbours.trust.server();
    let neighbours = Data::new(neighbours.clone());
    let server = HttpServer::new(move || {
        let app = App::new().app_data(state.clone()).app_data(neighbours.clone()).wrap(from_fn(require));
        let app = app.route(NUDGE, web::post().to(nudge)).configure(internal_routes);
        let app = app.route("/internal/v1/find/{conversation}", web::get().to(answer_find));
        let app = app.route("/internal/v1/find-ring/{ring}", web::get().to(answer_find_ring));
        let app = app.route("/internal/v1/rebalance", web::post().to(rebalance));
        app.into_utoipa_app().configure(interface).into_app()
    });
    let server = server.workers(WORKERS).disable_signals().shutdown_timeout(1);
    let server = match tls {
        Some(tls) => server.bind_rustls_0_23(listen, tls)?,
        None => server.bind(listen)?,
    };
    let server = server.run();
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
    let is_node = neighbours.is_some_and(|neighbours| neighbours.trust.is_shown(request.headers()));
    let holder = state.and_then(|state| described(request.headers(), state.closing.child_token()));
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

/// Something has changed in the database that this node should see at once: the inbox of the connection that the body
/// names, or else the duties.
async fn nudge(neighbours: Data<Neighbours>, state: Data<State>, connection: String) -> Result<HttpResponse, Problem> {
    if connection.is_empty() {
        neighbours.members.beat_now();
    } else {
        let handle = state.everything().connection(&connection.into());
        handle.look_into_inbox().map_err(|_| misdirected())?;
    }
    Ok(HttpResponse::NoContent().finish())
}

/// This node may take duties again after a drain.
async fn rebalance(state: Data<State>) -> HttpResponse {
    state.take_duties_again();
    HttpResponse::NoContent().finish()
}
