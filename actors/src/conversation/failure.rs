//! Why a conversation did not do what its handle was asked for.

use serde::{Deserialize, Serialize};
use tertulia_core::{command::CommandError, id::CommandKey, ums::AnswerError};

/// Why a conversation did not do what its handle was asked for. Every command returns success or one of these errors.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConversationError {
    /// The conversation's state does not allow the command; nothing was sent.
    #[error(transparent)]
    Invalid(#[from] CommandError),
    /// Too many commands wait in the conversation; nothing was sent.
    #[error("too many commands wait in the conversation")]
    Overloaded,
    /// The connection has given up or was stopped; nothing was sent.
    #[error("the connection is not running")]
    NotConnected,
    /// The connection no longer has the conversation; nothing was sent.
    #[error("the conversation is unknown")]
    UnknownConversation,
    /// The time limit passed before the command could be sent.
    #[error("not sent: its time limit passed first")]
    TimedOut,
    /// The platform refused the command.
    #[error(transparent)]
    Refused(#[from] AnswerError),
    /// The conversation panicked too often and is in quarantine; nothing was sent.
    #[error("the conversation is in quarantine")]
    Quarantined,
    /// The conversation panicked on the command and continues without it; nothing was sent. The command is among the
    /// dead letters.
    #[error("the command could not be handled; it is among the dead letters")]
    DeadLettered,
    /// The platform closed the connection each time the command was sent, the last time with no other command in
    /// flight. The command is not sent again and is among the dead letters.
    #[error(
        "the platform closed the connection with {code} each time the command was sent; it is among the dead letters"
    )]
    ClosedConnection {
        /// The platform's close code.
        code: u16,
    },
    /// Cancelled before it was sent.
    #[error("cancelled before it was sent")]
    Cancelled,
    /// The command was sent, its response was lost, and the outcome could not be determined in time.
    #[error("outcome unknown: the command may have been applied; repeat it with the key {key}")]
    OutcomeUnknown {
        /// The command's key.
        key: CommandKey,
    },
    /// No command with this key waits, so there is nothing to cancel.
    #[error("no command with the key {0} waits")]
    UnknownCommand(CommandKey),
    /// The command with this key was or may have been sent.
    #[error("the command {0} was or may have been sent and cannot be cancelled")]
    InFlight(CommandKey),
    /// Another command was submitted under the same key before; nothing was sent.
    #[error("the key {key} was already used for another command")]
    KeyReused {
        /// The key.
        key: CommandKey,
    },
}

impl ConversationError {
    /// The platform's error code, if the platform refused the command or closed the connection over it.
    #[must_use]
    pub fn platform_code(&self) -> Option<u16> {
        match self {
            Self::Refused(AnswerError::Refused { code, .. }) | Self::ClosedConnection { code } => Some(*code),
            _ => None,
        }
    }

    /// The stable code of the error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(error) => error.code(),
            Self::Overloaded => "overloaded",
            Self::NotConnected => "not-connected",
            Self::UnknownConversation => "unknown-conversation",
            Self::TimedOut => "timed-out",
            Self::Refused(_) => "platform-rejected",
            Self::Quarantined => "conversation-quarantined",
            Self::DeadLettered => "dead-lettered",
            Self::ClosedConnection { .. } => "closed-connection",
            Self::Cancelled => "cancelled",
            Self::OutcomeUnknown { .. } => "outcome-unknown",
            Self::UnknownCommand(_) => "unknown-command",
            Self::InFlight(_) => "in-flight",
            Self::KeyReused { .. } => "key-reused",
        }
    }
}
