//! What the people who run the service rely on, and what its callers cannot do to it.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

#[path = "../running/mod.rs"]
mod running;

mod bodies;
mod clients;
mod headers;
mod limits;
mod metrics;
mod slow_clients;
mod sockets;
mod tls;
