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
    #[error("the connection is not there")]
    NotConnected,
    /// The conversation is not in memory any more; nothing was sent.
    #[error("the conversation is not known")]
    UnknownConversation,
    /// Its time was over before it could be sent.
    #[error("it could not be sent in time")]
    TimedOut,
    /// The platform refused it.
    #[error(transparent)]
    Refused(#[from] AnswerError),
    /// The conversation failed too often and is in quarantine; nothing was sent.
    #[error("the conversation is in quarantine")]
    Quarantined,
    /// Handling it broke the conversation, which goes on without it; nothing was sent. It is among the dead letters.
    #[error("handling it failed; it is among the dead letters")]
    DeadLettered,
    /// It was sent, its answer was lost, and whether it had its effect could not be found out in time.
    #[error("its outcome is unknown; ask again with the key {key}")]
    OutcomeUnknown {
        /// The command's key.
        key: CommandKey,
    },
    /// Something else was asked under the same key before; nothing was sent.
    #[error("the key {key} came with another command before")]
    KeyReused {
        /// The key.
        key: CommandKey,
    },
}

impl CommandFailure {
    /// The stable word for the failure (interfaces §3).
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
            Self::OutcomeUnknown { .. } => "outcome-unknown",
            Self::KeyReused { .. } => "key-reused",
        }
    }
}
