//! Bulk work as its callers meet it (`/v1/bulk`), in front of real actors and a platform stand-in that remembers every
//! request to change a conversation.

mod asking;
mod carrying;
mod killed;
mod matching;
pub(crate) mod scene;
