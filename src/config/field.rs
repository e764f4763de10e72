//! How sections read their values from the tree: a field by its key, then the type that the field must have.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use jiff::SignedDuration;

use super::{
    document::{Content, Node},
    problem::{Place, Reading},
};
use crate::nearest::nearest;

/// An optional value with its path. Every method that reads it returns `None` if the value is absent or mistaken. A
/// mistake has then been reported, so the reader continues with a default and finds the next mistake.
pub(super) struct Field<'a> {
    pub(super) reading: &'a Reading<'a>,
    /// The place of the value, or of the table that should contain it.
    pub(super) place: Place,
    pub(super) path: String,
    content: Option<Content>,
}

/// A table whose keys are being read. The requested keys are the valid keys; [`Section::finish`] reports all others.
pub(super) struct Section<'a> {
    reading: &'a Reading<'a>,
    place: Place,
    path: String,
    entries: BTreeMap<String, Node>,
    known: Vec<&'static str>,
}

impl<'a> Field<'a> {
    /// The whole document as a section.
    pub(super) fn root(node: Node, reading: &'a Reading<'a>) -> Section<'a> {
        Self::whole(node, reading).section()
    }

    pub(super) fn whole(node: Node, reading: &'a Reading<'a>) -> Self {
        Self::new(node, String::new(), reading)
    }

    fn new(node: Node, path: String, reading: &'a Reading<'a>) -> Self {
        Self { reading, place: node.place, path, content: Some(node.content) }
    }

    pub(super) fn is_present(&self) -> bool {
        self.content.is_some()
    }

    pub(super) fn is_table(&self) -> bool {
        matches!(self.content, Some(Content::Table(_)))
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self.content, Some(Content::List(_)))
    }

    /// Reports `message` at this field.
    pub(super) fn report(&self, message: impl Into<String>) {
        self.reading.report(&self.place, &self.path, message);
    }

    /// Reports a mistake if the field is absent.
    pub(super) fn required(self) -> Self {
        if self.content.is_none() {
            self.report("missing");
        }
        self
    }

    /// Reports a mistake if the field is present: `why` says why the field has no meaning here.
    pub(super) fn refused(self, why: &str) {
        if self.content.is_some() {
            self.report(why);
        }
    }

    /// Text that is not empty.
    pub(super) fn text(self) -> Option<String> {
        self.parse(|text| Ok(text.to_owned()))
    }

    /// Text that `parse` accepts; otherwise reports the reason that `parse` returns.
    pub(super) fn parse<T>(mut self, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let result = match self.content.take()? {
            Content::Text(text) if text.trim().is_empty() => Err("must not be empty".to_owned()),
            Content::Text(text) => parse(&text),
            other => Err(format!("expected text in quotes, found {}", other.kind())),
        };
        result.map_err(|message| self.report(message)).ok()
    }

    /// A duration in a range, such as `30s` or `5m`.
    pub(super) fn duration(self, range: RangeInclusive<Duration>) -> Option<Duration> {
        self.parse(|text| {
            let duration = text.parse::<SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok());
            duration.filter(|duration| range.contains(duration)).ok_or_else(|| {
                let written = |bound: Duration| SignedDuration::try_from(bound).unwrap_or(SignedDuration::MAX);
                let (shortest, longest) = (written(*range.start()), written(*range.end()));
                format!(
                    "expected a duration from {shortest:#} to {longest:#}, such as \"30s\" or \"5m\", found {text:?}"
                )
            })
        })
    }

    /// Text that is one of `words`.
    pub(super) fn word<T: Clone>(self, words: &[(&'static str, T)]) -> Option<T> {
        self.parse(|text| {
            words.iter().find(|(word, _)| *word == text).map(|(_, value)| value.clone()).ok_or_else(|| {
                let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                format!("{text:?} is not one of {}; the nearest is {}", names.join(", "), nearest(text, &names))
            })
        })
    }

    /// A whole number in `range`.
    pub(super) fn number(mut self, range: RangeInclusive<u64>) -> Option<u64> {
        let number = match (self.content.take()?, &self.place) {
            (Content::Number(number), _) => Ok(number),
            // A variable can hold only text.
            (Content::Text(text), Place::Variable(_)) => text.trim().parse().map_err(|_| format!("{text:?}")),
            (other, _) => Err(other.kind().to_owned()),
        };
        let (least, most) = (range.start(), range.end());
        let number = match number {
            Ok(number) => {
                u64::try_from(number).ok().filter(|in_range| range.contains(in_range)).ok_or(number.to_string())
            }
            Err(found) => Err(found),
        };
        number
            .map_err(|found| self.report(format!("expected a whole number from {least} to {most}, found {found}")))
            .ok()
    }

    /// A number with or without a fraction, and the field, to report a mistake at.
    pub(super) fn decimal(mut self) -> Option<(Self, f64)> {
        let number = match (self.content.take()?, &self.place) {
            (Content::Decimal(number), _) => Ok(number),
            (Content::Number(number), _) => Ok(number as f64),
            // A variable can hold only text.
            (Content::Text(text), Place::Variable(_)) => text.trim().parse().map_err(|_| format!("{text:?}")),
            (other, _) => Err(other.kind().to_owned()),
        };
        match number {
            Ok(number) => Some((self, number)),
            Err(found) => {
                self.report(format!("expected a number, found {found}"));
                None
            }
        }
    }

    /// True or false.
    pub(super) fn boolean(mut self) -> Option<bool> {
        let boolean = match (self.content.take()?, &self.place) {
            (Content::Boolean(boolean), _) => Ok(boolean),
            // A variable can hold only text.
            (Content::Text(text), Place::Variable(_)) => text.trim().parse().map_err(|_| format!("{text:?}")),
            (other, _) => Err(other.kind().to_owned()),
        };
        boolean.map_err(|found| self.report(format!("expected true or false, found {found}"))).ok()
    }

    /// The entries of a list; empty if the field is absent.
    pub(super) fn list(mut self) -> Vec<Field<'a>> {
        match self.content.take() {
            None => Vec::new(),
            Some(Content::List(nodes)) => nodes
                .into_iter()
                .enumerate()
                .map(|(index, node)| Field::new(node, format!("{}[{index}]", self.path), self.reading))
                .collect(),
            Some(other) => {
                self.report(format!("expected a list, found {}", other.kind()));
                Vec::new()
            }
        }
    }

    /// The keys of a table; empty if the field is absent.
    pub(super) fn section(mut self) -> Section<'a> {
        let entries = match self.content.take() {
            None => BTreeMap::new(),
            Some(Content::Table(entries)) => entries,
            Some(other) => {
                self.report(format!("expected a table, found {}", other.kind()));
                BTreeMap::new()
            }
        };
        Section { reading: self.reading, place: self.place, path: self.path, entries, known: Vec::new() }
    }
}

impl<'a> Section<'a> {
    /// Returns the field `key` and marks the key as valid.
    pub(super) fn field(&mut self, key: &'static str) -> Field<'a> {
        self.known.push(key);
        let node = self.entries.remove(key);
        let path = self.path_of(key);
        match node {
            Some(node) => Field::new(node, path, self.reading),
            None => Field { reading: self.reading, place: self.place.clone(), path, content: None },
        }
    }

    /// The remaining keys, in alphabetical order.
    pub(super) fn keys(&self) -> Vec<String> {
        self.entries.keys().cloned().collect()
    }

    /// Reports every unknown key with the nearest valid key. Returns `true` if there was no unknown key.
    pub(super) fn finish(self) -> bool {
        for (key, node) in &self.entries {
            let nearest = nearest(key, &self.known);
            self.reading.report(
                &node.place,
                &self.path_of(key),
                format!("unknown key {key:?}; the nearest valid one is {nearest:?}"),
            );
        }
        self.entries.is_empty()
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}
