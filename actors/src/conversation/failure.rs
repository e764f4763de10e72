//! Why a command failed.

use tertulia_core::{command::CommandError, id::CommandKey, ums::AnswerError};

/// Why a command failed. The caller always gets one of these or success.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandFailure {
    /// It cannot be asked of the conversation as it is; nothing was sent.
    #[error(transparent)]
    Invalid(#[from] CommandError),
    /// Too many commands wait in the conversation; nothing was sent.
    #[error("too many commands wait in the conversation")]
    Overloaded,
    /// The connection has given up or was stopped; nothing was sent.
    #[error("the connection is not running")]
    NotConnected,
    /// The conversation is not in memory any more; nothing was sent.
    #[error("the conversation is unknown")]
    UnknownConversation,
    /// Its time was over before it could be sent.
    #[error("not sent: its time limit passed first")]
    TimedOut,
    /// The platform refused it.
    #[error(transparent)]
    Refused(#[from] AnswerError),
    /// The conversation failed too often and is in quarantine; nothing was sent.
    #[error("the conversation is in quarantine")]
    Quarantined,
    /// Handling it broke the conversation, which goes on without it; nothing was sent. It is among the dead letters.
    #[error("the command could not be handled; it is among the dead letters")]
    DeadLettered,
    /// The platform closed the connection each time it was sent, at last with nothing beside it. It is not sent again, and
    /// is among the dead letters.
    #[error(
        "the platform closed the connection with {code} each time the command was sent; it is among the dead letters"
    )]
    ClosedConnection {
        /// The platform's close code.
        code: u16,
    },
    /// It was cancelled before it was sent.
    #[error("cancelled before it was sent")]
    Cancelled,
    /// It was sent, its answer was lost, and whether it had its effect could not be found out in time.
    #[error("outcome unknown: the command may have been applied; repeat it with the key {key}")]
    OutcomeUnknown {
        /// The command's key.
        key: CommandKey,
    },
    /// Something else was asked under the same key before; nothing was sent.
    #[error("the key {key} was already used for another command")]
    KeyReused {
        /// The key.
        key: CommandKey,
    },
}

impl CommandFailure {
    /// The platform's own code, where the failure is the platform's.
    #[must_use]
    pub fn platform_code(&self) -> Option<u16> {
        match self {
            Self::Refused(AnswerError::Refused { code, .. }) | Self::ClosedConnection { code } => Some(*code),
            _ => None,
        }
    }

    /// The stable word for the failure.
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
            Self::KeyReused { .. } => "key-reused",
        }
    }
}
