//! The note: the note of one agent among the others ([CV-F9](crate::rules#cv-f9)), or the whole text at once
//! ([CV-F12](crate::rules#cv-f12)).

use super::{Command, Identity, Limits, Plan, PlannedRequest, Refusal, Repeat, SetAgentNote, planning::Planner};
use crate::{
    conversation::Conversation,
    id::{AgentId, CommandKey},
    note::{self, AgentNote, NotePlan, NoteRoom},
    ums::{ConversationUpdate, FieldChange, Request, Stage},
};

impl Planner<'_> {
    pub(super) fn set_note(&self, note: &str) -> Result<Plan, Refusal> {
        self.note_writer()?;
        let (length, limit) = (note.chars().count(), self.limits.note_chars);
        if length > limit {
            return Err(Refusal::NoteTooLong { length, limit });
        }
        Ok(self.update(vec![FieldChange::Note { note: note.to_owned() }], Repeat::ReadStateThenAct))
    }

    /// Writes the note into the present field, as known from states and from confirmed writes. The command is
    /// planned again on a later field if a state shows that the note was lost.
    pub(super) fn set_agent_note(&self, asked: &SetAgentNote) -> Result<Plan, Refusal> {
        self.set_agent_note_on(asked, self.conversation.present_note().as_deref())
    }

    fn set_agent_note_on(&self, asked: &SetAgentNote, present: Option<&str>) -> Result<Plan, Refusal> {
        let SetAgentNote { note_content, time, agent_id, name, note_id, is_auto_summary, truncate_enabled } = asked;
        let own_id = self.note_writer()?;
        let own_name = match self.me {
            Identity::Brand { name, .. } => name.as_ref(),
            Identity::Consumer { .. } | Identity::Connector { .. } => None,
        };
        let agent_id = agent_id.as_ref().unwrap_or(own_id);
        let note = AgentNote {
            agent_id: agent_id.clone(),
            name: name.as_ref().or(own_name).cloned().unwrap_or_default(),
            note_content: note_content.clone(),
            time: *time,
            note_id: note_id.clone().unwrap_or_else(|| AgentNote::id_of(agent_id, *time)),
            is_auto_summary: *is_auto_summary,
        };
        let room = NoteRoom { limit: self.limits.note_chars, budget: self.limits.note_budget };
        let NotePlan { field, written } = note::write(present, note, *truncate_enabled, room)?;
        Ok(self.update_with(vec![FieldChange::Note { note: field }], Repeat::ReadStateThenAct, Some(written)))
    }

    /// Returns the agent, if the note can be written: even after the end, until the conversation is locked
    /// ([NT-1](crate::rules#nt-1)).
    fn note_writer(&self) -> Result<&AgentId, Refusal> {
        let agent = self.agent("only an agent can write the note")?;
        if self.conversation.stage() == Some(&Stage::Locked) { Err(Refusal::Locked) } else { Ok(agent) }
    }
}

impl Command {
    /// Returns a second request to send after the response to `sent`, if `conversation` shows notes of others that were
    /// written after `sent` was planned: `sent` overwrites them, because the platform has no compare-and-set. The
    /// second request restores them, together with everything that `sent` or an `earlier` amendment writes; the note's
    /// id prevents a duplicate. `None` if nothing is overwritten, or nothing can be written any more.
    #[must_use]
    pub fn amend(
        &self,
        sent: &PlannedRequest,
        earlier: Option<&PlannedRequest>,
        conversation: &Conversation,
        me: &Identity,
        limits: &Limits,
    ) -> Option<PlannedRequest> {
        let (Self::SetAgentNote(asked), true) = (self, sent.overwrites_notes(conversation)) else { return None };
        // `earlier` and `sent` contain notes of an earlier state, which the present state may have lost already.
        let known = earlier.unwrap_or(sent).note_field()?;
        let present = note::union(conversation.present_note().as_deref(), known);
        // A request that sets the note carries no key.
        let planner = Planner { conversation, me, key: &CommandKey::from(""), limits };
        match planner.set_agent_note_on(asked, Some(&present)) {
            Ok(Plan::Request(amended)) => Some(*amended),
            Ok(Plan::Nothing) | Err(_) => None,
        }
    }
}

impl PlannedRequest {
    /// The platform confirmed the request. A note that it wrote is remembered until a state shows it, because the next
    /// note may be planned before that.
    pub fn confirmed(&self, conversation: &mut Conversation) {
        if let Some(field) = self.note_field() {
            conversation.note_written(field, self.note.as_ref());
        }
    }

    /// Whether `conversation` shows notes of others that this request would overwrite.
    pub(super) fn overwrites_notes(&self, conversation: &Conversation) -> bool {
        match (&self.note, self.note_field()) {
            (Some(written), Some(field)) => note::entries_lost(conversation.present_note().as_deref(), field, written),
            _ => false,
        }
    }

    fn note_field(&self) -> Option<&str> {
        match &self.request {
            Request::UpdateConversation(ConversationUpdate { conversation_field, .. }) => {
                match conversation_field.as_slice() {
                    [FieldChange::Note { note }] => Some(note),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}
