//! The input that a conversation is handling, for the dead letters.

use bytes::Bytes;
use tertulia_core::id::CommandKey;

/// What a conversation is handling.
#[derive(Default)]
pub(super) enum Handling {
    /// Nothing that could cause the panic again, such as a timer or the state of the link.
    #[default]
    Nothing,
    /// A state.
    State(Bytes),
    /// A frame with records.
    Records(Bytes),
    /// A response with history.
    Answer(Bytes),
    /// The waiting command with this key.
    Command(CommandKey),
}
