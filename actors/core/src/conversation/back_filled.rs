//! Which messages of a fetched history are new to a bot.

use super::{Arrival, Conversation, arrival::Arrived};
use crate::ums::{MessageContent, MessageRecord, ParticipantRole};

impl Conversation {
    /// Records that the conversation comes to its connection. The next accepted state says when.
    pub fn arrives(&mut self, arrival: Arrival) {
        self.arrived = Some(Arrived::unseen(arrival));
    }

    /// Records the version of an accepted state.
    pub(super) fn note_arrival(&mut self) {
        if let Some(arrived) = &mut self.arrived {
            arrived.first_state(self.members.update_time);
        }
    }

    /// Returns the highest sequence among `records` with which an agent had answered the consumer when the conversation
    /// came. An agent's greeting after that answers nothing before it.
    #[must_use]
    pub fn answered_through<'a>(&self, records: impl IntoIterator<Item = &'a MessageRecord<'a>>) -> Option<u64> {
        let is_from_before = |record: &MessageRecord<'_>| self.arrived.is_none_or(|arrived| arrived.is_after(record));
        let is_answer = |record: &&MessageRecord<'_>| {
            let is_content = matches!(record.event, MessageContent::Content { .. } | MessageContent::Rich { .. });
            is_content && is_from_before(record) && self.is_by_agent(record)
        };
        records.into_iter().filter(is_answer).filter_map(|record| record.sequence).max()
    }

    /// Returns whether a record of a fetched history is not new. `answered` is [`Self::answered_through`] of that
    /// history.
    pub(super) fn is_old(&self, record: &MessageRecord<'_>, answered: Option<u64>) -> bool {
        self.arrived.is_some_and(|arrived| arrived.is_old(record, answered))
    }

    fn is_by_agent(&self, record: &MessageRecord<'_>) -> bool {
        let stated = record.originator_role().cloned();
        let role = stated.or_else(|| {
            let id = record.originator_user_id()?;
            self.dialogs.iter().find_map(|dialog| dialog.participant(id)).map(|participant| participant.role.clone())
        });
        matches!(role, Some(ParticipantRole::AssignedAgent | ParticipantRole::Agent | ParticipantRole::Manager))
    }
}
