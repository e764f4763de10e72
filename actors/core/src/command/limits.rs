//! Limits on the content of one command.

use crate::{
    note::NoteBudget,
    rich_content::{Channel, Strictness},
};

/// Limits on the content of one command.
///
/// Characters are Unicode scalar values: what a person would count for almost all text, the same on every client, and
/// never more than the UTF-16 units that a browser counts. The platform publishes none of these limits (protocol
/// [§8](crate::protocol#8)), so they are configurable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most characters of a text.
    pub text_chars: usize,
    /// The most characters of structured content, written as JSON without white space.
    pub rich_chars: usize,
    /// The most characters of the note.
    pub note_chars: usize,
    /// What counts towards the note's limit when an agent's note is written among others.
    pub note_budget: NoteBudget,
    /// The most entries of metadata, including the entry with the command's key.
    pub metadata_items: usize,
    /// The most bytes of an uploaded file.
    pub file_bytes: u64,
    /// The most bytes of a file's preview.
    pub preview_bytes: usize,
    /// The channel on which consumers read quick replies.
    pub quick_replies: Channel,
    /// Whether structured content, quick replies and metadata may have parts that no rule covers.
    pub strictness: Strictness,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            text_chars: 8_000,
            rich_chars: 15_000,
            note_chars: 5_000,
            note_budget: NoteBudget::WholeField,
            metadata_items: 32,
            file_bytes: 3 * 1024 * 1024,
            preview_bytes: 30 * 1024,
            quick_replies: Channel::Web,
            strictness: Strictness::Schema,
        }
    }
}
