//! Which records are to be removed when: an index by time, so that housekeeping reads no other record.
//!
//! An entry is written with each record that has a time, and removed with it. An entry stays when its record is given
//! another time, so the record itself decides when its entry is due.

use tertulia_actors::{core::time::Timestamp, engine::Table};

/// The key of the entry for the record `key` of `table`. Entries are ordered by time.
pub(super) fn entry(until: Timestamp, table: Table, key: &[u8]) -> Vec<u8> {
    [&ordered(until)[..], &[table as u8], key].concat()
}

/// The first key after all entries up to `now`.
pub(super) fn end(now: Timestamp) -> [u8; 8] {
    ordered(Timestamp(now.0.saturating_add(1)))
}

/// The time, the table and the key of an entry's record; `None` if it is damaged.
pub(super) fn record_of(entry: &[u8]) -> Option<(Timestamp, Table, &[u8])> {
    let (until, rest) = entry.split_first_chunk()?;
    let (table, key) = rest.split_first()?;
    let until = Timestamp((u64::from_be_bytes(*until) ^ (1 << 63)).cast_signed());
    Some((until, *Table::ALL.get(usize::from(*table))?, key))
}

/// The bytes of a time, which are ordered like the times.
fn ordered(Timestamp(millis): Timestamp) -> [u8; 8] {
    (millis.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_in_the_order_of_their_times_and_name_their_records() {
        let entries = [-1, 0, 1, 1_700_000_000_000].map(|time| entry(Timestamp(time), Table::Answers, b"key"));
        assert!(entries.is_sorted());
        assert!(entries[1][..] < end(Timestamp(0))[..] && end(Timestamp(0))[..] <= entries[2][..]);
        assert_eq!(record_of(&entries[3]), Some((Timestamp(1_700_000_000_000), Table::Answers, &b"key"[..])));
        assert_eq!(record_of(&entries[0]).map(|(until, ..)| until), Some(Timestamp(-1)));
        assert_eq!(record_of(b"short"), None);
    }
}
