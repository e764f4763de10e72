//! The commands in flight, and the commands that wait because some are suspected of ending sockets.

use serde_json::Value;
use tertulia_core::command::Isolation;

use crate::request::Ask;

/// The commands in flight, and the commands that wait because some are suspected of ending sockets.
pub(super) type CommandQueue = Isolation<HeldCommand>;

/// A command that waits to be sent.
pub(super) struct HeldCommand {
    pub(super) ask: Ask,
    pub(super) headers: Vec<Value>,
}
