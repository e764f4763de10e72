//! Recognizes a repeated state ([CV-N2](crate::rules#cv-n2)).

use std::fmt;

use serde::{
    Deserializer,
    de::{DeserializeSeed, MapAccess, SeqAccess, Visitor},
};
use xxhash_rust::xxh3::xxh3_64;

/// The hash of a state's text: equal only for equal texts.
pub(super) fn of_text(raw: &str) -> u64 {
    xxh3_64(raw.as_bytes())
}

/// The hash of a state's meaning: independent of the order of members and of white space, and dependent on every
/// member.
///
/// The text is parsed once without building a tree. A text that nests deeper than the parser allows is hashed as text.
pub(super) fn of_meaning(raw: &str) -> u64 {
    let mut reader = serde_json::Deserializer::from_str(raw);
    Meaning.deserialize(&mut reader).unwrap_or_else(|_| of_text(raw))
}

/// Whether two values have the same meaning, or both are missing.
pub(super) fn is_same(one: Option<&str>, other: Option<&str>) -> bool {
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

/// Combines two values; the result depends on their order.
fn mix(first: u64, second: u64) -> u64 {
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
        let mut hash = ARRAY;
        while let Some(element) = elements.next_element_seed(Meaning)? {
            hash = mix(hash, element);
        }
        Ok(hash)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<u64, A::Error> {
        let mut hash = OBJECT;
        while let Some(name) = members.next_key_seed(Meaning)? {
            // A sum, because the order of members does not matter.
            hash = hash.wrapping_add(mix(name, members.next_value_seed(Meaning)?));
        }
        Ok(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::of_meaning;

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
