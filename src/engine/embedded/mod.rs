//! The engine inside the process: a directory of files, and locks that the system releases when the process ends,
//! however it ends.

mod acknowledged;
mod backup;
mod cluster;
mod commit;
mod damage;
mod directory;
mod expiry;
mod housekeeping;
mod leases;
mod record;
mod rows;
mod store;
mod upgrade;

/// Decodes the events of a row as it may be on the disk, prefixed with its key. Only for the fuzzer.
#[cfg(fuzzing)]
#[doc(hidden)]
pub fn events_of_row(bytes: &[u8]) -> Option<Vec<(u64, tertulia_actors::engine::NewEvent)>> {
    let (key, row) = bytes.split_at_checked(12)?;
    super::block::read(super::block::BlockKey::from_bytes(key)?, row)
}

pub use cluster::EmbeddedCluster;
pub use directory::OpenError;
pub use leases::FileLeases;
pub use store::EmbeddedStore;
