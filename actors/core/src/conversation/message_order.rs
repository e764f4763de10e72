//! The order of one dialog's records: what comes next, what waits for its turn, what is missing
//! ([MS-1](crate::rules#ms-1) to [MS-4](crate::rules#ms-4)).

use std::{collections::BTreeMap, ops::Range};

use serde::{Deserialize, Serialize};

use super::{ConversationEvent, contents::Contents};

/// How many records of one dialog wait for a hole before them to be filled. Beyond it the farthest is dropped; it is
/// asked for again when there is room.
pub const PARKED_LIMIT: usize = 256;

/// Where the delivery of a dialog's messages begins when its conversation is first seen.
///
/// A dialog that begins after its conversation was first seen is always delivered from its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum HistoryStart {
    /// With the first message: the history is asked for at first sight, and what comes meanwhile waits for it.
    #[default]
    Beginning,
    /// With the first record that comes by itself. The newest one that the first state tells of, and what lies before, is
    /// never asked for. Where one publishes before any of these, it is with the first message: what one has published must be found.
    FirstSeen,
}

/// A range of sequences to ask the platform for; it ends at [`OPEN_END`] where the dialog's end is not known.
pub(super) type Missing = Range<u64>;

/// The end of a range that goes on to the end of the dialog.
pub(super) const OPEN_END: u64 = u64::MAX;

/// A gap in the delivery, first and last sequence missing.
pub(super) type Gap = (u64, u64);

/// The order of one dialog's records. Holds no record but those that wait.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct MessageOrder {
    /// The sequence to be delivered next; unknown until the first one is seen under [`HistoryStart::FirstSeen`].
    next: Option<u64>,
    /// The record at `next` was only heard of when the delivery began: it is told if it comes by itself, and is not missing
    /// otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    optional: bool,
    /// One above the highest sequence ever heard of.
    revealed: u64,
    /// Records above `next`. A record of a kind that tells nothing holds its place with `None`. A snapshot keeps them,
    /// because by webhook nothing comes twice ([SR-1](crate::rules#sr-1)).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", with = "super::parked")]
    parked: BTreeMap<u64, Option<ConversationEvent>>,
    /// The sequence that the newest state tells of.
    #[serde(skip)]
    told: Option<u64>,
    /// What was asked for and is not answered yet.
    #[serde(skip)]
    asked: Vec<Missing>,
    /// What the newest records contain.
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

    /// An order that delivered everything below `next` before.
    pub(super) fn resuming(next: Option<u64>) -> Self {
        Self { next, ..Self::default() }
    }

    /// The sequence that is wanted next.
    pub(super) fn next(&self) -> Option<u64> {
        self.next.map(|next| next.saturating_add(self.optional.into()))
    }

    /// What the newest records contain.
    pub(super) fn contents(&mut self) -> &mut Contents {
        &mut self.contents
    }

    /// Whether records are known to be missing.
    pub(super) fn has_hole(&self) -> bool {
        self.next.is_some_and(|next| next < self.revealed)
    }

    /// Whether the record has neither been delivered nor waits already.
    pub(super) fn is_new(&self, sequence: u64) -> bool {
        self.next.is_none_or(|next| next <= sequence) && !self.parked.contains_key(&sequence)
    }

    /// Takes a new record: delivers it and those that waited for it, or parks it.
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

    /// One above the highest sequence ever heard of.
    pub(super) fn revealed(&self) -> u64 {
        self.revealed
    }

    /// The sequence that the newest state tells of.
    pub(super) fn told(&self) -> Option<u64> {
        self.told
    }

    /// A newer state tells of no sequence.
    pub(super) fn untell(&mut self) {
        self.told = None;
    }

    /// Hears that a record exists without seeing it.
    pub(super) fn reveal(&mut self, sequence: u64) {
        self.told = Some(sequence);
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

    /// Begins with the first record, if it has not begun.
    pub(super) fn begin(&mut self) {
        self.next.get_or_insert(0);
    }

    /// Asks for everything from the next record to the end of the dialog, unless that is asked for already.
    pub(super) fn ask_to_the_end(&mut self) -> Option<Missing> {
        let missing = self.to_the_end().filter(|missing| !self.asked.contains(missing))?;
        self.asked.push(missing.clone());
        Some(missing)
    }

    /// Everything from the next record to the end of the dialog.
    pub(super) fn to_the_end(&self) -> Option<Missing> {
        Some(self.next()?..OPEN_END)
    }

    /// What is missing and was not asked for yet: the holes before parked records and, if something beyond them has
    /// been heard of, the rest of the dialog. The rest waits while the park is full: its answer would find no room.
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

    /// Takes the platform's word that it has nothing more from `from` up to and including `through`: holes before parked
    /// records are given up, the records behind them delivered. Returns what is to be asked for now. `None` is the word
    /// of an answer without an end and without a record: nothing is given up.
    ///
    /// A hole that begins before `from` is not what was asked: its own answer may have been lost with a socket.
    /// Nothing is given up beyond the last parked record: what only was heard of may come still.
    pub(super) fn exhausted(
        &mut self,
        from: u64,
        through: Option<u64>,
        events: &mut Vec<ConversationEvent>,
        gap: impl Fn(Gap) -> ConversationEvent,
    ) -> Vec<Missing> {
        let before = self.next;
        let answered_to = through.map_or(0, |through| through.saturating_add(1));
        // An answer that ends where no bounded request did is that of the request to the dialog's end.
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
        // Without progress the rest of the dialog is not asked for again: the answer might be the same for ever.
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
            // An emptied map keeps its root node, as large as eleven events.
            self.parked = BTreeMap::new();
        }
    }
}

/// The part of `missing` behind what was asked for already.
fn not_asked(asked: &[Missing], missing: Missing) -> Option<Missing> {
    let covered = asked.iter().filter(|asked| asked.contains(&missing.start)).map(|asked| asked.end).max();
    let rest = covered.unwrap_or(missing.start)..missing.end;
    (!rest.is_empty()).then_some(rest)
}
