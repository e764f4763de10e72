//! What the people who run the service rely on, and what its callers cannot do to it.

mod bodies;
mod clients;
mod headers;
mod limits;
mod metrics;
mod slow_clients;
mod sockets;
mod tls;
