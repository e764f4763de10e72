//! Requests of a connection to the platform, and their outcomes.

use std::time::{Duration, Instant};

use actix::Message;
use bytes::Bytes;
use serde_json::{Value, value::RawValue};
use tertulia_core::{
    id::ConversationId,
    refusal::Refusal,
    ums::{AnswerError, Code, Frame, Json, Request, Response, Text},
};
use tokio::sync::oneshot;

pub(crate) use tertulia_core::refusal::Lane;

/// The platform's code for too many requests (protocol [§9.3](crate::protocol#93)).
pub(crate) const TOO_MANY: u16 = 429;

/// The channel for a reply. It is no error if the receiver was dropped: nobody waits any more.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, RequestError>>;

/// Sends a request if its lane is open, or fails at once.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Ask {
    /// The conversation that the request is for; `None` if it is for the connection itself.
    pub conversation: Option<ConversationId>,
    /// The request.
    pub request: Request,
    /// Metadata sent with the request.
    pub metadata: Vec<Value>,
    /// The purpose of the request: commands wait until the connection may send.
    pub lane: Lane,
    /// Whether messages or commands wait for the response. The recovery lane sends urgent requests first.
    pub urgent: bool,
    /// Whether no other command may be in flight at the same time, because this command is suspected of ending sockets.
    pub alone: bool,
    /// When the caller began to wait. Of the requests that must wait, the oldest is sent first.
    pub asked: Instant,
    /// How often the platform already refused the request because there were too many.
    pub throttled: u32,
    /// The channel for the response.
    pub reply: Reply<Answer>,
}

impl Ask {
    /// Returns an urgent request that is for no conversation.
    #[must_use]
    pub(crate) fn new(request: Request, lane: Lane, reply: Reply<Answer>) -> Self {
        let asked = Instant::now();
        let (conversation, metadata) = (None, Vec::new());
        Self { conversation, request, metadata, lane, urgent: true, alone: false, asked, throttled: 0, reply }
    }
}

/// Why a request failed.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Nothing was sent: the connection has no session at the moment.
    #[error("the connection is not ready")]
    NotConnected,
    /// Nothing was sent: too many requests are in flight.
    #[error("too many requests are in flight on the connection")]
    Overloaded,
    /// Nothing was sent: the platform recently refused too many requests (429).
    #[error("the platform refused too many requests: no request is sent for {} ms", wait.as_millis())]
    Paused {
        /// The rest of the pause.
        wait: Duration,
    },
    /// Nothing was sent: the request cannot be serialized.
    #[error("the request cannot be written: {0}")]
    Unwritable(String),
    /// Nothing was sent: this kind of connection cannot send this request.
    #[error("{0}")]
    NotSupported(&'static str),
    /// The request was sent, and the connection was lost before the response came. The request may have been applied.
    #[error("the connection was lost before the response came")]
    ConnectionLost,
    /// The request was sent, and the platform closed the connection over content. The request may have been applied.
    #[error("the platform closed the connection with {code} before the answer came")]
    ClosedOverContent {
        /// The close code.
        code: u16,
        /// Whether no other command was in flight.
        alone: bool,
    },
    /// The request was sent, and no response came in time. The request may have been applied.
    #[error("no response came in time")]
    TimedOut,
    /// The platform refused the request, or its response does not belong to this request.
    #[error(transparent)]
    Answer(#[from] AnswerError),
}

impl RequestError {
    /// Returns whether the request may have been applied although no response confirms it.
    #[must_use]
    pub fn is_outcome_unknown(&self) -> bool {
        matches!(self, Self::ConnectionLost | Self::ClosedOverContent { .. } | Self::TimedOut)
    }

    /// Returns whether nothing was sent, for a reason that passes.
    #[must_use]
    pub fn is_for_now(&self) -> bool {
        matches!(self, Self::NotConnected | Self::Overloaded | Self::Paused { .. })
    }

    /// Returns how the request was refused.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::NotConnected | Self::ConnectionLost | Self::ClosedOverContent { .. } => Refusal::ConnectionLost,
            Self::Overloaded | Self::Paused { .. } => Refusal::TooMany,
            Self::Unwritable(_) | Self::NotSupported(_) => Refusal::Rejected,
            Self::TimedOut => Refusal::Unanswered,
            Self::Answer(error) => error.into(),
        }
    }
}

/// The platform's response to a request, success or refusal.
#[derive(Debug)]
pub(crate) struct Answer(Content);

#[derive(Debug)]
enum Content {
    /// A frame of the wire.
    Frame(Bytes),
    /// An answer that came by HTTP, or that the library gives itself.
    Body { status: u16, body: Option<Box<RawValue>> },
}

impl Answer {
    pub(crate) fn new(frame: Bytes) -> Self {
        Self(Content::Frame(frame))
    }

    /// An answer without a frame: a status as HTTP has it, and a body.
    pub(crate) fn of_status(status: u16, body: Option<Box<RawValue>>) -> Self {
        Self(Content::Body { status, body })
    }

    /// Returns the answer as sent.
    pub(crate) fn bytes(&self) -> Bytes {
        match &self.0 {
            Content::Frame(frame) => frame.clone(),
            Content::Body { body, .. } => body.as_ref().map_or_else(Bytes::new, |body| body.get().to_owned().into()),
        }
    }

    /// Parses the response with `read`.
    ///
    /// # Errors
    /// The error of `read`, usually that the platform refused the request.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&Response<'_>) -> Result<T, AnswerError>,
    ) -> Result<T, RequestError> {
        let frame = match &self.0 {
            Content::Frame(frame) => frame,
            Content::Body { status, body } => {
                let body = body.as_deref().map(Json::from);
                return Ok(read(&Response { request_id: None, code: Code(*status), kind: Text::from(""), body })?);
            }
        };
        match Frame::decode(std::str::from_utf8(frame).unwrap_or_default()) {
            Ok(Frame::Response(response)) => Ok(read(&response)?),
            Ok(Frame::Notification(_)) | Err(_) => {
                Err(AnswerError::Unexpected("the answer cannot be read".to_owned()).into())
            }
        }
    }
}
