//! What the newest records of a dialog contain, so that another record in the place of one is not lost silently.

use std::collections::VecDeque;

use super::state_hash;
use crate::ums::{ContentType, MessageContent};

/// Of how many records of one dialog the contents are remembered, and of how many it is that they were contradicted.
pub(super) const REMEMBERED: usize = 32;

/// Hashes of what the newest records contain, by the last digits of their sequences. They are not kept in snapshots.
#[derive(Clone, Debug, Default)]
pub(super) struct Contents {
    newest: VecDeque<(u32, u32)>,
    contradicting: VecDeque<(u32, u32)>,
}

impl Contents {
    /// Remembers what a record contains that was taken.
    pub(super) fn remember(&mut self, sequence: u64, event: &MessageContent<'_>) {
        if let Some(hash) = hash(event) {
            push(&mut self.newest, (digits(sequence), hash));
        }
    }

    /// Whether a record in a place that is taken contains something else than the one that took it. Tells so once for
    /// each such record.
    pub(super) fn contradicts(&mut self, sequence: u64, event: &MessageContent<'_>) -> bool {
        let Some(hash) = hash(event) else { return false };
        let record = (digits(sequence), hash);
        let taken = self.newest.iter().rev().find(|(sequence, _)| *sequence == record.0);
        if taken.is_none_or(|taken| *taken == record) || self.contradicting.contains(&record) {
            return false;
        }
        push(&mut self.contradicting, record);
        true
    }
}

fn push(records: &mut VecDeque<(u32, u32)>, record: (u32, u32)) {
    if records.len() == REMEMBERED {
        records.pop_front();
    }
    records.push_back(record);
}

fn digits(number: u64) -> u32 {
    u32::try_from(number & u64::from(u32::MAX)).unwrap_or_default()
}

/// The hash of what a record contains. A history may have a text with markup in the place of a plain one, which is the
/// same: it is not compared.
fn hash(event: &MessageContent<'_>) -> Option<u32> {
    let (kind, content) = match event {
        MessageContent::Content { content_type: ContentType::Html, .. } => return None,
        MessageContent::Content { message, .. } => (1, state_hash::of_meaning(message.get())),
        MessageContent::Rich { content, .. } => (2, state_hash::of_meaning(content.get())),
        MessageContent::AcceptStatus { status, sequences } => {
            let mut sequences = sequences.clone();
            sequences.sort_unstable();
            (3, state_hash::of_text(&format!("{status} {sequences:?}")))
        }
        MessageContent::Unlisted { kind } => (4, state_hash::of_text(kind)),
        MessageContent::ChatState { .. } => return None,
    };
    Some(digits(content ^ (content >> 32)) ^ kind)
}
