//! `[telemetry]`: the destination of spans, and the extent of metrics.

use std::ops::RangeInclusive;

use actix_web::http::Uri;

use super::{field::Field, platform::url};

const DEFAULT_NAME: &str = "tertulia";
const PERCENT: RangeInclusive<u64> = 0..=100;

/// The destination of spans, and the extent of metrics. Without a collector no spans are exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telemetry {
    /// URL of the OpenTelemetry collector, `http`, without the path `/v1/traces` of OTLP.
    pub otlp: Option<Uri>,
    /// Name of the service at the collector; `tertulia` by default.
    pub service_name: String,
    /// Percentage of traces that are exported; 100 by default.
    pub sample_percent: u8,
    /// Whether `/metrics` has series for each connection.
    pub metrics_per_connection: MetricsPerConnection,
}

/// Whether `/metrics` has series for each connection, besides those of all connections together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MetricsPerConnection {
    /// If there are at most 100 connections. The answer to a scrape then has a limited size.
    #[default]
    Auto,
    /// However many connections there are.
    Always,
    /// Never.
    Never,
}

const PER_CONNECTION: &[(&str, MetricsPerConnection)] = &[
    ("auto", MetricsPerConnection::Auto),
    ("always", MetricsPerConnection::Always),
    ("never", MetricsPerConnection::Never),
];

impl Telemetry {
    pub(super) fn read(field: Field<'_>) -> Self {
        let mut section = field.section();
        let otlp = section.field("otlp").parse(|text| url(text, &["http"]));
        let service_name = section.field("service_name").text().unwrap_or_else(|| DEFAULT_NAME.to_owned());
        let sample_percent = section.field("sample_percent").number(PERCENT);
        let metrics_per_connection = section.field("metrics_per_connection").word(PER_CONNECTION).unwrap_or_default();
        section.finish();
        let sample_percent = sample_percent.and_then(|percent| u8::try_from(percent).ok()).unwrap_or(100);
        Self { otlp, service_name, sample_percent, metrics_per_connection }
    }
}
