//! The connections of this process: those of the configuration, and those that are added while it runs.

mod added;
mod described;

pub use added::{AddConnectionError, AddedConnections, Adding};
pub(crate) use described::{Described, describe, proxy};
