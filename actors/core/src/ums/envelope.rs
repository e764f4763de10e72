//! The frame around everything that arrives (§4), decoded once; bodies stay raw until somebody wants them.

use serde::{Deserialize, Deserializer, de};
use thiserror::Error;

use super::{Json, Notification, Text};

/// A frame that could not be understood.
#[derive(Debug, Error)]
pub enum FrameError {
    /// Not a JSON object of the envelope's shape, at the line and column the reader tells.
    #[error("malformed frame: {0}")]
    Malformed(#[from] serde_json::Error),
    /// `kind` is neither `resp` nor `notification`.
    #[error("frame of unknown kind {kind:?}")]
    UnknownKind {
        /// The kind as sent, at most 64 characters of it.
        kind: String,
    },
    /// A notification of a known type whose body has not the shape of that type.
    #[error("malformed body of {kind}: {source}")]
    MalformedBody {
        /// The notification's type as sent.
        kind: String,
        /// What the reader says.
        source: serde_json::Error,
    },
}

/// One incoming frame.
#[derive(Debug)]
pub enum Frame<'a> {
    /// The answer to a request.
    Response(Response<'a>),
    /// Something that happened.
    Notification(Notification<'a>),
}

/// The answer to a request (§4.2). Matched by `request_id`, never by `kind`.
#[derive(Debug)]
pub struct Response<'a> {
    /// Which request; missing in some error answers (§4.5).
    pub request_id: Option<Text<'a>>,
    /// How it went.
    pub code: Code,
    /// The answer's type, if it has one.
    pub kind: Text<'a>,
    /// The answer itself.
    pub body: Option<Json<'a>>,
}

/// The code of a response: HTTP semantics. The Send API writes words, of which only `"OK"` is known (§10.3): the words of
/// a success are read as 200, any other word as 400, so that its request is answered at least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Code(pub u16);

impl Code {
    /// Whether the request was refused (§4.2: above 399).
    #[must_use]
    pub fn is_refusal(self) -> bool {
        self.0 > 399
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(deserializer)?;
        match text.as_str() {
            "OK" | "CREATED" | "ACCEPTED" => Ok(Self(200)),
            word if word.starts_with(|first: char| first.is_ascii_alphabetic()) => Ok(Self(400)),
            number => {
                number.parse().map(Self).map_err(|_| de::Error::custom("a code that is no number from 0 to 65535"))
            }
        }
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    kind: Text<'a>,
    #[serde(rename = "type", default)]
    body_kind: Option<Text<'a>>,
    #[serde(rename = "reqId", default)]
    request_id: Option<Text<'a>>,
    #[serde(default)]
    code: Option<Code>,
    #[serde(default)]
    body: Option<Json<'a>>,
}

impl<'a> Frame<'a> {
    /// Decodes one text frame.
    ///
    /// # Errors
    /// [`FrameError`] naming what is wrong; the frame is to be counted and dropped, the socket goes on.
    pub fn decode(text: &'a str) -> Result<Self, FrameError> {
        let Envelope { kind, body_kind, request_id, code, body } = serde_json::from_str(text)?;
        let body_kind = body_kind.unwrap_or_default();
        match kind.as_str() {
            // The Send API leaves the kind out (§10.3).
            "" if request_id.is_none() || code.is_none() => Err(FrameError::UnknownKind { kind: String::new() }),
            "resp" | "" => {
                Ok(Self::Response(Response { request_id, code: code.unwrap_or(Code(200)), kind: body_kind, body }))
            }
            "notification" => Notification::read(body_kind, body).map(Self::Notification),
            other => Err(FrameError::UnknownKind { kind: other.chars().take(64).collect() }),
        }
    }
}
