//! The connections of this process: those of the configuration, and those that are added while it runs.

mod added;
mod described;

pub use added::{AddConnectionError, AddedConnections, Adding};
pub(crate) use described::{Described, Identity, describe, identity, proxy};

/// The configuration lets no such connection pass.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("connection {connection}: its role cannot use the form of its login")]
pub struct UnsupportedLogin {
    /// The connection's id.
    pub connection: String,
}
