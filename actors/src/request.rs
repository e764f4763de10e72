//! What is asked of the platform by a connection, and what can become of it.

use std::time::{Duration, Instant};

use actix::Message;
use bytes::Bytes;
use serde_json::Value;
use tertulia_core::{
    id::ConversationId,
    refusal::Refusal,
    ums::{AnswerError, Frame, Request, Response},
};
use tokio::sync::oneshot;

pub use tertulia_core::refusal::Lane;

/// The platform's code for too many requests (protocol [§9.3](crate::protocol#93)).
pub(crate) const TOO_MANY: u16 = 429;

/// Where a reply goes. A receiver that went away is no error: nobody waits any more.
pub type Reply<T> = oneshot::Sender<Result<T, RequestFailure>>;

/// Sends a request if its lane is open, or fails at once where it is not.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Ask {
    /// In which conversation; `None` where the connection asks for itself.
    pub conversation: Option<ConversationId>,
    /// What is asked.
    pub request: Request,
    /// Metadata that goes with it.
    pub metadata: Vec<Value>,
    /// For what it is sent: commands wait until the connection may send.
    pub lane: Lane,
    /// Whether messages or commands wait for the answer. The recovery lane sends urgent requests first.
    pub urgent: bool,
    /// Whether no other command may be in flight beside it: it is suspected of ending sockets.
    pub alone: bool,
    /// Since when its caller waits. Of the requests that may not go out yet the oldest is sent first.
    pub asked: Instant,
    /// How often the platform refused it before.
    pub throttled: u32,
    /// Where the answer goes.
    pub reply: Reply<Answer>,
}

impl Ask {
    /// An urgent request of no conversation.
    #[must_use]
    pub fn new(request: Request, lane: Lane, reply: Reply<Answer>) -> Self {
        let asked = Instant::now();
        let (conversation, metadata) = (None, Vec::new());
        Self { conversation, request, metadata, lane, urgent: true, alone: false, asked, throttled: 0, reply }
    }
}

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestFailure {
    /// Nothing was sent: there is no session now.
    #[error("the connection is not ready")]
    NotConnected,
    /// Nothing was sent: too many requests are out.
    #[error("too many requests are in flight on the connection")]
    Overloaded,
    /// Nothing was sent: the platform was asked too much of just now (429).
    #[error("the platform refused too many requests: no request is sent for {} ms", wait.as_millis())]
    Paused {
        /// How long the pause still is.
        wait: Duration,
    },
    /// Nothing was sent: the request cannot be written.
    #[error("the request cannot be written: {0}")]
    Unwritable(String),
    /// Nothing was sent: this kind of connection cannot ask it.
    #[error("{0}")]
    NotSupported(&'static str),
    /// It was sent, and the connection was lost before the answer came. It may or may not have had its effect.
    #[error("the connection was lost before the response came")]
    ConnectionLost,
    /// It was sent, and the platform closed the connection over content. It may or may not have had its effect.
    #[error("the platform closed the connection with {code} before the answer came")]
    ClosedOverContent {
        /// The close code.
        code: u16,
        /// Whether no other command was in flight.
        alone: bool,
    },
    /// It was sent, and no answer came in time. It may or may not have had its effect.
    #[error("no response came in time")]
    TimedOut,
    /// The platform's answer is a refusal, or not the answer to this request.
    #[error(transparent)]
    Answer(#[from] AnswerError),
}

impl RequestFailure {
    /// Whether the request may have had its effect without our knowing.
    #[must_use]
    pub fn is_outcome_unknown(&self) -> bool {
        matches!(self, Self::ConnectionLost | Self::ClosedOverContent { .. } | Self::TimedOut)
    }

    /// Whether nothing was sent, because nothing could be just now.
    #[must_use]
    pub fn is_for_now(&self) -> bool {
        matches!(self, Self::NotConnected | Self::Overloaded | Self::Paused { .. })
    }

    /// How the request was not granted.
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

/// The platform's answer to a request, success or refusal.
#[derive(Debug)]
pub struct Answer(Bytes);

impl Answer {
    pub(crate) fn new(frame: Bytes) -> Self {
        Self(frame)
    }

    /// The answer as sent.
    pub(crate) fn frame(&self) -> &Bytes {
        &self.0
    }

    /// Reads the answer.
    ///
    /// # Errors
    /// What `read` says, usually that the platform refused.
    pub fn read<T>(&self, read: impl FnOnce(&Response<'_>) -> Result<T, AnswerError>) -> Result<T, RequestFailure> {
        let text = std::str::from_utf8(&self.0).unwrap_or_default();
        match Frame::decode(text) {
            Ok(Frame::Response(response)) => Ok(read(&response)?),
            Ok(Frame::Notification(_)) | Err(_) => {
                Err(AnswerError::Unexpected("the answer cannot be read".to_owned()).into())
            }
        }
    }
}
