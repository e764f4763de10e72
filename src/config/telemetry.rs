//! `[telemetry]`: the destination of spans.

use std::ops::RangeInclusive;

use actix_web::http::Uri;

use super::{field::Field, platform::url};

const DEFAULT_NAME: &str = "tertulia";
const PERCENT: RangeInclusive<u64> = 0..=100;

/// The destination of spans. Without a collector nothing is exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telemetry {
    /// URL of the OpenTelemetry collector, `http`, without the path `/v1/traces` of OTLP.
    pub otlp: Option<Uri>,
    /// Name of the service at the collector; `tertulia` by default.
    pub service_name: String,
    /// Percentage of traces that are exported; 100 by default.
    pub sample_percent: u8,
}

impl Telemetry {
    pub(super) fn read(field: Field<'_>) -> Self {
        let mut section = field.section();
        let otlp = section.field("otlp").parse(|text| url(text, &["http"]));
        let service_name = section.field("service_name").text().unwrap_or_else(|| DEFAULT_NAME.to_owned());
        let sample_percent = section.field("sample_percent").number(PERCENT);
        section.finish();
        let sample_percent = sample_percent.and_then(|percent| u8::try_from(percent).ok()).unwrap_or(100);
        Self { otlp, service_name, sample_percent }
    }
}
