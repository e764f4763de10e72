//! The order of one dialog's records: the next one, the waiting ones, and the missing ones ([MS-1](crate::rules#ms-1)
//! to [MS-4](crate::rules#ms-4)).

use std::{collections::BTreeMap, ops::Range};

use serde::{Deserialize, Serialize};

use super::{ConversationEvent, contents::Contents};

/// The most records of one dialog that wait until a hole before them is filled. If there are more, the record with the
/// highest sequence is dropped, and requested again when there is room.
pub const PARKED_LIMIT: usize = 256;

/// Where the delivery of a dialog's messages begins when its conversation is first seen.
///
/// A dialog that begins after its conversation was first seen is always delivered from its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum HistoryStart {
    /// With the first message: the history is requested when the conversation is first seen, and live records wait for
    /// it.
    #[default]
    Beginning,
    /// With the first live record. The newest record named by the first state, and earlier ones, are never requested.
    /// If this side publishes before that, delivery begins with the first message, because its own message must be
    /// found.
    FirstSeen,
}

/// A range of sequences to request from the platform; ends at [`OPEN_END`] if the dialog's end is unknown.
pub(super) type Missing = Range<u64>;

/// The end of a range without an upper bound.
pub(super) const OPEN_END: u64 = u64::MAX;

/// A gap in the delivery: the first and last missing sequence.
pub(super) type Gap = (u64, u64);

/// The order of one dialog's records. Holds only records that wait.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct MessageOrder {
    /// The sequence to deliver next; unknown before the first record under [`HistoryStart::FirstSeen`].
    next: Option<u64>,
    /// Whether the record at `next` was only named by a state when the delivery began: it is delivered if it arrives,
    /// but not requested.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    optional: bool,
    /// One above the highest known sequence.
    revealed: u64,
    /// Records above `next`. A record without an event occupies its sequence with `None`. Part of a snapshot, because a
    /// webhook is not repeated ([SR-1](crate::rules#sr-1)).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", with = "super::parked")]
    parked: BTreeMap<u64, Option<ConversationEvent>>,
    /// The sequence named by the newest state.
    #[serde(skip)]
    stated: Option<u64>,
    /// The requested ranges without a response yet.
    #[serde(skip)]
    asked: Vec<Missing>,
    /// The contents of the newest records.
    #[serde(skip)]
    contents: Contents,
}

impl MessageOrder {
    pub(super) fn starting(start: HistoryStart) -> Self {
        match start {
            HistoryStart::Beginning => Self::resuming(Some(0)),
            HistoryStart::FirstSeen => Self::resuming(None),
        }
    }

    /// Returns an order that has delivered everything below `next`.
    pub(super) fn resuming(next: Option<u64>) -> Self {
        Self { next, ..Self::default() }
    }

    /// The next sequence to deliver.
    pub(super) fn next(&self) -> Option<u64> {
        self.next.map(|next| next.saturating_add(self.optional.into()))
    }

    /// The contents of the newest records.
    pub(super) fn contents(&mut self) -> &mut Contents {
        &mut self.contents
    }

    /// Returns whether records are known to be missing.
    pub(super) fn has_hole(&self) -> bool {
        self.next.is_some_and(|next| next < self.revealed)
    }

    /// Returns whether the record was not delivered and does not wait.
    pub(super) fn is_new(&self, sequence: u64) -> bool {
        self.next.is_none_or(|next| next <= sequence) && !self.parked.contains_key(&sequence)
    }

    /// Adds a new record: delivers it and the records that waited for it, or lets it wait.
    pub(super) fn take(
        &mut self,
        sequence: u64,
        record: Option<ConversationEvent>,
        events: &mut Vec<ConversationEvent>,
    ) {
        self.revealed = self.revealed.max(sequence.saturating_add(1));
        let mut next = *self.next.get_or_insert(sequence);
        if std::mem::take(&mut self.optional) && sequence > next {
            next = next.saturating_add(1);
            self.next = Some(next);
        }
        if sequence == next {
            self.next = Some(next.saturating_add(1));
            events.extend(record);
            self.deliver_parked(events);
            return;
        }
        self.parked.insert(sequence, record);
        if self.parked.len() > PARKED_LIMIT {
            self.parked.pop_last();
        }
    }

    /// One above the highest known sequence.
    pub(super) fn revealed(&self) -> u64 {
        self.revealed
    }

    /// The sequence named by the newest state.
    pub(super) fn stated(&self) -> Option<u64> {
        self.stated
    }

    /// Records that the newest state names no sequence.
    pub(super) fn unstate(&mut self) {
        self.stated = None;
    }

    /// Records that a sequence exists, without its record.
    pub(super) fn reveal(&mut self, sequence: u64) {
        self.stated = Some(sequence);
        let next = *self.next.get_or_insert_with(|| {
            self.optional = true;
            sequence
        });
        if self.optional && sequence <= next {
            return;
        }
        if std::mem::take(&mut self.optional) {
            self.next = Some(next.saturating_add(1));
        }
        self.revealed = self.revealed.max(sequence.saturating_add(1));
    }

    /// Begins with the first record, if delivery has not begun.
    pub(super) fn begin(&mut self) {
        self.next.get_or_insert(0);
    }

    /// Returns the range from the next record to the end of the dialog, and marks it as requested. Returns `None` if it
    /// is already requested, or the start of the delivery is unknown.
    pub(super) fn ask_to_the_end(&mut self) -> Option<Missing> {
        let missing = self.to_the_end().filter(|missing| !self.asked.contains(missing))?;
        self.asked.push(missing.clone());
        Some(missing)
    }

    /// The range from the next record to the end of the dialog.
    pub(super) fn to_the_end(&self) -> Option<Missing> {
        Some(self.next()?..OPEN_END)
    }

    /// Returns the missing ranges that were not requested yet: the holes before waiting records and, if later sequences
    /// are known, the rest of the dialog. The rest is not requested while the waiting records are at their limit,
    /// because there would be no room for its response.
    pub(super) fn ask(&mut self) -> Vec<Missing> {
        let mut missing = self.ask_before_parked();
        let known_to = self.parked.last_key_value().map_or(self.next, |(&last, _)| Some(last.saturating_add(1)));
        if let Some(known_to) = known_to
            && known_to < self.revealed
            && self.parked.len() < PARKED_LIMIT
        {
            missing.extend(not_asked(&self.asked, known_to..OPEN_END));
        }
        self.asked.extend_from_slice(&missing);
        missing
    }

    fn ask_before_parked(&self) -> Vec<Missing> {
        let mut missing = Vec::new();
        let Some(mut from) = self.next else { return missing };
        for &sequence in self.parked.keys() {
            missing.extend(not_asked(&self.asked, from..sequence));
            from = sequence.saturating_add(1);
        }
        missing
    }

    /// The platform has nothing more from `from` up to and including `through`: holes before waiting records are given
    /// up, and the records after them delivered. Returns the ranges to request now. If the response had neither an end
    /// nor a record, `through` is `None` and nothing is given up.
    ///
    /// A hole that begins before `from` was not part of this request: its own response may have been lost with a
    /// socket. Nothing is given up beyond the last waiting record, because a sequence that is only known to exist may
    /// still arrive.
    pub(super) fn exhausted(
        &mut self,
        from: u64,
        through: Option<u64>,
        events: &mut Vec<ConversationEvent>,
        gap: impl Fn(Gap) -> ConversationEvent,
    ) -> Vec<Missing> {
        let before = self.next;
        let answered_to = through.map_or(0, |through| through.saturating_add(1));
        // A response that ends where no bounded request ended belongs to the request to the dialog's end.
        let is_bounded = self.asked.iter().any(|asked| asked.end == answered_to);
        self.asked.retain(|asked| asked.end > answered_to && (is_bounded || asked.end != OPEN_END));
        self.asked.shrink_to_fit();
        while let (Some(through), Some(next), Some((&parked, _))) = (through, self.next, self.parked.first_key_value())
            && (from..=through).contains(&next)
        {
            let last = through.min(parked.saturating_sub(1));
            events.push(gap((next, last)));
            self.next = Some(last.saturating_add(1));
            self.deliver_parked(events);
        }
        if self.next != before {
            return self.ask();
        }
        // Without progress the rest of the dialog is not requested again, because the response might be the same
        // forever.
        let missing = self.ask_before_parked();
        self.asked.extend_from_slice(&missing);
        missing
    }

    fn deliver_parked(&mut self, events: &mut Vec<ConversationEvent>) {
        while let (Some(next), Some(first)) = (self.next, self.parked.first_entry())
            && *first.key() == next
        {
            events.extend(first.remove());
            self.next = Some(next.saturating_add(1));
        }
        if self.parked.is_empty() {
            // An emptied map keeps its root node, which is as large as eleven events.
            self.parked = BTreeMap::new();
        }
    }
}

/// Returns the part of `missing` after the ranges already requested.
fn not_asked(asked: &[Missing], missing: Missing) -> Option<Missing> {
    let covered = asked.iter().filter(|asked| asked.contains(&missing.start)).map(|asked| asked.end).max();
    let rest = covered.unwrap_or(missing.start)..missing.end;
    (!rest.is_empty()).then_some(rest)
}
