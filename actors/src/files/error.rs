//! Why a file did not arrive.

use tertulia_core::ums::AnswerError;

use crate::{conversation::CommandFailure, platform::HttpError, request::RequestFailure};

/// Why a file did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The platform's storage takes no files of this type ([FL-2](crate::rules#fl-2)).
    #[error("the file type {0:?} is not accepted")]
    UnknownType(String),
    /// A file without a byte.
    #[error("the file is empty")]
    Empty,
    /// A file of too many bytes ([FL-2](crate::rules#fl-2)).
    #[error("the file has {size} bytes, {limit} are allowed")]
    TooLarge {
        /// Its bytes.
        size: u64,
        /// The most allowed.
        limit: u64,
    },
    /// The source gave more or fewer bytes than it was said to have.
    #[error("the file has {found} bytes or more, {expected} were announced")]
    OtherSize {
        /// The bytes it was said to have.
        expected: u64,
        /// The bytes that came until the difference was seen.
        found: u64,
    },
    /// The source cannot be read.
    #[error("the file cannot be read: {0}")]
    Unreadable(String),
    /// Too many transfers and commands wait in the conversation.
    #[error("too many commands wait in the conversation")]
    Overloaded,
    /// The conversation is not in memory any more.
    #[error("the conversation is unknown")]
    UnknownConversation,
    /// The platform did not say where the file is to be, or where it is.
    #[error("no address for the file: {0}")]
    NoAddress(#[from] RequestFailure),
    /// The storage refused the file, or has none at this path.
    #[error(transparent)]
    Storage(#[from] HttpError),
    /// Its time was over.
    #[error("the file was not transferred in time")]
    TimedOut,
    /// The file cannot be shown in the conversation. If it was uploaded, nobody was told.
    #[error(transparent)]
    Notice(#[from] CommandFailure),
}

impl FileError {
    /// The stable word for the error.
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
            Self::NoAddress(RequestFailure::Answer(AnswerError::Refused { .. })) => "platform-rejected",
            Self::NoAddress(RequestFailure::NotSupported(_)) => "not-supported",
            Self::NoAddress(_) => "not-connected",
            Self::Storage(HttpError::Status { status: 404, .. }) => "unknown-file",
            Self::Storage(HttpError::Status { .. }) => "storage-refused",
            Self::Storage(_) => "storage-unavailable",
            Self::TimedOut => "timed-out",
            Self::Notice(failure) => failure.code(),
        }
    }
}
