//! Arguments of tools: their JSON Schema, and how their values are read.

use serde_json::{Map, Value, json};
use tertulia_actors::core::command::KEY_CHARS;

/// One argument of a tool. The endpoint has the same name for it.
#[derive(Debug)]
pub(super) struct Argument {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) kind: Kind,
    pub(super) place: Place,
    pub(super) is_required: bool,
}

/// The values of an argument.
#[derive(Debug)]
pub(super) enum Kind {
    /// An id, or a name.
    Id,
    /// Text of at most this many characters.
    Text(usize),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number with its bounds, and its default if there is one.
    Number { min: u64, max: u64, default: Option<u64> },
    /// True or false, with the default.
    Flag(bool),
    /// An `Idempotency-Key`.
    Key,
}

/// Where the call has the argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Path,
    Query,
    Body,
    /// The header `Idempotency-Key`.
    Key,
}

/// The most characters of an id.
const MAX_ID: usize = 512;

impl Argument {
    /// The JSON Schema of the values.
    pub(super) fn schema(&self) -> Value {
        let mut schema = match &self.kind {
            Kind::Id => json!({ "type": "string", "minLength": 1, "maxLength": MAX_ID }),
            Kind::Text(max) => json!({ "type": "string", "minLength": 1, "maxLength": max }),
            Kind::Word(words) => json!({ "type": "string", "enum": words }),
            Kind::Number { min, max, default } => {
                let mut schema = json!({ "type": "integer", "minimum": min, "maximum": max });
                if let Some(default) = default {
                    schema["default"] = json!(default);
                }
                schema
            }
            Kind::Flag(default) => json!({ "type": "boolean", "default": default }),
            Kind::Key => json!({ "type": "string", "minLength": 1, "maxLength": KEY_CHARS, "pattern": "^[!-~]+$" }),
        };
        schema["description"] = self.description.into();
        schema
    }

    /// The argument's value among `arguments`, or its default; `None` if it is absent and has no default.
    ///
    /// # Errors
    /// What is wrong with the value, or that it is missing.
    pub(super) fn read(&self, arguments: &Map<String, Value>) -> Result<Option<Value>, String> {
        let name = self.name;
        // Models write null for what they leave out.
        match arguments.get(name).filter(|value| !value.is_null()) {
            Some(given) => {
                let taken = self.kind.take(given);
                taken.map(Some).ok_or_else(|| format!("the argument {name} must be {}", self.kind.in_words()))
            }
            None if self.is_required => Err(format!("the argument {name} is missing")),
            None => Ok(self.kind.default()),
        }
    }
}

impl Kind {
    fn default(&self) -> Option<Value> {
        match self {
            Self::Number { default, .. } => default.map(Value::from),
            Self::Flag(default) => Some(Value::from(*default)),
            Self::Id | Self::Text(_) | Self::Word(_) | Self::Key => None,
        }
    }

    /// The value as the endpoint takes it; `None` if it is not one of this kind.
    fn take(&self, given: &Value) -> Option<Value> {
        let text = |max: usize| given.as_str().filter(|text| (1..=max).contains(&text.chars().count()));
        match self {
            // Ids of skills and agents look like numbers, and models write them so.
            Self::Id if given.is_u64() || given.is_i64() => Some(given.to_string().into()),
            Self::Id => text(MAX_ID).map(Value::from),
            Self::Text(max) => text(*max).map(Value::from),
            Self::Word(words) => text(MAX_ID).filter(|word| words.contains(word)).map(Value::from),
            Self::Number { min, max, .. } => {
                given.as_u64().filter(|number| (*min..=*max).contains(number)).map(Value::from)
            }
            Self::Flag(_) => given.as_bool().map(Value::from),
            Self::Key => text(KEY_CHARS).filter(|key| key.bytes().all(|byte| byte.is_ascii_graphic())).map(Value::from),
        }
    }

    fn in_words(&self) -> String {
        match self {
            Self::Id => format!("an id of 1 to {MAX_ID} characters"),
            Self::Text(max) => format!("a text of 1 to {max} characters"),
            Self::Word(words) => format!("one of {}", words.join(", ")),
            Self::Number { min, max, .. } => format!("a whole number from {min} to {max}"),
            Self::Flag(_) => "true or false".to_owned(),
            Self::Key => format!("1 to {KEY_CHARS} printable ASCII characters without spaces"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argument(kind: Kind, is_required: bool) -> Argument {
        Argument { name: "one", description: "It.", kind, place: Place::Body, is_required }
    }

    fn read(kind: Kind, value: Value) -> Result<Option<Value>, String> {
        argument(kind, false).read(json!({ "one": value }).as_object().unwrap())
    }

    #[test]
    fn a_value_within_the_bounds_is_taken_and_any_other_is_refused_in_words() {
        const NUMBER: Kind = Kind::Number { min: 1, max: 9, default: Some(5) };
        for (kind, value, taken) in [
            (Kind::Id, json!("501"), json!("501")),
            (Kind::Id, json!(501), json!("501")),
            (Kind::Id, json!(-1), json!("-1")),
            (Kind::Text(2), json!("éé"), json!("éé")),
            (Kind::Word(&["OPEN"]), json!("OPEN"), json!("OPEN")),
            (NUMBER, json!(9), json!(9)),
            (Kind::Flag(true), json!(false), json!(false)),
            (Kind::Key, json!("k-1"), json!("k-1")),
        ] {
            assert_eq!(read(kind, value), Ok(Some(taken)));
        }
        for (kind, value, reason) in [
            (Kind::Id, json!(""), "the argument one must be an id of 1 to 512 characters"),
            (Kind::Id, json!(1.5), "the argument one must be an id of 1 to 512 characters"),
            (Kind::Text(2), json!("ééé"), "the argument one must be a text of 1 to 2 characters"),
            (Kind::Word(&["OPEN", "CLOSE"]), json!("open"), "the argument one must be one of OPEN, CLOSE"),
            (NUMBER, json!(10), "the argument one must be a whole number from 1 to 9"),
            (NUMBER, json!("3"), "the argument one must be a whole number from 1 to 9"),
            (Kind::Flag(true), json!("yes"), "the argument one must be true or false"),
            (Kind::Key, json!("a b"), "the argument one must be 1 to 64 printable ASCII characters without spaces"),
        ] {
            assert_eq!(read(kind, value), Err(reason.to_owned()));
        }
    }

    #[test]
    fn what_is_left_out_has_its_default_unless_it_is_required() {
        for (kind, default) in [
            (Kind::Number { min: 1, max: 9, default: Some(5) }, Some(json!(5))),
            (Kind::Flag(true), Some(json!(true))),
            (Kind::Id, None),
        ] {
            assert_eq!(argument(kind, false).read(&Map::new()), Ok(default));
        }
        assert_eq!(read(Kind::Id, Value::Null), Ok(None));
        let missing = argument(Kind::Id, true).read(&Map::new());
        assert_eq!(missing, Err("the argument one is missing".to_owned()));
    }
}
