//! Which messages of a fetched history are news.

use serde::{Deserialize, Serialize};

use super::Conversation;
use crate::{
    time::Timestamp,
    ums::{MessageContent, MessageRecord, ParticipantRole},
};

/// How a conversation came to its connection.
///
/// A history mixes what still waits for an answer with what is long answered, and a bot must answer the one and not the
/// other. What a conversation brings from before it came is therefore marked ([`super::Message::back_filled`]):
///
/// - What was said after the conversation came is news, also where a lost socket or a restart kept it away for a while.
/// - A consumer speaks first and gets an agent then. What nobody had answered when such a conversation came is news.
/// - Everything else from before is not: it was said to another agent, or to an earlier process that kept nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Arrival {
    /// It came while the connection was there, and was never the connection's before.
    New,
    /// It was there before the connection, or was another's in between.
    Before,
}

/// The last arrival of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Arrived {
    arrival: Arrival,
    /// The version of the state that it came with; none yet.
    at: Option<Timestamp>,
}

impl Conversation {
    /// Notes that the conversation comes to its connection. The next state that is accepted tells when.
    pub fn arrives(&mut self, arrival: Arrival) {
        self.arrived = Some(Arrived { arrival, at: None });
    }

    /// Notes the version of an accepted state.
    pub(super) fn note_arrival(&mut self) {
        if let Some(arrived) = &mut self.arrived {
            arrived.at = arrived.at.or(self.members.update_time);
        }
    }

    /// The highest sequence among `records` with which an agent had answered the consumer when the conversation came.
    /// An agent's greeting after that answers nothing that was said before.
    #[must_use]
    pub fn answered_through<'a>(&self, records: impl IntoIterator<Item = &'a MessageRecord<'a>>) -> Option<u64> {
        let is_answer = |record: &&MessageRecord<'_>| {
            let is_content = matches!(record.event, MessageContent::Content { .. } | MessageContent::Rich { .. });
            is_content && self.is_from_before(record) && self.is_by_agent(record)
        };
        records.into_iter().filter(is_answer).filter_map(|record| record.sequence).max()
    }

    /// Whether a record of a fetched history is not news. `answered` is [`Self::answered_through`] of that history.
    pub(super) fn is_old(&self, record: &MessageRecord<'_>, answered: Option<u64>) -> bool {
        let Some(Arrived { arrival, .. }) = self.arrived else { return false };
        let is_answered = || record.sequence.zip(answered).is_some_and(|(sequence, answered)| sequence <= answered);
        self.is_from_before(record) && (arrival == Arrival::Before || is_answered())
    }

    /// Whether a record is from before the conversation came; so is one without a time.
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
