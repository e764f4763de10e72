//! The HTTP interface: where it listens, how it stops, and which resource serves which path.
//!
//! One file per resource. Each resource returns JSON, and every error is an RFC 9457 problem.

#![allow(unused_qualifications, reason = "the OpenAPI macros qualify the handlers' types")]

mod access;
mod admission;
mod backup;
mod body;
mod bulk;
mod capacity;
mod clients;
mod codes;
mod connections;
mod conversations;
mod cors;
mod dashboard;
mod dead_letters;
mod door;
mod events;
mod failure;
mod headers;
mod health;
mod inbox;
mod intake;
mod keyed;
mod limits;
mod mcp;
mod metrics;
mod nodes;
mod openapi;
mod origins;
mod overview;
mod page;
mod problem;
mod request;
mod rings;
mod room;
mod routes;
mod state;
mod supervision;
mod tls;
mod transport;
mod under_way;
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
use arc_swap::ArcSwap;
use rustix::net::sockopt::set_socket_send_buffer_size;
use tokio::{net::TcpStream, sync::watch, time::timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use utoipa_actix_web::AppExt as _;

use crate::config;

use access::Access;
use clients::Clients;
use origins::Origins;
use routes::{interface, routes};
use transport::{Ending, Stream, Watched};

pub(crate) use nodes::Neighbours;
pub use state::State;
pub use tls::Certificate;
pub use transport::Patience;

/// Threads that answer requests. They do little, because the actors do the work.
const WORKERS: usize = 2;
/// The bytes that the system buffers of a response that the caller does not read; the system uses up to twice as much
/// memory. The size suffices for a distant caller at a few megabytes per second.
const SEND_BUFFER: usize = 128 * 1024;
/// How long the gateway still reads from a refused caller, so that the refusal reaches them.
const LINGER: Duration = Duration::from_secs(1);
/// Connections per worker that may be closing in addition to the limit.
const SPARE: usize = 64;
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 2_048;

/// The least time that the server's threads get to release shared state after the server has ended.
const RELEASED_WITHIN: Duration = Duration::from_secs(1);

/// Why the gateway could not start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The address cannot be listened on.
    #[error("the gateway cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// TLS cannot be configured.
    #[error("the gateway cannot speak TLS")]
    Tls(#[from] rustls::Error),
}

/// Why a running gateway could not take other tokens, limits, origins and certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenewError {
    /// Everybody could call the gateway.
    #[error("gateway.tokens is empty, and the gateway listens beyond the loopback address")]
    Open,
    /// TLS cannot be switched on or off for open connections.
    #[error("gateway.tls was added or removed, which takes effect only at a start")]
    Tls,
}

/// Where and how a gateway listens.
#[derive(Debug)]
pub struct Listening {
    /// The address; port 0 picks a free port.
    pub address: SocketAddr,
    /// The certificate to present; `None` means plain HTTP.
    pub certificate: Option<Arc<Certificate>>,
    /// How long callers may make the gateway wait.
    pub patience: Patience,
}

impl Listening {
    /// Plain HTTP at `address`.
    #[must_use]
    pub fn plain(address: SocketAddr) -> Self {
        Self { address, certificate: None, patience: Patience::default() }
    }
}

/// A listening gateway. Dropping the value leaves the gateway running until the actix system ends; [`Gateway::stop`]
/// stops it.
pub struct Gateway {
    address: SocketAddr,
    handle: ServerHandle,
    server: JoinHandle<io::Result<()>>,
    /// The listener for other nodes.
    nodes: Option<ServerHandle>,
    leaving: CancellationToken,
    closing: CancellationToken,
    /// Changes when the server no longer holds the resources' shared state.
    released: watch::Receiver<()>,
    certificate: Option<Arc<Certificate>>,
    access: Arc<ArcSwap<Access>>,
    _watching: Option<AbortOnDropHandle<()>>,
}

impl Gateway {
    /// Starts a gateway. Must be called inside an actix system.
    ///
    /// # Errors
    /// [`GatewayError`]: the address is in use or not this machine's.
    pub fn start(state: State, listening: Listening) -> Result<Self, GatewayError> {
        let Listening { address: listen, certificate, patience } = listening;
        let failed = |source| GatewayError::Listen { address: listen, source };
        let (leaving, closing) = (state.leaving.clone(), state.closing.clone());
        let (released, access) = (state.held.subscribe(), Arc::clone(&state.access));
        let (capacity, ending) =
            (state.capacity, Ending { closing: closing.clone(), stalled: state.http.stalled.clone() });
        let neighbours = state.neighbours.clone();
        state.record();
        let (state, document) = (Data::new(state), Data::new(openapi::gather()));
        let nodes = neighbours.map(|neighbours| {
            let failed = |source| GatewayError::Listen { address: neighbours.listen, source };
            door::listen(state.clone(), &neighbours).map_err(failed)
        });
        let nodes = nodes.transpose()?;
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
            // The workers accept in turn. Beyond the limit a new connection replaces an old one, which takes a moment.
            .max_concurrent_connections(capacity.callers.div_ceil(WORKERS) + SPARE)
            .disable_signals()
            // The caller of `stop` sets the deadline.
            .shutdown_timeout(u64::from(u32::MAX));
        let draining = builder.graceful_shutdown_signal();
        let service = move || {
            let app =
                App::new().app_data(state.clone()).app_data(document.clone()).app_data(mcp::Inner::new(interface));
            let app = app.wrap(from_fn(problem::tell));
            let app = app.wrap(from_fn(cors::allow)).wrap(from_fn(request::accompany));
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
                // A caller who has closed their sending side still gets the response; event streams end then.
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
            nodes,
            leaving,
            closing,
            released,
            certificate,
            access,
            _watching: watching,
        })
    }

    /// The address that the gateway listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes the tokens, limits, allowed origins and certificate of `gateway` from now on. Requests that are being
    /// answered continue. Event streams continue if their token is still the same, and end otherwise. The gateway
    /// checks the certificate's files every minute besides.
    ///
    /// # Errors
    /// [`RenewError`]; nothing was changed.
    pub async fn renew(&self, gateway: &config::Gateway) -> Result<(), RenewError> {
        if gateway.tokens.is_empty() && !self.address.ip().is_loopback() {
            return Err(RenewError::Open);
        }
        match (&self.certificate, &gateway.tls) {
            (Some(certificate), Some(tls)) => Arc::clone(certificate).replace_aside(tls.clone()).await,
            (None, None) => {}
            (Some(_), None) | (None, Some(_)) => return Err(RenewError::Tls),
        }
        let (before, origins) = (self.access.load_full(), Origins::new(&gateway.allowed_origins));
        let access = Access::new(&gateway.tokens, &gateway.limits, origins, &self.closing).after(&before);
        let access = Arc::new(access);
        self.access.store(Arc::clone(&access));
        before.end_others(&access);
        Ok(())
    }

    /// Makes `/readyz` report that the service is stopping. All other requests are still served.
    pub fn leave(&self) {
        self.leaving.cancel();
    }

    /// Stops accepting requests, ends event streams, and waits `within` for the requests being answered; the others are
    /// dropped.
    pub async fn stop(mut self, within: Duration) {
        let began = Instant::now();
        self.closing.cancel();
        if timeout(within, self.handle.stop(true)).await.is_err() {
            tracing::warn!("requests were not answered in time; they are dropped");
        }
        if let Some(nodes) = &self.nodes {
            let left = within.saturating_sub(began.elapsed()).max(RELEASED_WITHIN);
            let _ = timeout(left, nodes.stop(true)).await;
        }
        // Ends the rest of the server by force. The next step of stopping needs the last reference to the shared state.
        self.server.abort();
        let left = within.saturating_sub(began.elapsed()).max(RELEASED_WITHIN);
        let _ = timeout(left, self.released.changed()).await;
    }
}

/// Makes a connection from a socket, with a handshake for TLS.
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
