//! How much is kept.

use std::time::Duration;

/// How much of the log and of the records is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The number of newest events kept.
    pub events: u64,
    /// How long the outcome of a durable command is kept for a caller that submits the command again.
    pub answers: Duration,
    /// How long a conversation is kept after it has left its connection. The numbering of its events is kept with it.
    pub conversations: Duration,
}

impl Default for Retention {
    /// A million events, a day, a week.
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self { events: 1_000_000, answers: DAY, conversations: 7 * DAY }
    }
}
