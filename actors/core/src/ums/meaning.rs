//! The meaning of JSON text as a hash, by which a repeated state is recognized ([CV-N2](crate::rules#cv-n2)).

use std::fmt;

use serde::{
    Deserializer,
    de::{DeserializeSeed, MapAccess, SeqAccess, Visitor},
};
use xxhash_rust::{const_xxh3, xxh3::xxh3_64};

use super::json_reader::{JsonReader, Kind, Scalar};

/// The hash of a text: equal only for equal texts.
pub(crate) fn of_text(raw: &str) -> u64 {
    xxh3_64(raw.as_bytes())
}

/// The hash of the meaning of a string without escapes, such as a member's name.
pub(crate) const fn of_name(name: &[u8]) -> u64 {
    const_xxh3::xxh3_64(name)
}

/// The hash of a value's meaning: independent of the order of members and of white space, and dependent on every
/// member.
///
/// The text is parsed once without building a tree. A text that nests deeper than the parser allows is hashed as text.
pub(crate) fn of_meaning(raw: &str) -> u64 {
    let mut reader = JsonReader::new(raw);
    of_next(&mut reader).filter(|_| reader.is_at_end()).unwrap_or_else(|| by_parser(raw))
}

/// The hash of a value's meaning, by the parser that decides what is JSON.
fn by_parser(raw: &str) -> u64 {
    let mut reader = serde_json::Deserializer::from_str(raw);
    Meaning.deserialize(&mut reader).unwrap_or_else(|_| of_text(raw))
}

/// Reads the next value and returns the hash of its meaning. `None` if the value must be read by [`serde_json`].
pub(crate) fn of_next(reader: &mut JsonReader<'_>) -> Option<u64> {
    of_nested(reader, DEPTH)
}

fn of_nested(reader: &mut JsonReader<'_>, depth: u32) -> Option<u64> {
    let depth = depth.checked_sub(1)?;
    match reader.kind()? {
        Kind::Object => {
            let mut meaning = ObjectMeaning::default();
            reader.object(|reader, name| {
                let value = of_nested(reader, depth)?;
                meaning.add(name, value);
                Some(())
            })?;
            Some(meaning.hash())
        }
        Kind::Array => {
            let mut meaning = ArrayMeaning::default();
            reader.array(|reader| {
                let element = of_nested(reader, depth)?;
                meaning.add(element);
                Some(())
            })?;
            Some(meaning.hash())
        }
        Kind::Scalar => reader.scalar().map(of_scalar),
    }
}

/// The hash of a scalar's meaning.
#[inline]
pub(crate) fn of_scalar(scalar: Scalar<'_>) -> u64 {
    match scalar {
        Scalar::Plain(text) => of_text(text),
        Scalar::Integer(number) => match u64::try_from(number) {
            Ok(number) => mix(NUMBER, number),
            Err(_) => mix(NEGATIVE, number.cast_unsigned()),
        },
        Scalar::Null => NULL,
        Scalar::Other(raw) => by_parser(raw),
    }
}

/// The hash of an object's meaning, built member by member.
pub(crate) struct ObjectMeaning(u64);

impl Default for ObjectMeaning {
    fn default() -> Self {
        Self(OBJECT)
    }
}

impl ObjectMeaning {
    /// Adds a member by its name and the hash of its value.
    #[inline]
    pub(crate) fn add(&mut self, name: &str, value: u64) {
        self.add_hashed(of_text(name), value);
    }

    /// Adds a member by the hashes of its name and its value.
    #[inline]
    pub(crate) fn add_hashed(&mut self, name: u64, value: u64) {
        // A sum, because the order of members does not matter.
        self.0 = self.0.wrapping_add(mix(name, value));
    }

    /// The hash.
    pub(crate) fn hash(self) -> u64 {
        self.0
    }
}

/// The hash of an array's meaning, built element by element.
pub(crate) struct ArrayMeaning(u64);

impl Default for ArrayMeaning {
    fn default() -> Self {
        Self(ARRAY)
    }
}

impl ArrayMeaning {
    /// Adds the hash of the next element.
    #[inline]
    pub(crate) fn add(&mut self, element: u64) {
        self.0 = mix(self.0, element);
    }

    /// The hash.
    pub(crate) fn hash(self) -> u64 {
        self.0
    }
}

/// Whether two values have the same meaning, or both are missing.
pub(crate) fn is_same(one: Option<&str>, other: Option<&str>) -> bool {
    one == other || one.zip(other).is_some_and(|(one, other)| of_meaning(one) == of_meaning(other))
}

const NULL: u64 = 0x9ae1_6a3b_2f90_404f;
const FALSE: u64 = 0xc2b2_ae3d_27d4_eb4f;
const TRUE: u64 = 0x1656_67b1_9e37_79f9;
const NUMBER: u64 = 0x85eb_ca77_c2b2_ae63;
const FRACTION: u64 = 0x27d4_eb2f_1656_67c5;
const ARRAY: u64 = 0xd6e8_feb8_6659_fd93;
const OBJECT: u64 = 0xa076_1d64_78bd_642f;
const NEGATIVE: u64 = 0xe703_7ed1_a0b4_28db;

/// Keys of [`mix`]. No value has one of them as its hash, because it would vanish in the product.
const FIRST_KEY: u64 = 0x8ebc_6af0_9c88_c6e3;
const SECOND_KEY: u64 = 0x5899_65cc_7537_4cc3;

/// The deepest nesting that is read without the parser.
const DEPTH: u32 = 32;

/// Combines two values; the result depends on their order.
#[inline]
pub(crate) fn mix(first: u64, second: u64) -> u64 {
    let product = u128::from(first ^ FIRST_KEY).wrapping_mul(u128::from(second ^ SECOND_KEY));
    let [low, high] = [product, product >> 64].map(|half| half & u128::from(u64::MAX));
    u64::try_from(low ^ high).unwrap_or_default().rotate_left(23) ^ first
}

struct Meaning;

impl<'de> DeserializeSeed<'de> for Meaning {
    type Value = u64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<u64, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Meaning {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<u64, E> {
        Ok(NULL)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<u64, E> {
        Ok(if flag { TRUE } else { FALSE })
    }

    fn visit_u64<E>(self, number: u64) -> Result<u64, E> {
        Ok(mix(NUMBER, number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<u64, E> {
        // Only negative numbers arrive here; their bits are those of other, positive numbers.
        Ok(mix(NEGATIVE, number.cast_unsigned()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<u64, E> {
        Ok(mix(FRACTION, number.to_bits()))
    }

    fn visit_str<E>(self, text: &str) -> Result<u64, E> {
        Ok(of_text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<u64, A::Error> {
        let mut meaning = ArrayMeaning::default();
        while let Some(element) = elements.next_element_seed(Meaning)? {
            meaning.add(element);
        }
        Ok(meaning.hash())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<u64, A::Error> {
        let mut meaning = ObjectMeaning::default();
        while let Some(name) = members.next_key_seed(Meaning)? {
            meaning.add_hashed(name, members.next_value_seed(Meaning)?);
        }
        Ok(meaning.hash())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::{by_parser, of_meaning};

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1e20..1e20_f64).prop_map(Value::from),
            "[a-zé😀\"\\\\\n ]{0,20}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec(("[a-c\"\n]{0,9}", inner), 0..6)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn both_ways_to_read_a_value_find_the_same_meaning(value in any_json()) {
            for text in [value.to_string(), format!("{value:#}")] {
                prop_assert_eq!(of_meaning(&text), by_parser(&text), "{}", text);
            }
        }
    }

    #[test]
    fn every_element_of_an_array_counts() {
        for element in ["true", "false", "null", "0", "-1", "1.5", r#""""#, "[]", "{}"] {
            for (shorter, longer) in
                [("[1]".to_owned(), format!("[1,{element}]")), ("[]".into(), format!("[{element}]"))]
            {
                assert_ne!(of_meaning(&shorter), of_meaning(&longer), "{shorter} and {longer}");
            }
        }
    }

    #[test]
    fn values_of_different_kinds_are_different() {
        let values = [
            "null",
            "true",
            "false",
            "0",
            "-1",
            "18446744073709551615",
            "1",
            "1.5",
            r#""""#,
            r#""1""#,
            "[]",
            "{}",
            "[1]",
            "[true]",
            r#"{"a":1}"#,
            r#"{"a":true}"#,
            "-9223372036854775808",
            "9223372036854775808",
        ];
        for (at, value) in values.iter().enumerate() {
            for other in &values[at + 1..] {
                assert_ne!(of_meaning(value), of_meaning(other), "{value} and {other}");
            }
        }
    }
}
