//! Why a frame could not be parsed.

use thiserror::Error;

/// A frame that could not be parsed.
#[non_exhaustive]
#[derive(Debug, Error)]
pub enum FrameError {
    /// Not a JSON object with the envelope's members, or conversation changes of another form; contains the line and
    /// column.
    #[error("malformed frame: {0}")]
    Malformed(#[from] serde_json::Error),
    /// `kind` is neither `resp` nor `notification`.
    #[error("frame of unknown kind {kind:?}")]
    UnknownKind {
        /// The kind as sent, at most 64 characters of it.
        kind: String,
    },
    /// The body of a notification of a known type has another form.
    #[error("malformed body of {kind}: {source}")]
    MalformedBody {
        /// The notification's type as sent.
        kind: String,
        /// The error of the parser.
        source: serde_json::Error,
    },
}
