//! What a notification that comes by webhook needs beside what it says (protocol [§10.4](crate::protocol#104)).
//!
//! States are told apart by their hashes and update times, records by their sequences, both in the conversation
//! itself. What is left is whether the platform sent it ([`verify`]), and chat states, which have neither
//! ([`ChatStateWindow`]).

mod signature;
mod window;

pub use signature::{SignatureError, check_form, verify};
pub use window::ChatStateWindow;
