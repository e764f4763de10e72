//! `gateway.limits`: how much each token may request of the gateway.

use std::ops::RangeInclusive;

use super::field::Field;

const RATES: RangeInclusive<u64> = 1..=1_000_000;
const CONCURRENT: RangeInclusive<u64> = 1..=100_000;
const FORWARDED_BYTES: RangeInclusive<u64> = 0..=1_073_741_824;

/// How much each token may request of the gateway. Without tokens all callers share one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Requests per second, on average; from 1 to 1,000,000, by default 1,000.
    pub requests_per_second: u32,
    /// Requests at once after a quiet time; from 1 to 1,000,000, by default 2,000.
    pub burst: u32,
    /// Concurrent requests without event streams; from 1 to 100,000, by default 512.
    pub concurrent: u32,
    /// The largest body of a request that is forwarded to a service of the platform, in bytes; at most 1 GiB, by default
    /// 16 MiB.
    pub forwarded_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { requests_per_second: 1_000, burst: 2_000, concurrent: 512, forwarded_bytes: 16 * 1024 * 1024 }
    }
}

impl Limits {
    pub(super) fn read(field: Field<'_>) -> Self {
        let default = Self::default();
        let mut section = field.section();
        let mut number = |key, range, default| {
            section.field(key).number(range).and_then(|number| u32::try_from(number).ok()).unwrap_or(default)
        };
        let limits = Self {
            requests_per_second: number("requests_per_second", RATES, default.requests_per_second),
            burst: number("burst", RATES, default.burst),
            concurrent: number("concurrent", CONCURRENT, default.concurrent),
            forwarded_bytes: section
                .field("forwarded_bytes")
                .number(FORWARDED_BYTES)
                .unwrap_or(default.forwarded_bytes),
        };
        section.finish();
        limits
    }
}
