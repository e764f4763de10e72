//! A member of a page that the platform sent as JSON of any shape.

use std::fmt;

use serde::{
    Deserializer, Serialize, Serializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

/// The deepest nesting of a member. With the levels around the member, an event stays within the 127 levels that
/// `serde_json` reads.
const LEVELS: u8 = 120;

/// A value with the text that the platform sent. Serializes as null if the value nests deeper than [`LEVELS`], or if it
/// has text or numbers that `serde_json` does not read, so that every reader can parse the whole event.
pub(super) struct AsSent<'c>(pub(super) Option<&'c RawValue>);

impl Serialize for AsSent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is_readable = |raw: &&RawValue| {
            Readable { levels: LEVELS }.deserialize(&mut serde_json::Deserializer::from_str(raw.get())).is_ok()
        };
        self.0.filter(is_readable).serialize(serializer)
    }
}

/// Parses any value of at most `levels` levels, and keeps nothing of it.
#[derive(Clone, Copy)]
struct Readable {
    levels: u8,
}

impl Readable {
    fn inner<E: Error>(self) -> Result<Self, E> {
        let levels = self.levels.checked_sub(1).ok_or_else(|| E::custom("nested too deeply"))?;
        Ok(Self { levels })
    }
}

impl<'de> DeserializeSeed<'de> for Readable {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Readable {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let inner = self.inner()?;
        while elements.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let inner = self.inner()?;
        while members.next_key::<IgnoredAny>()?.is_some() {
            members.next_value_seed(inner)?;
        }
        Ok(())
    }
}
