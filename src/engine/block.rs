//! The encoding of events: one row holds a run of consecutive events, which needs two thirds of the processor time of
//! one row per event.
//!
//! The key names the events in a row, so that gaps in the log can be found without reading events.

use bytes::Bytes;
use tertulia_actors::engine::NewEvent;

/// The most events in a row.
pub(super) const MOST_EVENTS: usize = 64;
/// A row is closed once it has at least this many bytes.
pub(super) const FULL: usize = 64 * 1024;

/// In place of a length: the event has no conversation.
const NONE: u32 = u32::MAX;

/// The events in a row. Rows are ordered by their last event, so the row of an event is the first row at or after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockKey {
    pub(super) last: u64,
    count: u32,
}

impl BlockKey {
    const LENGTH: usize = 12;

    /// The row of the events from `first` to `last`; `None` if there are none, or too many.
    pub(super) fn of(first: u64, last: u64) -> Option<Self> {
        let count = last.checked_sub(first)?.checked_add(1)?;
        (first > 0).then_some(())?;
        Some(Self { last, count: u32::try_from(count).ok()? })
    }

    pub(super) fn first(self) -> u64 {
        self.last - u64::from(self.count) + 1
    }

    pub(super) fn to_bytes(self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        let (last, count) = bytes.split_at_mut(8);
        last.copy_from_slice(&self.last.to_be_bytes());
        count.copy_from_slice(&self.count.to_be_bytes());
        bytes
    }

    /// `None` if the bytes are not the key of a row.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (last, count) = bytes.split_first_chunk()?;
        let key = Self { last: u64::from_be_bytes(*last), count: u32::from_be_bytes(count.try_into().ok()?) };
        (key.count > 0 && u64::from(key.count) <= key.last).then_some(key)
    }
}

/// Consecutive events that will become a row.
#[derive(Debug, Default)]
pub(super) struct Block {
    last: u64,
    count: u32,
    bytes: Vec<u8>,
}

/// A part of an event is too long to encode.
#[derive(Debug, thiserror::Error)]
#[error("event {0} has a part of 4 GiB or more")]
pub(super) struct TooLong(u64);

impl Block {
    /// Adds the next event.
    pub(super) fn push(&mut self, offset: u64, event: &NewEvent) -> Result<(), TooLong> {
        let NewEvent { connection, conversation, name, json } = event;
        let texts = [Some(connection.as_bytes()), conversation.as_deref().map(str::as_bytes), Some(name.as_bytes())];
        let parts = texts.into_iter().chain([Some(json.as_ref())]);
        for part in parts.clone() {
            let length =
                part.map_or(Some(NONE), |part| u32::try_from(part.len()).ok().filter(|length| *length != NONE));
            self.bytes.extend(length.ok_or(TooLong(offset))?.to_le_bytes());
        }
        parts.flatten().for_each(|part| self.bytes.extend(part));
        self.last = offset;
        self.count += 1;
        Ok(())
    }

    pub(super) fn is_full(&self) -> bool {
        self.count as usize >= MOST_EVENTS || self.bytes.len() >= FULL
    }

    /// The finished row; `None` if it has no events.
    pub(super) fn into_row(self) -> Option<(BlockKey, Vec<u8>)> {
        (self.count > 0).then_some((BlockKey { last: self.last, count: self.count }, self.bytes))
    }
}

/// Decodes the events of a row; `None` if the row is damaged.
pub(super) fn read(key: BlockKey, mut bytes: &[u8]) -> Option<Vec<(u64, NewEvent)>> {
    let events = (key.first()..=key.last).map(|offset| Some((offset, event(&mut bytes)?))).collect::<Option<_>>()?;
    bytes.is_empty().then_some(events)
}

fn event(bytes: &mut &[u8]) -> Option<NewEvent> {
    let lengths = [length(bytes)?, length(bytes)?, length(bytes)?, length(bytes)?];
    let [connection, conversation, name, json] = lengths;
    Some(NewEvent {
        connection: text(bytes, connection)?.into(),
        conversation: if conversation == NONE { None } else { Some(text(bytes, conversation)?.into()) },
        name: text(bytes, name)?.to_owned().into(),
        // Copied, so that keeping one event does not keep the memory of the whole row.
        json: Bytes::copy_from_slice(part(bytes, json)?),
    })
}

fn length(bytes: &mut &[u8]) -> Option<u32> {
    let (length, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*length))
}

fn part<'b>(bytes: &mut &'b [u8], length: u32) -> Option<&'b [u8]> {
    let (part, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    *bytes = rest;
    Some(part)
}

fn text<'b>(bytes: &mut &'b [u8], length: u32) -> Option<&'b str> {
    std::str::from_utf8(part(bytes, length)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(first: u64) -> impl Strategy<Value = Vec<(u64, NewEvent)>> {
        let parts = ("[a-z]{0,9}", proptest::option::of("\\PC{0,9}"), "[a-z.]{0,9}", "\\PC{0,40}");
        proptest::collection::vec(parts, 1..6).prop_map(move |events| {
            let event = |(connection, conversation, name, json): (String, Option<String>, String, String)| NewEvent {
                connection: connection.into(),
                conversation: conversation.map(Into::into),
                name: name.into(),
                json: json.into(),
            };
            (first..).zip(events.into_iter().map(event)).collect()
        })
    }

    fn row(events: &[(u64, NewEvent)]) -> (BlockKey, Vec<u8>) {
        let mut block = Block::default();
        events.iter().for_each(|(offset, event)| block.push(*offset, event).unwrap());
        block.into_row().unwrap()
    }

    proptest! {
        #[test]
        fn a_row_gives_back_its_events(events in (1..u64::MAX / 2).prop_flat_map(written)) {
            let (key, bytes) = row(&events);
            prop_assert_eq!(BlockKey::from_bytes(&key.to_bytes()), Some(key));
            prop_assert_eq!(read(key, &bytes), Some(events));
        }

        #[test]
        fn a_row_that_lost_its_end_is_damaged(events in written(1), cut in any::<prop::sample::Index>()) {
            let (key, bytes) = row(&events);
            prop_assert_eq!(read(key, &bytes[..cut.index(bytes.len())]), None);
        }

        #[test]
        fn any_bytes_are_a_row_or_damaged(key: [u8; 12], bytes: Vec<u8>) {
            if let Some(key) = BlockKey::from_bytes(&key) {
                read(key, &bytes);
            }
        }
    }

    #[test]
    fn a_key_without_events_or_before_the_first_event_is_refused() {
        for (last, count) in [(1, 0), (0, 0), (1, 2)] {
            assert_eq!(BlockKey::from_bytes(&BlockKey { last, count }.to_bytes()), None);
        }
        assert_eq!(BlockKey::from_bytes(b"short"), None);
    }
}
