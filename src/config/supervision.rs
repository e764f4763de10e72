//! `[supervision]`: how often what fails is started again, when it is given up, and how much is kept of what broke it.

use std::{num::NonZeroUsize, ops::RangeInclusive, time::Duration};

use super::field::Field;

const RESTARTS: RangeInclusive<u64> = 0..=1_000;
const CHILDREN: RangeInclusive<u64> = 1..=100_000;
const WINDOW: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 3_600);
const LETTERS: RangeInclusive<u64> = 1..=1_000_000;

/// How often what fails is started again, when it is given up, and how much is kept of what broke it. What is not told
/// has the defaults of the actors.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Supervision {
    /// Conversations; one that is given up is quarantined. By default 5 restarts within 30 s.
    pub conversation: Restarts,
    /// Connections; one that is given up has failed. By default 5 restarts within 30 s.
    pub connection: Restarts,
    /// Subscribers; one that is given up ends. By default 5 restarts within 30 s.
    pub subscriber: Restarts,
    /// When conversations that fail together are their connection's fault.
    pub systemic: Systemic,
    /// Dead letters that are kept, from 1 to 1,000,000; 10,000 by default.
    pub dead_letters: Option<NonZeroUsize>,
}

/// How often one kind of actor is started again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Restarts {
    /// One restart more than this within the window, and the actor is given up: 0 to 1,000.
    pub restarts: Option<u32>,
    /// The sliding window: one second to one day.
    pub within: Option<Duration>,
}

/// When conversations that fail together are their connection's fault, which then begins anew.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Systemic {
    /// More failures than this within the window, 0 to 1,000; 20 by default.
    pub failures: Option<u32>,
    /// Of at least so many conversations, 1 to 100,000; 5 by default.
    pub conversations: Option<u32>,
    /// The sliding window, one second to one day; 10 s by default.
    pub within: Option<Duration>,
    /// The connection fails when it would have to begin anew more often than this in five minutes, 0 to 1,000; 3 by
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
