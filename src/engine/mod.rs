//! Engines: the store of a service's events, records and leases, behind the ports of [`tertulia_actors::engine`].

pub mod embedded;
mod seal;

pub use seal::{Seal, SealError};
