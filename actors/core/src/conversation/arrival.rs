//! How and when a conversation came to its connection.

use serde::{Deserialize, Serialize};

use crate::{time::Timestamp, ums::MessageRecord};

/// How a conversation came to its connection.
///
/// A history mixes messages that still wait for an answer with messages answered long ago, and a bot must answer only
/// the former. Therefore messages from before a conversation came to its connection are marked
/// ([`super::Message::back_filled`]):
///
/// - A message published after the conversation came is new, even if a lost socket or a restart delayed it.
/// - A consumer writes first and gets an agent then. Messages that nobody had answered when such a conversation came
///   are new.
/// - Every other earlier message is not new: it was for another agent, or for an earlier process without a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Arrival {
    /// It came while the connection was there, and never belonged to the connection before.
    New,
    /// It existed before the connection, or belonged to another connection in between.
    Before,
}

/// The last arrival of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Arrived {
    arrival: Arrival,
    /// The version of the state with which it came; `None` before that state.
    at: Option<Timestamp>,
}

impl Arrived {
    /// An arrival whose state is not known yet.
    pub(super) fn unseen(arrival: Arrival) -> Self {
        Self { arrival, at: None }
    }

    /// Records the version of an accepted state; only the first state after the arrival counts.
    pub(super) fn first_state(&mut self, version: Option<Timestamp>) {
        self.at = self.at.or(version);
    }

    /// Whether the conversation came after the record was published, or the record has no time.
    pub(super) fn is_after(self, record: &MessageRecord<'_>) -> bool {
        record.server_timestamp.zip(self.at).is_none_or(|(time, came_at)| time <= came_at)
    }

    /// Whether a record of a fetched history is not new. `answered` is the highest sequence with which an agent had
    /// answered the consumer before.
    pub(super) fn is_old(self, record: &MessageRecord<'_>, answered: Option<u64>) -> bool {
        let is_answered = || record.sequence.zip(answered).is_some_and(|(sequence, answered)| sequence <= answered);
        self.is_after(record) && (self.arrival == Arrival::Before || is_answered())
    }
}
