//! What one command may carry, and how much.

use crate::{
    note::NoteBudget,
    rich_content::{Channel, Strictness},
};

/// What one command may carry, and how much.
///
/// Characters are Unicode scalar values: what a person would count for almost all text, the same on every client, and
/// never more than the UTF-16 units a browser counts. The platform publishes none of these figures (protocol
/// [§8](crate::protocol#8)), hence they are configurable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Characters of a text.
    pub text_chars: usize,
    /// Characters of structured content, written as JSON without white space.
    pub rich_chars: usize,
    /// Characters of the note.
    pub note_chars: usize,
    /// What the note's characters are counted on, where an agent's note is written among others.
    pub note_budget: NoteBudget,
    /// Entries of metadata, the one with the command's key among them.
    pub metadata_items: usize,
    /// Bytes of a file that is uploaded.
    pub file_bytes: u64,
    /// Bytes of a file's preview.
    pub preview_bytes: usize,
    /// Where consumers read quick replies.
    pub quick_replies: Channel,
    /// How much that no rule knows may be in structured content, quick replies and metadata.
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
