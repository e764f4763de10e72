//! The conversation's single note field, which contains the notes of several agents ([NT-1](crate::rules#nt-1) to
//! [NT-7](crate::rules#nt-7)).
//!
//! The platform keeps one string per conversation, and accepts only a whole new one. By agreement of its clients the
//! string is a JSON array of [`AgentNote`]s. Therefore writing one note means writing all: [`write()`] keeps all others
//! byte for byte, truncates only the new one, and fails if nothing of it fits.

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
    /// The author.
    pub agent_id: AgentId,
    /// The agent's name, as shown to others.
    pub name: String,
    /// The text.
    pub note_content: String,
    /// When it was written.
    pub time: Timestamp,
    /// The id by which the note is found and replaced.
    pub note_id: String,
    /// Whether a machine wrote it.
    pub is_auto_summary: bool,
}

impl AgentNote {
    /// Returns the id of a note without one: `agent::time` ([NT-4](crate::rules#nt-4)).
    #[must_use]
    pub fn id_of(agent: &AgentId, time: Timestamp) -> String {
        format!("{agent}::{time}")
    }
}

/// What counts towards the limit of characters.
///
/// The platform's documentation says "5000" without saying what is counted; the platform itself can only count the
/// field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NoteBudget {
    /// The stored field: all notes, with names, ids and the characters of JSON.
    #[default]
    WholeField,
    /// The text of each note separately; the field may have any length.
    PerNote,
}

/// The space for notes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoteRoom {
    /// The most characters (Unicode scalar values).
    pub limit: usize,
    /// What is counted.
    pub budget: NoteBudget,
}

/// A new value of the field, and the part of the note that it contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotePlan {
    /// The whole new value of the field.
    pub field: String,
    /// The note in it.
    pub written: WrittenNote,
}

/// A note as it was written, for the caller that wrote it ([CV-F9](crate::rules#cv-f9)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WrittenNote {
    /// The author.
    pub agent_id: AgentId,
    /// The id by which the note can be replaced.
    pub note_id: String,
    /// The text, possibly truncated.
    pub content: String,
    /// Whether the text was truncated.
    pub truncated: bool,
}

impl WrittenNote {
    /// The remaining text of a truncated note ([NT-6](crate::rules#nt-6)).
    #[must_use]
    pub fn truncated_text(&self) -> Option<&str> {
        self.truncated.then_some(self.content.as_str())
    }
}

/// Why a note was not written.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoteError {
    /// The present notes leave no room for even one character ([NT-7](crate::rules#nt-7)).
    #[error("No room left to add agent note")]
    NoRoomLeft,
    /// The note does not fit, and must not be truncated.
    #[error("the note has {length} characters, there is room for {room}")]
    TooLong {
        /// The number of characters.
        length: usize,
        /// The number of characters that would fit.
        room: usize,
    },
    /// The note to replace belongs to another agent.
    #[error("the note {note_id} belongs to {agent_id}")]
    OfAnother {
        /// The note's id.
        note_id: String,
        /// Its author.
        agent_id: AgentId,
    },
}
