//! The note: one agent's among the others ([CV-F9](crate::rules#cv-f9)), or the whole of it at once
//! ([CV-F12](crate::rules#cv-f12)).

use serde::{Deserialize, Serialize};

use super::{Command, Identity, Limits, Plan, PlannedRequest, Refusal, Repeat, planning::Planner};
use crate::{
    conversation::Conversation,
    id::{AgentId, CommandKey},
    note::{self, AgentNote, NotePlan, NoteRoom},
    time::Timestamp,
    ums::{ConversationUpdate, FieldChange, Request, Stage},
};

/// A note of one agent to write among the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetAgentNote {
    /// The text.
    pub note_content: String,
    /// When it was asked for. Told by the caller, so that the same command writes the same note when it is repeated.
    pub time: Timestamp,
    /// Whose note it is; this connection's agent's where it is not told ([NT-5](crate::rules#nt-5)).
    #[serde(default)]
    pub agent_id: Option<AgentId>,
    /// The agent's name as shown to others; this connection's agent's where it is not told ([NT-5](crate::rules#nt-5)).
    #[serde(default)]
    pub name: Option<String>,
    /// Which note to replace, if there is one; a new one of this agent and time where it is not told
    /// ([NT-3](crate::rules#nt-3), [NT-4](crate::rules#nt-4)).
    #[serde(default)]
    pub note_id: Option<String>,
    /// Whether a machine wrote it.
    #[serde(default)]
    pub is_auto_summary: bool,
    /// Whether it may be cut to fit ([NT-6](crate::rules#nt-6)).
    #[serde(default = "yes")]
    pub truncate_enabled: bool,
}

fn yes() -> bool {
    true
}

impl SetAgentNote {
    /// A new note of this connection's agent, cut if it must be.
    #[must_use]
    pub fn new(note_content: String, time: Timestamp) -> Self {
        let (agent_id, name, note_id) = (None, None, None);
        Self { note_content, time, agent_id, name, note_id, is_auto_summary: false, truncate_enabled: true }
    }
}

impl Planner<'_> {
    pub(super) fn set_note(&self, note: &str) -> Result<Plan, Refusal> {
        self.note_writer()?;
        let (length, limit) = (note.chars().count(), self.limits.note_chars);
        if length > limit {
            return Err(Refusal::NoteTooLong { length, limit });
        }
        Ok(self.update(vec![FieldChange::Note { note: note.to_owned() }], Repeat::ReadStateThenAct))
    }

    /// The note is written into the field as it is now, as far as states and what was written here tell, and planned
    /// anew on a later one where a state shows that it was lost.
    pub(super) fn set_agent_note(&self, asked: &SetAgentNote) -> Result<Plan, Refusal> {
        self.set_agent_note_on(asked, self.conversation.present_note().as_deref())
    }

    fn set_agent_note_on(&self, asked: &SetAgentNote, present: Option<&str>) -> Result<Plan, Refusal> {
        let SetAgentNote { note_content, time, agent_id, name, note_id, is_auto_summary, truncate_enabled } = asked;
        let own_id = self.note_writer()?;
        let own_name = match self.me {
            Identity::Brand { name, .. } => name.as_ref(),
            Identity::Consumer { .. } => None,
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

    /// The agent, if the note can be written at all: after the end too, until the conversation is locked
    /// ([NT-1](crate::rules#nt-1)).
    fn note_writer(&self) -> Result<&AgentId, Refusal> {
        let agent = self.agent("only an agent can write the note")?;
        if self.conversation.stage() == Some(&Stage::Locked) { Err(Refusal::Locked) } else { Ok(agent) }
    }
}

impl Command {
    /// What is to be sent when the answer to `sent` has come, because `conversation` shows notes of others that came
    /// after it was planned: applied after them, it destroys them. There is no compare-and-set on the platform, so that
    /// what it destroys is written again, with everything that it or an `earlier` amendment was to write; the note's id
    /// keeps it from being there twice. `None` where nothing is destroyed, or cannot be written any more.
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
        // What is on its way has what an earlier state showed, which this one may have lost already.
        let known = earlier.unwrap_or(sent).note_field()?;
        let present = note::union(conversation.present_note().as_deref(), known);
        // A note's text carries no key.
        let planner = Planner { conversation, me, key: &CommandKey::from(""), limits };
        match planner.set_agent_note_on(asked, Some(&present)) {
            Ok(Plan::Request(amended)) => Some(*amended),
            Ok(Plan::Nothing) | Err(_) => None,
        }
    }
}

impl PlannedRequest {
    /// The platform confirmed the request: a note that it writes is remembered until a state shows it, because the next
    /// one may be planned before that.
    pub fn confirmed(&self, conversation: &mut Conversation) {
        if let Some(field) = self.note_field() {
            conversation.note_written(field, self.note.as_ref());
        }
    }

    /// Whether `conversation` shows notes of others that are not in what this request writes.
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
