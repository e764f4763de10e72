//! Engines: the store of a service's events, records and leases, behind the ports of [`tertulia_actors::engine`].

mod block;
pub mod embedded;
pub mod postgres;
mod seal;

pub use seal::{Seal, SealError};
