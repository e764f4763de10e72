//! The conversation's one Note field as the list of agents' notes that it holds ([NT-1](crate::rules#nt-1) to
//! [NT-7](crate::rules#nt-7)).
//!
//! The platform keeps one string per conversation, and takes only a whole new one. By agreement of its clients the
//! string is a JSON array of [`AgentNote`]s. To write a note is therefore to write everybody's: [`write()`] keeps all
//! others as they are, to the byte, cuts only the new one, and refuses where nothing of it fits.

mod field;
#[cfg(test)]
mod tests;
mod unshown;
mod write;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub(crate) use field::{entries_lost, shows, union};
pub(crate) use unshown::Unshown;
pub use write::write;

use crate::{id::AgentId, time::Timestamp};

/// One agent's note, as an entry of the field ([NT-2](crate::rules#nt-2)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentNote {
    /// Whose it is.
    pub agent_id: AgentId,
    /// The agent's name, as shown to others.
    pub name: String,
    /// The text.
    pub note_content: String,
    /// When it was written.
    pub time: Timestamp,
    /// By what the agent's note is found again and replaced.
    pub note_id: String,
    /// Whether a machine wrote it.
    pub is_auto_summary: bool,
}

impl AgentNote {
    /// The id of a note that has none yet: `agent::time` ([NT-4](crate::rules#nt-4)).
    #[must_use]
    pub fn id_of(agent: &AgentId, time: Timestamp) -> String {
        format!("{agent}::{time}")
    }
}

/// What the limit of characters is counted on.
///
/// The documents say "5000" without saying of what; the platform can only count the field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NoteBudget {
    /// The field as it is stored: everybody's notes, with names, ids and JSON's own characters.
    #[default]
    WholeField,
    /// The text of each note by itself; the field may be of any length.
    PerNote,
}

/// How much room there is for notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoteRoom {
    /// The most characters (Unicode scalar values).
    pub limit: usize,
    /// Of what.
    pub budget: NoteBudget,
}

/// A new value of the field, and what of the note is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotePlan {
    /// The whole new value of the field.
    pub field: String,
    /// The note in it.
    pub written: WrittenNote,
}

/// A note as it was written, for whom asked for it ([CV-F9](crate::rules#cv-f9)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WrittenNote {
    /// Whose it is.
    pub agent_id: AgentId,
    /// By what it can be replaced.
    pub note_id: String,
    /// Its text, cut if it had to be.
    pub content: String,
    /// Whether it was cut.
    pub truncated: bool,
}

impl WrittenNote {
    /// The text that is left of a note that was cut ([NT-6](crate::rules#nt-6)).
    #[must_use]
    pub fn truncated_text(&self) -> Option<&str> {
        self.truncated.then_some(self.content.as_str())
    }
}

/// Why a note is not written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoteError {
    /// The notes that are there leave room for not even one character ([NT-7](crate::rules#nt-7)).
    #[error("No room left to add agent note")]
    NoRoomLeft,
    /// The note does not fit, and may not be cut.
    #[error("the note has {length} characters, there is room for {room}")]
    TooLong {
        /// Its characters.
        length: usize,
        /// How many of them would fit.
        room: usize,
    },
    /// The note to replace is another agent's.
    #[error("the note {note_id} belongs to {agent_id}")]
    OfAnother {
        /// Which.
        note_id: String,
        /// Whose.
        agent_id: AgentId,
    },
}
