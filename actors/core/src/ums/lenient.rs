//! Reads the platform's variants: absent or null members, one or many elements, integers in several forms.

use std::{fmt, marker::PhantomData};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::time::IntegerVisitor;

/// A member that may be absent, which says nothing, or null, which unsets it ([CV-N7](crate::rules#cv-n7)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Presence<T> {
    /// The member was not sent: the known value stays.
    #[default]
    Absent,
    /// The member was sent as `null`: the known value is unset.
    Null,
    /// The member was sent with a value.
    Value(T),
}

impl<T> Presence<T> {
    /// Returns whether the member was not sent.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Returns `None` if the member was not sent, `Some(None)` if it was null, `Some(Some(value))` if it has a value.
    pub fn said(&self) -> Option<Option<&T>> {
        match self {
            Self::Absent => None,
            Self::Null => Some(None),
            Self::Value(value) => Some(Some(value)),
        }
    }

    /// The value, if one was sent.
    pub fn value(&self) -> Option<&T> {
        self.said().flatten()
    }
}

impl<T> From<Option<T>> for Presence<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Self::Value)
    }
}

impl<T: Serialize> Serialize for Presence<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Presence<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self::from)
    }
}

/// Parses an integer from a number, a fraction or a string of digits; `null` and other texts are `None`.
pub(crate) fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    struct Visitor;

    impl de::Visitor<'_> for Visitor {
        type Value = Option<i64>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an integer or nothing")
        }

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self::Value, E> {
            IntegerVisitor.visit_i64(value).map(Some)
        }

        fn visit_u64<E: de::Error>(self, value: u64) -> Result<Self::Value, E> {
            IntegerVisitor.visit_u64(value).map(Some)
        }

        fn visit_f64<E: de::Error>(self, value: f64) -> Result<Self::Value, E> {
            IntegerVisitor.visit_f64(value).map(Some)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(IntegerVisitor.visit_str::<E>(text).ok())
        }
    }

    deserializer.deserialize_any(Visitor)
}

/// Parses a count: an [`integer`] that is not negative.
pub(crate) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(integer(deserializer)?.and_then(|value| u64::try_from(value).ok()))
}

/// Parses a list, or a single element as a list (protocol [§4.4](crate::protocol#44)); `null` is an empty list.
pub(crate) fn one_or_many<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    maybe_many(deserializer).map(Option::unwrap_or_default)
}

/// Parses a list, or a single element as a list; `null` is `None`.
pub(crate) fn maybe_many<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Visitor<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Visitor<T> {
        type Value = Option<Vec<T>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("one element or an array of them")
        }

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
            let mut list = Vec::new();
            while let Some(element) = elements.next_element()? {
                list.push(element);
            }
            Ok(Some(list))
        }

        fn visit_map<A: de::MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
            alone(de::value::MapAccessDeserializer::new(members))
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            alone(de::value::StrDeserializer::new(text))
        }

        fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Self::Value, E> {
            alone(de::value::BoolDeserializer::new(flag))
        }

        fn visit_f64<E: de::Error>(self, number: f64) -> Result<Self::Value, E> {
            alone(de::value::F64Deserializer::new(number))
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
            alone(de::value::U64Deserializer::new(number))
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
            alone(de::value::I64Deserializer::new(number))
        }
    }

    fn alone<'de, D: Deserializer<'de>, T: Deserialize<'de>>(element: D) -> Result<Option<Vec<T>>, D::Error> {
        T::deserialize(element).map(|element| Some(vec![element]))
    }

    deserializer.deserialize_any(Visitor(PhantomData))
}
