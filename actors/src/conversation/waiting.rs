//! The waiting commands of a conversation, as callers see them.

use tertulia_core::{id::CommandKey, time::Timestamp};
use tokio::sync::oneshot;

use super::ConversationError;

/// A command that waits in a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingCommand {
    /// The caller's key, or the generated one.
    pub key: CommandKey,
    /// The kind of the command, as in events.
    pub command: &'static str,
    /// How far the command has progressed.
    pub state: WaitingState,
    /// Whether the command survives the process.
    pub is_durable: bool,
    /// When the command was submitted or, after a restart, restored by this process.
    pub asked: Timestamp,
    /// When the command fails if it is still waiting.
    pub deadline: Timestamp,
    /// The code with which the platform closed the socket while the command was in flight.
    pub suspected: Option<u16>,
    /// The command's number, which grows along the queue.
    pub number: u64,
}

/// How far a command has progressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitingState {
    /// Not sent.
    Queued,
    /// Sent; waiting for the response.
    InFlight,
    /// May have been sent; its effect is looked up before it is sent again.
    Unknown,
}

/// The reply channel of a cancellation.
pub(crate) type CancelReply = oneshot::Sender<Result<(), ConversationError>>;
