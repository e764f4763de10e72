//! The HTTP interface (interfaces §3): where it listens, how it ends, and which resource answers which path.
//!
//! One file per resource. Each answers JSON, and every error is a problem by RFC 9457.

#![allow(unused_qualifications, reason = "the OpenAPI macros qualify the handlers' types")]

mod access;
mod backup;
mod body;
mod bulk;
mod capacity;
mod clients;
mod connections;
mod conversations;
mod dashboard;
mod dead_letters;
mod events;
mod failure;
mod headers;
mod health;
mod idempotency;
mod intake;
mod keyed;
mod limits;
mod metrics;
mod openapi;
mod overview;
mod page;
mod problem;
mod request;
mod rings;
mod room;
mod state;
mod supervision;
mod tls;
mod transport;
mod webhooks;
mod words;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::{Duration, Instant},
};

use actix_http::{HttpService, Protocol, error::DispatchError};
use actix_server::Server;
use actix_service::{IntoServiceFactory as _, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::{
    App, Error,
    dev::{AppConfig, ServerHandle},
    middleware::from_fn,
    rt::task::JoinHandle,
    web::{self, Data},
};
use rustix::net::sockopt::set_socket_send_buffer_size;
use tokio::{net::TcpStream, sync::watch, time::timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use utoipa_actix_web::{AppExt as _, scope, service_config::ServiceConfig};

use clients::Clients;
use transport::{Ending, Stream, Watched};

pub use state::State;
pub use tls::Certificate;
pub use transport::Patience;

/// Threads that answer requests. What they do is little: the work is the actors'.
const WORKERS: usize = 2;
/// What the system may hold of an answer that its caller does not take, in bytes; it takes up to twice as much for it.
/// More than is on the way to a caller far off at a few megabytes a second.
const SEND_BUFFER: usize = 128 * 1024;
/// How long what a caller still sends is read away, so that a refusal reaches them.
const LINGER: Duration = Duration::from_secs(1);
/// Connections of each worker that may be ending beside those that there may be.
const SPARE: usize = 64;
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 2_048;

/// How long the server's threads may take at least to let go of what they shared once it has ended.
const RELEASED_WITHIN: Duration = Duration::from_secs(1);

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
    /// TLS cannot be spoken.
    #[error("the gateway cannot speak TLS")]
    Tls(#[from] rustls::Error),
}

/// Where a gateway listens, and how.
#[derive(Debug)]
pub struct Listening {
    /// The address; port 0 takes a free one.
    pub address: SocketAddr,
    /// The certificate to show; without one, plain HTTP is spoken.
    pub certificate: Option<Arc<Certificate>>,
    /// How long callers may make it wait.
    pub patience: Patience,
}

impl Listening {
    /// Plain HTTP at `address`.
    #[must_use]
    pub fn plain(address: SocketAddr) -> Self {
        Self { address, certificate: None, patience: Patience::default() }
    }
}

/// A listening gateway. Dropping it leaves it running until the actix system ends; [`Gateway::stop`] ends it.
pub struct Gateway {
    address: SocketAddr,
    handle: ServerHandle,
    server: JoinHandle<io::Result<()>>,
    leaving: CancellationToken,
    closing: CancellationToken,
    /// Told when nothing of the server holds what the resources share any more.
    released: watch::Receiver<()>,
    certificate: Option<Arc<Certificate>>,
    _watching: Option<AbortOnDropHandle<()>>,
}

impl Gateway {
    /// Listens as `listening` says. Must be called inside an actix system.
    ///
    /// # Errors
    /// [`GatewayError`]: the address is taken or not this machine's.
    pub fn start(state: State, listening: Listening) -> Result<Self, GatewayError> {
        let Listening { address: listen, certificate, patience } = listening;
        let failed = |source| GatewayError::Listen { address: listen, source };
        let (leaving, closing) = (state.leaving.clone(), state.closing.clone());
        let released = state.held.subscribe();
        let (capacity, ending) =
            (state.capacity, Ending { closing: closing.clone(), stalled: state.http.stalled.clone() });
        let state = Data::new(state);
        let clients = Clients::new(capacity);
        let listener = TcpListener::bind(listen).map_err(failed)?;
        rustix::net::listen(&listener, BACKLOG).map_err(|error| failed(error.into()))?;
        let address = listener.local_addr().map_err(failed)?;
        let acceptor = match &certificate {
            Some(certificate) => Some(TlsAcceptor::from(Arc::new(certificate.server()?))),
            None => None,
        };
        let builder = Server::build()
            .workers(WORKERS)
            // They take turns in accepting. Beyond the capacity one connection gives way to another, which takes a moment.
            .max_concurrent_connections(capacity.callers.div_ceil(WORKERS) + SPARE)
            .disable_signals()
            // The deadline is the caller's of `stop`.
            .shutdown_timeout(u64::from(u32::MAX));
        let draining = builder.graceful_shutdown_signal();
        let service = move || {
            let app = App::new().app_data(state.clone()).wrap(from_fn(problem::tell)).wrap(from_fn(request::accompany));
            let app = app.into_utoipa_app();
            let app = app.configure(routes).default_service(web::to(openapi::elsewhere)).into_app();
            let app = app.into_factory().map_err(|error: Error| error.error_response());
            let draining = draining.clone();
            let http = HttpService::build()
                .graceful_shutdown_signal(move || {
                    let draining = draining.clone();
                    async move { draining.notified().await }
                })
                .keep_alive(patience.keep_alive)
                .client_request_timeout(patience.head)
                .client_disconnect_timeout(LINGER)
                // Who says no more still gets the answer; streams end by themselves then.
                .h1_allow_half_closed(true)
                .on_connect_ext(|stream: &Watched, data| _ = data.insert(stream.client().clone()))
                .local_addr(address)
                .finish(map_config(app, |()| AppConfig::default()));
            let acceptor = acceptor.clone();
            let ending = ending.clone();
            let clients = clients.clone();
            let open = move |socket| open(socket, acceptor.clone(), patience, ending.clone(), clients.clone());
            fn_service(open).map_err(DispatchError::Io).and_then(http)
        };
        let server = builder.listen("gateway", listener, service).map_err(failed)?.run();
        let handle = server.handle();
        let watching =
            certificate.clone().map(|certificate| AbortOnDropHandle::new(actix_web::rt::spawn(certificate.watch())));
        Ok(Self {
            address,
            handle,
            server: actix_web::rt::spawn(server),
            leaving,
            closing,
            released,
            certificate,
            _watching: watching,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Looks at once whether the certificate's files have changed, which it does by itself every minute.
    pub async fn look_at_certificate(&self) {
        if let Some(certificate) = &self.certificate {
            Arc::clone(certificate).look_aside().await;
        }
    }

    /// Says at `/readyz` that the end is near. Everything else is served on.
    pub fn leave(&self) {
        self.leaving.cancel();
    }

    /// Takes no more requests, ends event streams, lets the requests that are being answered finish, and drops what is
    /// not done `within`.
    pub async fn stop(mut self, within: Duration) {
        let began = Instant::now();
        self.closing.cancel();
        if timeout(within, self.handle.stop(true)).await.is_err() {
            tracing::warn!("requests were not answered in time; they are dropped");
        }
        // Ends by force what is left of the server; whoever stops the rest next wants to be the last to hold it.
        self.server.abort();
        let left = within.saturating_sub(began.elapsed()).max(RELEASED_WITHIN);
        let _ = timeout(left, self.released.changed()).await;
    }
}

/// Makes a connection of a socket: a handshake where TLS is spoken.
async fn open(
    socket: TcpStream,
    acceptor: Option<TlsAcceptor>,
    patience: Patience,
    ending: Ending,
    clients: Clients,
) -> io::Result<(Watched, Protocol, Option<SocketAddr>)> {
    let peer = socket.peer_addr()?;
    socket.set_nodelay(true)?;
    set_socket_send_buffer_size(&socket, SEND_BUFFER)?;
    let place = clients.enter(peer.ip());
    let stream = match acceptor {
        Some(acceptor) => tokio::select! {
            shaken = timeout(patience.handshake, acceptor.accept(socket)) => Stream::Tls(Box::new(shaken??)),
            () = place.client().ended.cancelled() => return Err(clients::gave_way()),
        },
        None => Stream::Plain(socket),
    };
    Ok((Watched::new(stream, patience, ending, place), Protocol::Http1, Some(peer)))
}

fn routes(config: &mut ServiceConfig<'_>) {
    config
        .configure(health::routes)
        .configure(metrics::routes)
        .configure(openapi::serve)
        .configure(intake::routes)
        .configure(dashboard::routes);
    config.service(
        scope("/v1")
            .wrap(from_fn(access::require))
            .configure(overview::routes)
            .configure(backup::routes)
            .configure(connections::routes)
            .configure(conversations::routes)
            .configure(rings::routes)
            .configure(supervision::routes)
            .configure(dead_letters::routes)
            .configure(webhooks::routes)
            .configure(bulk::routes)
            .configure(events::routes),
    );
}
