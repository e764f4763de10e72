//! `[webhooks]`: how events are delivered to receivers over HTTP.

use std::{ops::RangeInclusive, time::Duration};

use super::field::Field;

const ATTEMPT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);
const DISABLE: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(30 * 24 * 3_600);

/// How events are delivered to receivers over HTTP. Values that are not configured have the defaults of the webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Webhooks {
    /// Whether receivers may have internal addresses (this machine, private networks) and use plain HTTP.
    pub allow_internal: bool,
    /// How long one attempt may take, connecting included; from 100 ms to a minute, by default 15 s.
    pub attempt_within: Option<Duration>,
    /// How long a webhook may only fail before it is disabled; from 100 ms to 30 days, by default 5 days.
    pub disable_after: Option<Duration>,
}

impl Webhooks {
    pub(super) fn read(field: Field<'_>) -> Self {
        let mut section = field.section();
        let read = Self {
            allow_internal: section.field("allow_internal").boolean().unwrap_or_default(),
            attempt_within: section.field("attempt_within").duration(ATTEMPT),
            disable_after: section.field("disable_after").duration(DISABLE),
        };
        section.finish();
        read
    }
}
