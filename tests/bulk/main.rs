//! Bulk work as its callers meet it (`/v1/bulk`), in front of real actors and a platform stand-in that remembers every
//! request to change a conversation.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod asking;
mod carrying;
mod killed;
mod matching;
#[path = "../running/mod.rs"]
mod running;
mod scene;
