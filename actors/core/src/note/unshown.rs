//! Notes that were written to the field and that no state has shown yet.

use std::{borrow::Cow, collections::VecDeque};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::{
    WrittenNote,
    field::{Field, entries_lost, shows},
};

/// How many earlier values of the field are recognized.
const EARLIER: usize = 16;

/// What this side wrote to the field, until a state shows it. A state arrives some time after the response to the
/// write, and may still be older than the write.
///
/// The platform gives the field no version, so a value is dated by its content. A value that this side has replaced is
/// older than the write. A value that contains the written notes is newer. Any other value is from another client, of
/// unknown age, and is joined with what was written. A note that another client overwrote stays here, and is written
/// again with the next note.
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
    /// The notes in the field that no state has shown; empty if the whole text was written at once.
    notes: Vec<WrittenNote>,
}

impl Unshown {
    /// Records what the platform confirmed: `field`, including `note` unless the whole text was written at once.
    /// `shown` is the newest state's value.
    pub(crate) fn written(&mut self, field: &str, note: Option<&WrittenNote>, shown: Option<&str>) {
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
        notes.retain(|former| note.is_none_or(|note| former.note_id != note.note_id));
        notes.extend(note.cloned());
        self.newest = Some(Newest { field: field.into(), notes });
        self.told(shown);
    }

    /// Processes a state's value.
    pub(crate) fn told(&mut self, shown: Option<&str>) {
        let is_earlier = self.is_earlier(shown);
        let Some(newest) = self.newest.as_mut().filter(|_| !is_earlier) else { return };
        newest.notes.retain(|note| !shows(shown, note));
        if newest.notes.is_empty()
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
        let written = Field::read(Some(&newest.field));
        Some(Cow::Owned(Field::read(shown).with_notes_of(&written, &newest.notes).text_with_all(&written)))
    }

    fn is_earlier(&self, field: Option<&str>) -> bool {
        self.earlier.contains(&hash(field))
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
