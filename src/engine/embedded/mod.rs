//! The engine inside the process: a directory of files, and locks that the system releases when the process ends,
//! however it ends.

mod block;
mod directory;
mod rows;
mod store;

pub use directory::OpenError;
pub use store::EmbeddedStore;
