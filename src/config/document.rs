//! The configuration as a tree of values with their places: TOML, overridden by the environment.

use std::collections::BTreeMap;

use serde_json::Value;
use toml::de::{DeTable, DeValue, Error};

use super::problem::{Place, Problem, Reading};

/// The deepest path of an override, in keys and numbers. No value lies deeper, and the limit bounds the recursion.
const MAX_DEPTH: usize = 8;

/// A value and its place.
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) content: Content,
}

/// The content of a value. The configuration holds text, whole numbers, true and false; for other scalars only the kind
/// is kept.
pub(super) enum Content {
    Text(String),
    Number(i64),
    /// A number with a fraction.
    Decimal(f64),
    Boolean(bool),
    List(Vec<Node>),
    Table(BTreeMap<String, Node>),
    Other(&'static str),
}

impl Content {
    /// The kind of the value, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Number(_) | Self::Decimal(_) => "a number",
            Self::Boolean(_) => "true or false",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other(kind) => kind,
        }
    }
}

/// Reads TOML.
///
/// # Errors
/// The first syntax error. Other mistakes, and later syntax errors, may follow from it.
pub(super) fn parse(text: &str) -> Result<Node, Problem> {
    let line_ends: Vec<usize> = text.match_indices('\n').map(|(offset, _)| offset).collect();
    let line_at = |offset: usize| 1 + line_ends.partition_point(|end| *end < offset);
    let (table, errors) = DeTable::parse_recoverable(text);
    let offset_of = |error: &Error| error.span().map_or(0, |span| span.start);
    if let Some(error) = errors.iter().min_by_key(|error| offset_of(error)) {
        let message = format!("not valid TOML: {}", error.message());
        return Err(Problem { place: Place::Line(line_at(offset_of(error))), path: String::new(), message });
    }
    let place_of = |offset| Place::Line(line_at(offset));
    Ok(Node { place: Place::Line(1), content: content(&DeValue::Table(table.into_inner()), &place_of) })
}

/// Converts a request's JSON to a tree.
pub(super) fn of_json(value: &Value) -> Node {
    let content = match value {
        Value::String(text) => Content::Text(text.clone()),
        Value::Array(entries) => Content::List(entries.iter().map(of_json).collect()),
        Value::Object(entries) => {
            Content::Table(entries.iter().map(|(key, entry)| (key.clone(), of_json(entry))).collect())
        }
        Value::Number(number) => number.as_i64().map_or(Content::Other("a number"), Content::Number),
        Value::Bool(boolean) => Content::Boolean(*boolean),
        Value::Null => Content::Other("null"),
    };
    Node { place: Place::Request, content }
}

/// Applies the environment's overrides to the tree.
pub(super) fn apply_overrides(root: &mut Node, reading: &Reading<'_>) {
    for (name, keys, value) in reading.environment.overrides() {
        let place = Place::Variable(name.to_owned());
        if keys.len() > MAX_DEPTH {
            reading.report(&place, "", "names a value that is nested too deeply: the configuration has no such level");
            continue;
        }
        let Some(value) = override_value(value, &place) else {
            reading.report(&place, "", "starts like a TOML list or table but is not valid TOML");
            continue;
        };
        match descend(root, &keys, &place) {
            Some(node) => *node = value,
            None => reading.report(&place, "", "names an entry of a list that the file does not have"),
        }
    }
}

/// An override is plain text, or TOML if it starts like a list or an inline table.
fn override_value(value: &str, place: &Place) -> Option<Node> {
    let content = if value.starts_with(['[', '{']) {
        content(DeValue::parse(value).ok()?.get_ref(), &|_| place.clone())
    } else {
        Content::Text(value.to_owned())
    };
    Some(Node { place: place.clone(), content })
}

/// Returns the node under `keys`. Missing tables are created; entries of lists are named by number and must exist.
fn descend<'a>(root: &'a mut Node, keys: &[String], place: &Place) -> Option<&'a mut Node> {
    let empty_table = || Node { place: place.clone(), content: Content::Table(BTreeMap::new()) };
    let mut node = root;
    for key in keys {
        if !matches!(node.content, Content::List(_) | Content::Table(_)) {
            *node = empty_table();
        }
        node = match &mut node.content {
            Content::List(entries) => entries.get_mut(key.parse::<usize>().ok()?)?,
            Content::Table(entries) => entries.entry(key.clone()).or_insert_with(empty_table),
            Content::Text(_) | Content::Number(_) | Content::Decimal(_) | Content::Boolean(_) | Content::Other(_) => {
                return None;
            }
        };
    }
    Some(node)
}

fn content(value: &DeValue<'_>, place_of: &dyn Fn(usize) -> Place) -> Content {
    match value {
        DeValue::String(text) => Content::Text(text.to_string()),
        DeValue::Array(entries) => Content::List(
            entries
                .iter()
                .map(|entry| Node { place: place_of(entry.span().start), content: content(entry.get_ref(), place_of) })
                .collect(),
        ),
        // The place of a table's entry is the place of its key: a multi-line value ends elsewhere, and the table of a
        // header can start anywhere.
        DeValue::Table(entries) => Content::Table(
            entries
                .iter()
                .map(|(key, entry)| {
                    let node = Node { place: place_of(key.span().start), content: content(entry.get_ref(), place_of) };
                    (key.get_ref().to_string(), node)
                })
                .collect(),
        ),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Content::Number(number),
            Err(_) => Content::Other("a number"),
        },
        DeValue::Float(number) => match number.as_str().parse() {
            Ok(number) => Content::Decimal(number),
            Err(_) => Content::Other("a number"),
        },
        DeValue::Boolean(boolean) => Content::Boolean(*boolean),
        DeValue::Datetime(_) => Content::Other("a date"),
    }
}
