//! The engine inside the process: a directory of files, and locks that the system releases when the process ends,
//! however it ends.

mod acknowledged;
mod block;
mod commit;
mod directory;
mod leases;
mod rows;
mod store;

pub use directory::OpenError;
pub use leases::FileLeases;
pub use store::EmbeddedStore;
