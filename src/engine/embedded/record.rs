//! The encoding of records: the value, preceded by the time until which it is kept, if there is one.
//!
//! The first format of the store had values only. They were JSON, so none begins with one of the marks below.

use bytes::Bytes;
use tertulia_actors::{core::time::Timestamp, engine::Record};

/// Precedes a value that begins with a mark and is kept until it is removed.
const PLAIN: u8 = 0;
/// Precedes a time and a value.
const UNTIL: u8 = 1;

/// The bytes of a record.
pub(super) fn to_bytes(record: &Record) -> Bytes {
    let marked = match (record.keep_until, record.value.first()) {
        (Some(Timestamp(until)), _) => [&[UNTIL][..], &until.to_be_bytes(), &record.value].concat(),
        (None, Some(&(PLAIN | UNTIL))) => [&[PLAIN][..], &record.value].concat(),
        (None, _) => return record.value.clone(),
    };
    marked.into()
}

/// The time until which a record is kept, and its value; `None` if the bytes are damaged.
pub(super) fn from_bytes(bytes: &[u8]) -> Option<(Option<Timestamp>, &[u8])> {
    match bytes.split_first() {
        Some((&PLAIN, value)) => Some((None, value)),
        Some((&UNTIL, rest)) => {
            let (until, value) = rest.split_first_chunk()?;
            Some((Some(Timestamp(i64::from_be_bytes(*until))), value))
        }
        _ => Some((None, bytes)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tertulia_actors::engine::RecordKey;

    use super::*;

    proptest! {
        #[test]
        fn a_record_gives_back_its_time_and_value(
            until: Option<i64>,
            value in prop_oneof![any::<Vec<u8>>(), proptest::collection::vec(0..3_u8, 0..3)],
        ) {
            let keep_until = until.map(Timestamp);
            let record = Record { keep_until, ..Record::new(RecordKey::of(&["key"]), value.clone()) };
            let bytes = to_bytes(&record);
            prop_assert_eq!(from_bytes(&bytes), Some((keep_until, &value[..])));
        }
    }

    #[test]
    fn a_value_of_the_first_format_is_kept_as_it_is_and_a_cut_one_is_damaged() {
        assert_eq!(from_bytes(b"{}"), Some((None, &b"{}"[..])));
        assert_eq!(from_bytes(b""), Some((None, &b""[..])));
        assert_eq!(from_bytes(&[UNTIL, 0, 0]), None);
    }
}
