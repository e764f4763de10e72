//! The text of the note field, parsed into entries and written back.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{json, value::RawValue};

use super::WrittenNote;
use crate::{
    id::AgentId,
    ums::{Json, Text},
};

/// The entries of a field. Unknown parts are kept, because they belong to other clients.
pub(super) struct Field<'a>(Vec<Cow<'a, RawValue>>);

/// The members that identify an entry.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Known<'a> {
    #[serde(borrow)]
    agent_id: Option<Text<'a>>,
    #[serde(borrow)]
    note_id: Option<Text<'a>>,
    #[serde(borrow)]
    note_content: Option<Text<'a>>,
}

impl<'a> Known<'a> {
    fn of(entry: &'a RawValue) -> Self {
        serde_json::from_str(entry.get()).unwrap_or_default()
    }

    fn has_id(&self, note_id: &str) -> bool {
        self.note_id.as_ref().is_some_and(|id| id == note_id)
    }
}

impl<'a> Field<'a> {
    /// Parses a field. Text that is not an array of objects is plain text of older clients, and becomes the one entry
    /// of an unknown agent.
    pub(super) fn read(text: Option<&'a str>) -> Self {
        let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return Self(Vec::new()) };
        match serde_json::from_str::<Vec<&RawValue>>(text) {
            Ok(entries) if entries.iter().all(|entry| entry.get().starts_with('{')) => {
                Self(entries.into_iter().map(Cow::Borrowed).collect())
            }
            _ => Self(vec![Cow::Owned(legacy(text))]),
        }
    }

    /// Returns the index of the note `note_id`, and its author if known.
    pub(super) fn find(&self, note_id: &str) -> Option<(usize, Option<AgentId>)> {
        let of = |(place, entry): (usize, &Cow<'_, RawValue>)| {
            let known = Known::of(entry);
            known.has_id(note_id).then(|| (place, known.agent_id.filter(|id| !id.is_empty()).map(|id| (&id).into())))
        };
        self.0.iter().enumerate().find_map(of)
    }

    /// Returns the same field, with the entries of `notes` replaced by those of `newer` with the same ids.
    pub(super) fn with_notes_of<'n>(&self, newer: &Self, notes: impl Iterator<Item = &'n WrittenNote> + Clone) -> Self {
        let newer = |entry: &Cow<'a, RawValue>| {
            let note = notes.clone().find(|note| Known::of(entry).has_id(&note.note_id))?;
            let (place, _) = newer.find(&note.note_id)?;
            newer.0.get(place).cloned()
        };
        Self(self.0.iter().map(|entry| newer(entry).unwrap_or_else(|| entry.clone())).collect())
    }

    /// Returns whether every entry of `other` is in this field, in this or another version.
    pub(super) fn has_all(&self, other: &Self) -> bool {
        other.0.iter().all(|entry| self.has(entry))
    }

    fn has(&self, entry: &RawValue) -> bool {
        let id = Known::of(entry).note_id.filter(|id| !id.is_empty());
        self.0.iter().any(|own| match &id {
            Some(id) => Known::of(own).has_id(id),
            None => Json::from(&**own) == Json::from(entry),
        })
    }

    /// Returns the field's text with the entries of `other` after its own, without those whose ids it already has.
    pub(super) fn text_with_all(&self, other: &Self) -> String {
        let missing = other.0.iter().filter(|entry| !self.has(entry));
        let texts: Vec<&str> = self.0.iter().chain(missing).map(|entry| entry.get()).collect();
        format!("[{}]", texts.join(","))
    }

    /// Returns the field's text with `entry` replacing the entry at `place`, or after all others.
    pub(super) fn text_with(&self, place: Option<usize>, entry: &str) -> String {
        let mut texts: Vec<&str> = self.0.iter().map(|entry| entry.get()).collect();
        match place.and_then(|place| texts.get_mut(place)) {
            Some(old) => *old = entry,
            None => texts.push(entry),
        }
        format!("[{}]", texts.join(","))
    }
}

/// Every member has a value, because clients that show notes expect them all; an empty value means unknown.
fn legacy(text: &str) -> Box<RawValue> {
    let entry =
        json!({ "agentId": "", "name": "", "noteContent": text, "time": 0, "noteId": "", "isAutoSummary": false });
    Json::from(&entry).to_raw()
}

/// Returns all notes of two fields: those of `present`, and those of `earlier` that it lacks.
pub(crate) fn union(present: Option<&str>, earlier: &str) -> String {
    Field::read(present).text_with_all(&Field::read(Some(earlier)))
}

/// Returns whether `field` contains the note as it was written.
pub(crate) fn shows(field: Option<&str>, written: &WrittenNote) -> bool {
    let Field(entries) = Field::read(field);
    entries.iter().any(|entry| {
        let Known { agent_id, note_id, note_content } = Known::of(entry);
        agent_id.as_deref() == Some(written.agent_id.as_str())
            && note_id.as_deref() == Some(written.note_id.as_str())
            && note_content.as_deref() == Some(written.content.as_str())
    })
}

/// Returns whether `field`, which contains `written`, lacks an entry of `seen` and would therefore overwrite it.
pub(crate) fn entries_lost(seen: Option<&str>, field: &str, written: &WrittenNote) -> bool {
    let (Field(seen), Field(kept)) = (Field::read(seen), Field::read(Some(field)));
    let is_kept = |entry: &RawValue| kept.iter().any(|kept| Json::from(&**kept) == Json::from(entry));
    seen.iter().any(|entry| !Known::of(entry).has_id(&written.note_id) && !is_kept(entry))
}
