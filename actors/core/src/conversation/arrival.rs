//! Which messages of a fetched history are new to a bot.

use serde::{Deserialize, Serialize};

use super::Conversation;
use crate::{
    time::Timestamp,
    ums::{MessageContent, MessageRecord, ParticipantRole},
};

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

impl Conversation {
    /// Records that the conversation comes to its connection. The next accepted state says when.
    pub fn arrives(&mut self, arrival: Arrival) {
        self.arrived = Some(Arrived { arrival, at: None });
    }

    /// Records the version of an accepted state.
    pub(super) fn note_arrival(&mut self) {
        if let Some(arrived) = &mut self.arrived {
            arrived.at = arrived.at.or(self.members.update_time);
        }
    }

    /// Returns the highest sequence among `records` with which an agent had answered the consumer when the conversation
    /// came. An agent's greeting after that answers nothing before it.
    #[must_use]
    pub fn answered_through<'a>(&self, records: impl IntoIterator<Item = &'a MessageRecord<'a>>) -> Option<u64> {
        let is_answer = |record: &&MessageRecord<'_>| {
            let is_content = matches!(record.event, MessageContent::Content { .. } | MessageContent::Rich { .. });
            is_content && self.is_from_before(record) && self.is_by_agent(record)
        };
        records.into_iter().filter(is_answer).filter_map(|record| record.sequence).max()
    }

    /// Returns whether a record of a fetched history is not new. `answered` is [`Self::answered_through`] of that
    /// history.
    pub(super) fn is_old(&self, record: &MessageRecord<'_>, answered: Option<u64>) -> bool {
        let Some(Arrived { arrival, .. }) = self.arrived else { return false };
        let is_answered = || record.sequence.zip(answered).is_some_and(|(sequence, answered)| sequence <= answered);
        self.is_from_before(record) && (arrival == Arrival::Before || is_answered())
    }

    /// Whether a record is from before the conversation came, or has no time.
    fn is_from_before(&self, record: &MessageRecord<'_>) -> bool {
        let came_at = self.arrived.and_then(|arrived| arrived.at);
        record.server_timestamp.zip(came_at).is_none_or(|(time, came_at)| time <= came_at)
    }

    fn is_by_agent(&self, record: &MessageRecord<'_>) -> bool {
        let told = record.originator_role().cloned();
        let role = told.or_else(|| {
            let id = record.originator_user_id()?;
            self.dialogs.iter().find_map(|dialog| dialog.participant(id)).map(|participant| participant.role.clone())
        });
        matches!(role, Some(ParticipantRole::AssignedAgent | ParticipantRole::Agent | ParticipantRole::Manager))
    }
}
