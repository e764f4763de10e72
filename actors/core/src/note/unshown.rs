//! Notes that were written to the field, until states show that they stay there.

use std::{borrow::Cow, collections::VecDeque};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::{
    WrittenNote,
    field::{Field, entries_lost, shows, union},
};
use crate::time::Timestamp;

/// How many earlier values of the field are recognized.
const EARLIER: usize = 16;
/// A client that removes a note this many milliseconds after a state showed it has seen the note. A value that lacks the
/// note sooner was on its way already, and overwrote the note.
const SEEN_AFTER: i64 = 500;

/// What this side wrote to the field, until states show that it stays there. A state arrives some time after the
/// response to the write, and may still be older than the write.
///
/// The platform gives the field no version, so a value is dated by its content. A value that this side has replaced is
/// older than the write. A value that contains the written notes is newer. Any other value is from another client, of
/// unknown age, and is joined with what was written. A note that another client overwrote stays here, and is written
/// again with the next note; so is the note of another client that a state showed only after the response to the write
/// that overwrote it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Unshown {
    newest: Option<Newest>,
    /// Hashes of the replaced values, the newest last.
    earlier: VecDeque<u64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Newest {
    field: Box<str>,
    /// The notes in the field that may still be overwritten unseen; empty if the whole text was written at once.
    notes: Vec<UnseenNote>,
    /// The latest value of another client that came before the state that shows the notes, until a state shows its
    /// entries again. If it is older than the write, the write overwrote these entries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    foreign: Option<Box<str>>,
}

impl Newest {
    /// Processes the value of a state of the time `at` that is not older than the write for certain. Returns whether
    /// the notes are still of use.
    fn told(&mut self, shown: Option<&str>, at: Option<Timestamp>) -> bool {
        let is_shown = self.notes.iter().all(|unseen| shows(shown, &unseen.note));
        if !is_shown && !self.is_shown() {
            self.foreign = shown.map(Box::from);
        } else if let Some(foreign) = &self.foreign
            && Field::read(shown).has_all(&Field::read(Some(foreign)))
        {
            self.foreign = None;
        }
        self.notes.retain_mut(|unseen| unseen.told(shows(shown, &unseen.note), at));
        !self.notes.is_empty() || self.foreign.is_some()
    }

    /// Whether a state has shown the notes.
    fn is_shown(&self) -> bool {
        let is_text = self.notes.is_empty() && self.foreign.is_none();
        !is_text && self.notes.iter().all(|unseen| unseen.shown_at.is_some())
    }
}

/// A note that another client may not have seen.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct UnseenNote {
    #[serde(flatten)]
    note: WrittenNote,
    /// The time of the first state that shows the note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shown_at: Option<Timestamp>,
}

impl UnseenNote {
    /// Processes a state of the time `at` that shows the note, or lacks it. Returns whether the note may still be
    /// overwritten unseen.
    fn told(&mut self, is_shown: bool, at: Option<Timestamp>) -> bool {
        let now = at.unwrap_or(Timestamp(i64::MAX)).0;
        let is_seen = self.shown_at.is_some_and(|first| now.saturating_sub(first.0) >= SEEN_AFTER);
        if is_seen || is_shown && at.is_none() {
            return false;
        }
        self.shown_at = if is_shown { self.shown_at.or(at) } else { None };
        true
    }
}

impl Unshown {
    /// Records what the platform confirmed: `field`, including `note` unless the whole text was written at once.
    /// `shown` is the value of the newest state, which is of the time `at`.
    pub(crate) fn written(
        &mut self,
        field: &str,
        note: Option<&WrittenNote>,
        shown: Option<&str>,
        at: Option<Timestamp>,
    ) {
        let former = self.newest.take();
        if let Some(former) = &former {
            self.is_replaced(Some(&former.field));
        }
        let destroys = note.is_some_and(|note| entries_lost(shown, field, note));
        let is_of_after = shown == Some(field) || note.is_some_and(|note| shows(shown, note));
        if !is_of_after && !destroys {
            self.is_replaced(shown);
        }
        let hash = hash(Some(field));
        self.earlier.retain(|earlier| *earlier != hash);
        let mut notes = match (former, note) {
            (Some(former), Some(_)) => former.notes,
            _ => Vec::new(),
        };
        notes.retain(|former: &UnseenNote| note.is_none_or(|note| former.note.note_id != note.note_id));
        notes.extend(note.map(|note| UnseenNote { note: note.clone(), shown_at: None }));
        self.newest = Some(Newest { field: field.into(), notes, foreign: None });
        self.told(shown, at);
    }

    /// Processes the value of a state of the time `at`.
    pub(crate) fn told(&mut self, shown: Option<&str>, at: Option<Timestamp>) {
        let is_earlier = self.is_earlier(shown);
        let Some(newest) = self.newest.as_mut().filter(|_| !is_earlier) else { return };
        if !newest.told(shown, at)
            && let Some(newest) = self.newest.take()
        {
            self.is_replaced(Some(&newest.field));
        }
    }

    /// Returns the field as far as known, if a state has the value `shown`.
    pub(crate) fn present<'a>(&'a self, shown: Option<&'a str>) -> Option<Cow<'a, str>> {
        let Some(newest) = &self.newest else { return shown.map(Cow::Borrowed) };
        if self.is_earlier(shown) {
            return Some(Cow::Borrowed(&newest.field));
        }
        let is_here = |unseen: &UnseenNote| shows(shown, &unseen.note);
        if newest.is_shown() && newest.notes.iter().all(is_here) {
            return match &newest.foreign {
                Some(foreign) => Some(Cow::Owned(union(shown, foreign))),
                None => shown.map(Cow::Borrowed),
            };
        }
        let written = Field::read(Some(&newest.field));
        let notes = newest.notes.iter().map(|unseen| &unseen.note);
        Some(Cow::Owned(Field::read(shown).with_notes_of(&written, notes).text_with_all(&written)))
    }

    /// Whether a state with this value is older than the newest write. After a state that shows the write, no state is.
    fn is_earlier(&self, field: Option<&str>) -> bool {
        !self.newest.as_ref().is_some_and(Newest::is_shown) && self.earlier.contains(&hash(field))
    }

    fn is_replaced(&mut self, field: Option<&str>) {
        let hash = hash(field);
        self.earlier.retain(|earlier| *earlier != hash);
        self.earlier.push_back(hash);
        if self.earlier.len() > EARLIER {
            self.earlier.pop_front();
        }
    }
}

fn hash(field: Option<&str>) -> u64 {
    xxh3_64(field.unwrap_or_default().as_bytes())
}
