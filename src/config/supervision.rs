//! `[supervision]`: how often failing actors restart, when they are given up, and how many dead letters are kept.

use std::{num::NonZeroUsize, ops::RangeInclusive, time::Duration};

use super::field::Field;

const RESTARTS: RangeInclusive<u64> = 0..=1_000;
const CHILDREN: RangeInclusive<u64> = 1..=100_000;
const WINDOW: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 3_600);
const LETTERS: RangeInclusive<u64> = 1..=1_000_000;

/// How often failing actors restart, when they are given up, and how many dead letters are kept. Values that are not
/// configured have the defaults of the actors.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Supervision {
    /// For conversations; after too many restarts a conversation is quarantined. By default 5 restarts within 30 s.
    pub conversation: Restarts,
    /// For connections; after too many restarts a connection has failed. By default 5 restarts within 30 s.
    pub connection: Restarts,
    /// For subscribers; after too many restarts a subscriber ends. By default 5 restarts within 30 s.
    pub subscriber: Restarts,
    /// When failures of many conversations count as a failure of their connection.
    pub systemic: Systemic,
    /// Dead letters that are kept, from 1 to 1,000,000; 10,000 by default.
    pub dead_letters: Option<NonZeroUsize>,
}

/// How often one kind of actor may restart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Restarts {
    /// The most restarts within the window, 0 to 1,000; one more and the actor is given up.
    pub restarts: Option<u32>,
    /// The sliding window: one second to one day.
    pub within: Option<Duration>,
}

/// When failures of many conversations count as a failure of their connection, which then restarts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Systemic {
    /// The connection restarts after more failures than this within the window, 0 to 1,000; 20 by default.
    pub failures: Option<u32>,
    /// The failures must come from at least this many conversations, 1 to 100,000; 5 by default.
    pub conversations: Option<u32>,
    /// The sliding window, one second to one day; 10 s by default.
    pub within: Option<Duration>,
    /// The most such restarts of a connection in five minutes, 0 to 1,000; one more and the connection has failed. 3 by
    /// default.
    pub resets: Option<u32>,
}

impl Supervision {
    pub(super) fn read(field: Field<'_>) -> Self {
        let mut section = field.section();
        let read = Self {
            conversation: Restarts::read(section.field("conversation")),
            connection: Restarts::read(section.field("connection")),
            subscriber: Restarts::read(section.field("subscriber")),
            systemic: Systemic::read(section.field("systemic")),
            dead_letters: section
                .field("dead_letters")
                .number(LETTERS)
                .and_then(|count| usize::try_from(count).ok().and_then(NonZeroUsize::new)),
        };
        section.finish();
        read
    }
}

impl Restarts {
    fn read(field: Field<'_>) -> Self {
        let mut section = field.section();
        let read = Self {
            restarts: count(section.field("restarts"), RESTARTS),
            within: section.field("within").duration(WINDOW),
        };
        section.finish();
        read
    }
}

impl Systemic {
    fn read(field: Field<'_>) -> Self {
        let mut section = field.section();
        let read = Self {
            failures: count(section.field("failures"), RESTARTS),
            conversations: count(section.field("conversations"), CHILDREN),
            within: section.field("within").duration(WINDOW),
            resets: count(section.field("resets"), RESTARTS),
        };
        section.finish();
        read
    }
}

fn count(field: Field<'_>, range: RangeInclusive<u64>) -> Option<u32> {
    field.number(range).and_then(|count| u32::try_from(count).ok())
}
