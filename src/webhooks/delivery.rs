//! The delivery log: the attempts, without their payloads.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{attempt::Attempted, payload::Payload, verdict::AttemptOutcome};

/// The most attempts in the log of one webhook; a new attempt replaces the oldest.
pub(super) const MOST_ATTEMPTS: u64 = 1_000;

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// The event's id, which is the same in every attempt.
    pub event_id: String,
    /// The type of the event.
    #[serde(rename = "type")]
    pub kind: String,
    /// The conversation, if the event belongs to one.
    pub conversation: Option<String>,
    /// The number of the attempt for this event, from 1.
    pub attempt: u32,
    /// When the attempt began; like `next_try` rounded to milliseconds, so that the two can be compared.
    #[schema(value_type = String)]
    pub time: jiff::Timestamp,
    /// The duration in milliseconds.
    pub duration_ms: u64,
    /// The outcome: `delivered`, `redirected`, `client-error`, `server-error`, `timed-out`, `name-not-found`,
    /// `internal-address`, `unreachable`, `connection-lost` or `unreadable`; `unusable-reply` if the webhook has
    /// `replies` and the answer is not a valid reply.
    pub outcome: String,
    /// The status of the receiver's answer, if there was an answer.
    pub status: Option<u16>,
    /// The earliest time of the next attempt; null if the event was delivered or given up.
    #[schema(value_type = Option<String>)]
    pub next_try: Option<jiff::Timestamp>,
}

impl Delivery {
    pub(super) fn new(payload: &Payload, attempt: u32, attempted: &Attempted, next_try: Option<i64>) -> Self {
        let Attempted { time, took, outcome, .. } = attempted;
        Self {
            event_id: payload.id.clone(),
            kind: format!("tertulia.{}", payload.name),
            conversation: payload.conversation.as_deref().map(str::to_owned),
            attempt,
            time: jiff::Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(*time),
            duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            outcome: AttemptOutcome::kind(outcome).to_owned(),
            status: outcome.status(),
            next_try: next_try.and_then(|at| jiff::Timestamp::from_millisecond(at).ok()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::webhooks::answer::Reply;

    #[test]
    fn the_log_shows_the_pause_until_the_next_try() {
        let payload = Payload {
            id: "e-1".to_owned(),
            name: "message".into(),
            connection: "main".into(),
            conversation: None,
            body: Bytes::new(),
        };
        let attempted = Attempted {
            time: "2026-11-25T19:12:44.569219794Z".parse().unwrap(),
            took: Duration::ZERO,
            outcome: AttemptOutcome::Answered { status: 503, retry_after: None },
            answer: Bytes::new(),
            reply: Reply::default(),
        };
        let next = attempted.time.as_millisecond() + 3_600_000;
        let delivery = Delivery::new(&payload, 1, &attempted, Some(next));
        assert_eq!(delivery.next_try.unwrap().duration_since(delivery.time).as_secs(), 3_600);
    }
}
