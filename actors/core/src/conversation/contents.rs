//! Hashes of the newest records of a dialog, to detect another record with the same sequence.

use std::collections::VecDeque;

use crate::ums::{ContentType, MessageContent, meaning};

/// The number of records of one dialog whose contents are remembered, and the number whose contradictions are.
pub(super) const REMEMBERED: usize = 32;

/// Hashes of the newest records' contents, by the last digits of their sequences. Not part of snapshots.
#[derive(Clone, Debug, Default)]
pub(super) struct Contents {
    newest: VecDeque<(u32, u32)>,
    contradicting: VecDeque<(u32, u32)>,
}

impl Contents {
    /// Remembers the content of an accepted record.
    pub(super) fn remember(&mut self, sequence: u64, event: &MessageContent<'_>) {
        if let Some(hash) = hash(event) {
            push(&mut self.newest, (digits(sequence), hash));
        }
    }

    /// Returns whether a record differs from the accepted record of the same sequence. Returns `true` only once for
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

/// Returns the hash of a record's content. Text with markup is not compared, because a history may have it where the
/// notification had plain text.
fn hash(event: &MessageContent<'_>) -> Option<u32> {
    let (kind, content) = match event {
        MessageContent::Content { content_type: ContentType::Html, .. } => return None,
        MessageContent::Content { message, .. } => (1, meaning::of_meaning(message.get())),
        MessageContent::Rich { content, .. } => (2, meaning::of_meaning(content.get())),
        MessageContent::AcceptStatus { status, sequences } => {
            let mut sequences = sequences.clone();
            sequences.sort_unstable();
            (3, meaning::of_text(&format!("{status} {sequences:?}")))
        }
        MessageContent::Unlisted { kind } => (4, meaning::of_text(kind)),
        MessageContent::ChatState { .. } => return None,
    };
    Some(digits(content ^ (content >> 32)) ^ kind)
}
