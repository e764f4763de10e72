//! Checks a value against a rule.

use std::fmt;

use fluent_uri::Uri;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use super::rule::{Rule, Shape, Tag};

/// The deepest nesting of elements. No schema limits it, but JSON parsers stop at 128 levels; each element takes two,
/// and the frame and an action take the rest.
const DEPTH: usize = 50;

/// Whether parts that no rule covers are allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strictness {
    /// Nothing beyond the rules: unknown elements and members are refused, just as LivePerson's own web client refuses
    /// to draw them. This is the default, because a wrong refusal harms one message, and a wrong acceptance may close
    /// the socket.
    #[default]
    Schema,
    /// Allows elements of unknown types, and unknown members of known types, for newer features of the platform. Known
    /// parts keep their rules.
    Lenient,
}

/// An invalid value and its position.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[error("{path}{}{problem}", if path.is_empty() { "" } else { ": " })]
pub struct Invalid {
    /// The path to the value, such as `elements[2].click.actions[0].uri`; empty for the whole content.
    pub path: String,
    /// The broken rule, as text.
    pub problem: String,
}

/// One check of one value.
pub(super) struct Check {
    strictness: Strictness,
    depth: usize,
}

impl Check {
    pub(super) fn new(strictness: Strictness) -> Self {
        Self { strictness, depth: 0 }
    }

    pub(super) fn value(&self, value: &Value, rule: &Rule) -> Result<(), Invalid> {
        match rule {
            Rule::Boolean => must(value.is_boolean(), format_args!("must be true or false")),
            Rule::Number => must(value.is_number(), format_args!("must be a number")),
            Rule::NumberWithin(min, max) => {
                let range = f64::from(*min)..=f64::from(*max);
                let is_within = value.as_f64().is_some_and(|number| range.contains(&number));
                must(is_within, format_args!("must be a number from {min} to {max}"))
            }
            Rule::Integer => must(value.is_i64() || value.is_u64(), format_args!("must be a whole number")),
            Rule::IntegerWithin(min, max) => {
                let is_within = value.as_i64().is_some_and(|number| (*min..=*max).contains(&number));
                must(is_within, format_args!("must be a whole number from {min} to {max}"))
            }
            Rule::Text(limit) => text(value, *limit).map(drop),
            Rule::Uri(limit) => must(Uri::parse(text(value, *limit)?).is_ok(), format_args!("must be a URI")),
            Rule::Word(words) => {
                let is_known = value.as_str().is_some_and(|word| words.contains(&word));
                must(is_known, format_args!("must be one of {words:?}"))
            }
            Rule::List(min, max, rule) => {
                let entries = list(value)?;
                count(entries, *min, *max)?;
                self.entries(entries.iter().map(|entry| (entry, *rule)))
            }
            Rule::Places(places) => self.places(list(value)?, places),
            Rule::Object(shape) => self.object(object(value)?, shape),
            Rule::OneOf(shapes) => self.one_of(object(value)?, shapes, self.strictness == Strictness::Lenient),
            Rule::OneOfOrOther(shapes) => self.one_of(object(value)?, shapes, true),
        }
    }

    fn entries<'a>(&self, entries: impl Iterator<Item = (&'a Value, &'a Rule)>) -> Result<(), Invalid> {
        for (index, (entry, rule)) in entries.enumerate() {
            self.value(entry, rule).map_err(|invalid| invalid.within(&format!("[{index}]")))?;
        }
        Ok(())
    }

    fn places(&self, entries: &[Value], places: &[&[Rule]]) -> Result<(), Invalid> {
        let lengths = || places.iter().map(|rules| rules.len());
        count(entries, lengths().min().unwrap_or_default(), lengths().max().unwrap_or_default())?;
        let rules = places.iter().find(|rules| rules.len() == entries.len()).copied().unwrap_or_default();
        self.entries(entries.iter().zip(rules))
    }

    fn one_of(&self, members: &Map<String, Value>, shapes: &[&Shape], or_other: bool) -> Result<(), Invalid> {
        let depth = self.depth + 1;
        must(depth <= DEPTH, format_args!("lies deeper than {DEPTH} elements"))?;
        let kind = members.get("type").ok_or_else(|| Invalid::new(format_args!("is missing")).within("type"))?;
        let of_kind = shapes.iter().filter(|shape| kind == shape.name);
        let mut verdicts = of_kind.map(|shape| Self { depth, ..*self }.object(members, shape));
        if let Some(first) = verdicts.next() {
            return first.or_else(|invalid| verdicts.find(Result::is_ok).unwrap_or(Err(invalid)));
        }
        let names: Vec<&str> = shapes.iter().map(|shape| shape.name).collect();
        let is_allowed = or_other && kind.as_str().is_some_and(|kind| !kind.is_empty());
        let result = match or_other {
            true => must(is_allowed, format_args!("must be a text")),
            false => must(is_allowed, format_args!("must be one of {names:?}")),
        };
        result.map_err(|invalid| invalid.within("type"))
    }

    fn object(&self, members: &Map<String, Value>, shape: &Shape) -> Result<(), Invalid> {
        let is_tagged = matches!(shape.tag, Tag::Required | Tag::Optional);
        let is_open = shape.tag == Tag::Open || self.strictness == Strictness::Lenient;
        for (name, value) in members {
            let result = match shape.members().find(|member| member.name == name) {
                Some(member) => self.value(value, &member.rule),
                None if is_tagged && name == "type" => {
                    must(value == shape.name, format_args!("must be {}", shape.name))
                }
                None => must(is_open, format_args!("is no member of {}", shape.name)),
            };
            result.map_err(|invalid| invalid.within(name))?;
        }
        let tag = (shape.tag == Tag::Required).then_some("type");
        let required = shape.members().filter(|member| member.is_required).map(|member| member.name);
        for name in tag.into_iter().chain(required) {
            must(members.contains_key(name), format_args!("is missing")).map_err(|invalid| invalid.within(name))?;
        }
        Ok(())
    }
}

fn text(value: &Value, limit: usize) -> Result<&str, Invalid> {
    let text = value.as_str().ok_or_else(|| Invalid::new(format_args!("must be a text")))?;
    let length = text.chars().count();
    must(length <= limit, format_args!("has {length} characters, {limit} are allowed")).map(|()| text)
}

fn list(value: &Value) -> Result<&[Value], Invalid> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| Invalid::new(format_args!("must be a list")))
}

fn object(value: &Value) -> Result<&Map<String, Value>, Invalid> {
    value.as_object().ok_or_else(|| Invalid::new(format_args!("must be an object")))
}

fn count(entries: &[Value], min: usize, max: usize) -> Result<(), Invalid> {
    let count = entries.len();
    must((min..=max).contains(&count), format_args!("has {count} entries, from {min} to {max} are allowed"))
}

fn must(holds: bool, problem: fmt::Arguments<'_>) -> Result<(), Invalid> {
    if holds { Ok(()) } else { Err(Invalid::new(problem)) }
}

impl Invalid {
    fn new(problem: fmt::Arguments<'_>) -> Self {
        Self { path: String::new(), problem: problem.to_string() }
    }

    /// The same error, seen from one level above.
    fn within(self, place: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        Self { path: format!("{place}{dot}{}", self.path), ..self }
    }
}
