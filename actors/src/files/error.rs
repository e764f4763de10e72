//! Why a transfer failed.

use tertulia_core::ums::AnswerError;

use crate::{conversation::ConversationError, platform::HttpError, request::RequestError};

/// Why a transfer failed.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The platform's storage does not accept files of this type ([FL-2](crate::rules#fl-2)).
    #[error("the file type {0:?} is not accepted")]
    UnknownType(String),
    /// The file has no bytes.
    #[error("the file is empty")]
    Empty,
    /// The file is too large ([FL-2](crate::rules#fl-2)).
    #[error("the file has {size} bytes, {limit} are allowed")]
    TooLarge {
        /// The size in bytes.
        size: u64,
        /// The most allowed.
        limit: u64,
    },
    /// The source gave more or fewer bytes than were announced.
    #[error("the file has {found} bytes or more, {expected} were announced")]
    OtherSize {
        /// The announced size.
        expected: u64,
        /// The bytes read until the difference was found.
        found: u64,
    },
    /// The source cannot be read.
    #[error("the file cannot be read: {0}")]
    Unreadable(String),
    /// Too many transfers and commands wait in the conversation.
    #[error("too many commands wait in the conversation")]
    Overloaded,
    /// The conversation is no longer in memory.
    #[error("the conversation is unknown")]
    UnknownConversation,
    /// The platform did not give an address for the upload or download.
    #[error("no address for the file: {0}")]
    NoAddress(#[from] RequestError),
    /// The storage refused the file, or has no file at this path.
    #[error(transparent)]
    Storage(#[from] HttpError),
    /// The time limit passed.
    #[error("the file was not transferred in time")]
    TimedOut,
    /// The notice of the file failed. If the file was uploaded, it was not announced.
    #[error(transparent)]
    Notice(#[from] ConversationError),
}

impl FileError {
    /// The stable code of the error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownType(_) => "file-type-not-supported",
            Self::Empty => "file-empty",
            Self::TooLarge { .. } => "file-too-large",
            Self::OtherSize { .. } => "file-size-mismatch",
            Self::Unreadable(_) => "file-unreadable",
            Self::Overloaded => "overloaded",
            Self::UnknownConversation => "unknown-conversation",
            Self::NoAddress(RequestError::Answer(AnswerError::Refused { .. })) => "platform-rejected",
            Self::NoAddress(RequestError::NotSupported(_)) => "not-supported",
            Self::NoAddress(_) => "not-connected",
            Self::Storage(HttpError::Status { status: 404, .. }) => "unknown-file",
            Self::Storage(HttpError::Status { .. }) => "storage-refused",
            Self::Storage(_) => "storage-unavailable",
            Self::TimedOut => "timed-out",
            Self::Notice(failure) => failure.code(),
        }
    }
}
