//! The connections of this process: those of the configuration, and those that are added while the service runs.

mod added;
mod described;

pub use added::{AddConnectionError, AddedConnections, Adding};
pub(crate) use described::{Described, describe, proxy};
