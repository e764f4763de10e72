//! The HTTP interface, as the tools call it.

use std::{future::Future, time::Duration};

use serde_json::Value;

/// How long one call may take: longer than any endpoint waits for the outcome of an action.
pub(crate) const WITHIN: Duration = Duration::from_secs(100);

/// The largest answer that is read, in bytes.
pub(crate) const LARGEST_ANSWER: usize = 4 * 1024 * 1024;

/// Calls the endpoints of a gateway with the token of one caller.
pub(crate) trait Interface {
    /// Makes one call, and waits at most [`WITHIN`] for at most [`LARGEST_ANSWER`] bytes.
    ///
    /// # Errors
    /// [`Unanswered`]. A refusal of the gateway is an answer, not an error.
    fn call(&self, call: Call) -> impl Future<Output = Result<Answer, Unanswered>>;

    /// Whether the caller may act, as far as this is known before a call.
    fn may_act(&self) -> bool;
}

/// One call of the interface: a `POST` if it acts, a `GET` otherwise.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    /// The path with its query.
    pub(crate) path: String,
    pub(crate) acting: Option<Acting>,
}

/// What a call that acts has in addition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Acting {
    pub(crate) body: Value,
    /// The `Idempotency-Key`.
    pub(crate) key: String,
}

impl Call {
    /// A call that only reads.
    pub(super) fn reading(path: impl Into<String>) -> Self {
        Self { path: path.into(), acting: None }
    }
}

/// An answer of the gateway, also one that refuses.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    status: u16,
    /// Null if the body is not JSON.
    body: Value,
}

impl Answer {
    pub(crate) fn new(status: u16, body: &[u8]) -> Self {
        Self { status, body: serde_json::from_slice(body).unwrap_or_default() }
    }

    /// The body of a success.
    ///
    /// # Errors
    /// [`Failure::Refused`].
    pub(super) fn into_result(self) -> Result<Value, Failure> {
        let Self { status, body } = self;
        if (200..300).contains(&status) { Ok(body) } else { Err(Failure::Refused { status, problem: body }) }
    }
}

/// Why a call was not a success.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Failure {
    /// The gateway refused the call with a problem (RFC 9457).
    Refused { status: u16, problem: Value },
    /// There is no answer.
    Unanswered(Unanswered),
}

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unanswered {
    /// Nothing was sent.
    #[error("the gateway cannot be reached: {0}")]
    NotSent(String),
    /// The gateway may have acted.
    #[error("the gateway did not answer: {0}")]
    NoAnswer(String),
    /// The gateway has acted, and its answer is too large to be read.
    #[error("the answer has more than {LARGEST_ANSWER} bytes")]
    TooLarge,
}
