//! One attempt: a signed request and the receiver's answer.

use std::{io::ErrorKind, sync::Arc, time::Duration};

use awc::{
    Client,
    error::{ConnectError, PayloadError, SendRequestError},
    http::header,
};
use bytes::Bytes;
use tertulia_actors::platform::Platform;
use tokio::time::{Instant, timeout_at};

use super::{
    answer::{self, AnswerError, Reply},
    definition::Definition,
    dial::{Dial, InternalAddress},
    payload::Payload,
    schedule::retry_after,
    verdict::{AttemptOutcome, NoAnswer},
};

/// The most bytes read of an answer; a longer answer ends the connection.
const MAX_ANSWER: usize = 16 * 1024;
/// How long the body of an answer may take after its head. The head alone decides the outcome.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// How long an idle connection is kept. Most servers keep connections longer; if the receiver closed first, a request
/// on that connection would need a retry.
const IDLE: Duration = Duration::from_secs(4);
/// The most characters of an answer that are shown to a caller.
const TOLD: usize = 1_000;

/// The result of one attempt.
#[derive(Clone, Debug)]
pub(super) struct Attempted {
    pub(super) time: jiff::Timestamp,
    pub(super) took: Duration,
    pub(super) outcome: AttemptOutcome,
    /// The beginning of the answer.
    pub(super) answer: Bytes,
    /// The reply in the answer; empty if the webhook has no `replies`.
    pub(super) reply: Reply,
}

impl Attempted {
    /// The beginning of the answer as text.
    pub(super) fn answer_text(&self) -> String {
        String::from_utf8_lossy(&self.answer).chars().take(TOLD).collect()
    }
}

/// A client for one webhook, which keeps its connections for the next attempts.
pub(super) fn client(tls: Arc<rustls::ClientConfig>, allow_internal: bool, within: Duration) -> Client {
    Platform::http_client(Dial::new(allow_internal), Some(tls), within, IDLE)
}

/// Sends `payload` to the receiver of `definition` and waits at most `within` for the head of the answer, including the
/// time to connect. If the webhook has `replies`, the whole answer must arrive within this time.
pub(super) async fn attempt(client: Client, definition: Definition, payload: Payload, within: Duration) -> Attempted {
    let time = jiff::Timestamp::now();
    let request = client
        .post(definition.url.as_str())
        .insert_header((header::USER_AGENT, concat!("tertulia/", env!("CARGO_PKG_VERSION"))))
        .insert_header((header::CONTENT_TYPE, "application/cloudevents+json; charset=utf-8"))
        .insert_header(("webhook-id", payload.id.as_str()))
        .insert_header(("webhook-timestamp", time.as_second()))
        .insert_header(("webhook-signature", definition.secrets.signatures(&payload.id, time, &payload.body)));
    let began = Instant::now();
    let deadline = began + within;
    let ended = |outcome, answer| Attempted { time, took: began.elapsed(), outcome, answer, reply: Reply::default() };
    let mut response = match timeout_at(deadline, request.send_body(payload.body)).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => return ended(AttemptOutcome::Failed(failure(&error)), Bytes::new()),
        Err(_) => return ended(AttemptOutcome::Failed(NoAnswer::TimedOut), Bytes::new()),
    };
    let asked = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = asked.and_then(|value| retry_after(value, time));
    let status = response.status().as_u16();
    if definition.replies && response.status().is_success() {
        let body = timeout_at(deadline, response.body().limit(answer::MOST_BYTES)).await;
        return match body.map_err(|_| PayloadError::Io(ErrorKind::TimedOut.into())).and_then(|body| body) {
            Ok(body) => match Reply::read(&body) {
                Ok(reply) => Attempted { reply, ..ended(AttemptOutcome::Answered { status, retry_after }, body) },
                Err(error) => ended(unusable(status, &error), body),
            },
            Err(PayloadError::Overflow) => ended(unusable(status, &AnswerError::TooLong), Bytes::new()),
            Err(PayloadError::Io(error)) if error.kind() == ErrorKind::TimedOut => {
                ended(AttemptOutcome::Failed(NoAnswer::TimedOut), Bytes::new())
            }
            Err(_) => ended(AttemptOutcome::Failed(NoAnswer::ConnectionLost), Bytes::new()),
        };
    }
    let outcome = AttemptOutcome::Answered { status, retry_after };
    // A body that cannot be read does not change the outcome.
    let rest = timeout_at(deadline.min(Instant::now() + ANSWER_WITHIN), response.body().limit(MAX_ANSWER)).await;
    let answer = rest.ok().and_then(Result::ok).unwrap_or_default();
    ended(outcome, answer)
}

fn unusable(status: u16, error: &AnswerError) -> AttemptOutcome {
    AttemptOutcome::Unusable { status, reason: error.to_string() }
}

fn failure(error: &SendRequestError) -> NoAnswer {
    match error {
        SendRequestError::Timeout | SendRequestError::Connect(ConnectError::Timeout) => NoAnswer::TimedOut,
        SendRequestError::Connect(ConnectError::Resolver(_) | ConnectError::NoRecords | ConnectError::Unresolved) => {
            NoAnswer::NameNotFound
        }
        SendRequestError::Connect(ConnectError::Io(error)) => {
            let internal = error.get_ref().is_some_and(|error| error.is::<InternalAddress>());
            if internal { NoAnswer::InternalAddress } else { NoAnswer::Unreachable }
        }
        SendRequestError::Connect(ConnectError::Disconnected) => NoAnswer::ConnectionLost,
        SendRequestError::Connect(_) | SendRequestError::Url(_) => NoAnswer::Unreachable,
        SendRequestError::Response(_) => NoAnswer::Unreadable,
        _ => NoAnswer::ConnectionLost,
    }
}
