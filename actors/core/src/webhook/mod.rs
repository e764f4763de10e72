//! Checks that only notifications sent by webhook need (protocol [§10.4](crate::protocol#104)).
//!
//! The conversation itself recognizes repeated states by their hashes and update times, and repeated records by their
//! sequences. This module checks that the platform sent the webhook ([`verify`]), and orders chat states, which have
//! neither ([`ChatStateWindow`]).

mod signature;
mod window;

pub use signature::{SignatureError, check_form, verify};
pub use window::ChatStateWindow;
