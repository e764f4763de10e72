//! The HTTP interface (interfaces §3): where it listens, how it ends, and which resource answers which path.
//!
//! One file per resource. Each answers JSON, and every error is a problem by RFC 9457.

#![allow(unused_qualifications, reason = "what describes the handlers names their types once more")]

mod access;
mod body;
mod connections;
mod conversations;
mod dead_letters;
mod events;
mod failure;
mod headers;
mod health;
mod idempotency;
mod intake;
mod keyed;
mod limits;
mod messages;
mod metrics;
mod openapi;
mod page;
mod problem;
mod request;
mod rings;
mod state;
mod supervision;

use std::{io, net::SocketAddr, time::Duration};

use actix_web::{
    App, HttpServer,
    dev::ServerHandle,
    middleware::from_fn,
    rt::task::JoinHandle,
    web::{self, Data},
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use utoipa_actix_web::{AppExt as _, scope, service_config::ServiceConfig};

pub use state::State;

/// Threads that answer requests. What they do is little: the work is the actors'.
const WORKERS: usize = 2;
/// Connections of callers that one worker holds at a time; more wait to be accepted.
const MAX_CALLERS: usize = 4_096;
/// How long a caller may take to send the head of a request.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// How long an idle connection of a caller is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Why the gateway could not be started.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The address could not be listened on.
    #[error("the gateway cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// A listening gateway. Dropping it leaves it running until the actix system ends; [`Gateway::stop`] ends it.
pub struct Gateway {
    address: SocketAddr,
    handle: ServerHandle,
    server: JoinHandle<io::Result<()>>,
    closing: CancellationToken,
}

impl Gateway {
    /// Listens on `listen`, where port 0 takes a free one. Must be called inside an actix system.
    ///
    /// # Errors
    /// [`GatewayError`]: the address is taken or not this machine's.
    pub fn start(state: State, listen: SocketAddr) -> Result<Self, GatewayError> {
        let failed = |source| GatewayError::Listen { address: listen, source };
        let closing = state.closing.clone();
        let state = Data::new(state);
        let app = move || {
            let app = App::new().app_data(state.clone()).wrap(from_fn(problem::tell)).wrap(from_fn(request::accompany));
            let app = app.into_utoipa_app();
            app.configure(routes).default_service(web::to(openapi::elsewhere)).into_app()
        };
        let server = HttpServer::new(app)
            .workers(WORKERS)
            .max_connections(MAX_CALLERS)
            .client_request_timeout(HEAD_WITHIN)
            .keep_alive(KEEP_ALIVE)
            .disable_signals()
            // The deadline is the caller's of `stop`.
            .shutdown_timeout(u64::from(u32::MAX))
            .bind(listen)
            .map_err(failed)?;
        let address = server.addrs().first().copied().unwrap_or(listen);
        let server = server.run();
        let handle = server.handle();
        Ok(Self { address, handle, server: actix_web::rt::spawn(server), closing })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more requests, ends event streams, lets the requests that are being answered finish, and drops what is
    /// not done `within`.
    pub async fn stop(self, within: Duration) {
        self.closing.cancel();
        if timeout(within, self.handle.stop(true)).await.is_err() {
            tracing::warn!("requests were not answered in time and are dropped");
        }
        // Ends by force what is left of the server.
        self.server.abort();
    }
}

fn routes(config: &mut ServiceConfig<'_>) {
    config.configure(health::routes).configure(metrics::routes).configure(openapi::serve).configure(intake::routes);
    config.service(
        scope("/v1")
            .wrap(from_fn(access::require))
            .configure(connections::routes)
            .configure(conversations::routes)
            .configure(messages::routes)
            .configure(rings::routes)
            .configure(supervision::routes)
            .configure(dead_letters::routes)
            .configure(events::routes),
    );
}
