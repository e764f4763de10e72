//! A part of a frame, kept as text until it is needed.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};

/// A JSON value as its text, borrowed from the frame or owned.
///
/// Two values are equal if they have the same meaning, whatever the order of members and the white space.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct Json<'a>(Cow<'a, RawValue>);

impl<'a> Json<'a> {
    /// The text of the value.
    #[must_use]
    pub fn get(&self) -> &str {
        self.0.get()
    }

    /// The text with the lifetime of the frame, unless the value is a copy.
    pub(super) fn borrowed(&self) -> Option<&'a str> {
        match self.0 {
            Cow::Borrowed(raw) => Some(raw.get()),
            Cow::Owned(_) => None,
        }
    }

    /// Whether the value is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.get() == "null"
    }

    /// Parses the value as a type that may borrow from it.
    ///
    /// # Errors
    /// The parser's error.
    pub fn read<'s, T: Deserialize<'s>>(&'s self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.get())
    }

    /// Parses the value as an owned type.
    ///
    /// # Errors
    /// The parser's error.
    pub fn read_owned<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.get())
    }

    /// The value as a tree; `null` if it nests deeper than the parser allows.
    #[must_use]
    pub fn to_value(&self) -> Value {
        self.read_owned().unwrap_or_default()
    }

    /// An owned copy of the value.
    #[must_use]
    pub fn into_owned(self) -> Json<'static> {
        Json(Cow::Owned(self.0.into_owned()))
    }

    /// An owned raw copy of the value, for events that outlive the frame.
    #[must_use]
    pub fn to_raw(&self) -> Box<RawValue> {
        (*self.0).to_owned()
    }
}

impl From<&Value> for Json<'_> {
    fn from(value: &Value) -> Self {
        let raw = serde_json::value::to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned());
        Self(Cow::Owned(raw))
    }
}

impl From<Box<RawValue>> for Json<'_> {
    fn from(raw: Box<RawValue>) -> Self {
        Self(Cow::Owned(raw))
    }
}

impl<'a> From<&'a RawValue> for Json<'a> {
    fn from(raw: &'a RawValue) -> Self {
        Self(Cow::Borrowed(raw))
    }
}

impl PartialEq for Json<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
            || matches!((self.read::<Value>(), other.read::<Value>()), (Ok(this), Ok(that)) if this == that)
    }
}

impl fmt::Debug for Json<'_> {
    /// Only the length, because bodies contain message text, which is never logged.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Json({} bytes)", self.get().len())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Json<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&'de RawValue>::deserialize(deserializer).map(Self::from)
    }
}
