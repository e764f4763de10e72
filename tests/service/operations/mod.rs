//! What operators rely on, and what callers cannot do to the service.

mod bodies;
mod clients;
mod headers;
mod limits;
pub(crate) mod metrics;
mod slow_clients;
mod sockets;
mod tls;
