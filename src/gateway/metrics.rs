//! `/metrics`: what is counted, as OpenMetrics text for Prometheus.

use std::{fmt, fs, sync::Arc};

use actix_web::{HttpResponse, get, http::header, middleware::from_fn, web::Data};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _, text::encode},
    metrics::{MetricType, gauge::ConstGauge},
    registry::{Registry, Unit},
};
use tertulia_actors::{engine::Journal, metrics::Metrics};
use utoipa_actix_web::service_config::ServiceConfig;

use super::{access, problem::Problem, state::State};

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(scrape);
}

/// Everything that is counted, under `tertulia_`, and the process's memory under the name that all programs use.
pub(super) fn registry(metrics: &Metrics, journal: Arc<Journal>) -> Registry {
    let mut registry = Registry::default();
    metrics.register(registry.sub_registry_with_prefix("tertulia"));
    registry.register_collector(Box::new(ProcessMemory));
    registry.register_collector(Box::new(JournalState(journal)));
    registry
}

/// What is counted, for Prometheus.
#[utoipa::path(tag = "service", responses((status = 200, description = "OpenMetrics", body = String, content_type = CONTENT_TYPE)))]
#[get("/metrics", wrap = "from_fn(access::require)")]
async fn scrape(state: Data<State>) -> Result<HttpResponse, Problem> {
    let mut text = String::new();
    // Writing into a string does not fail.
    let _ = encode(&mut text, &state.registry);
    Ok(HttpResponse::Ok().insert_header((header::CONTENT_TYPE, CONTENT_TYPE)).body(text))
}

/// The memory of this process, read when it is asked for.
#[derive(Debug)]
struct ProcessMemory;

impl Collector for ProcessMemory {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(resident) = resident_bytes() else { return Ok(()) };
        let help = "Memory of the process that is in RAM";
        let gauge =
            encoder.encode_descriptor("process_resident_memory", help, Some(&Unit::Bytes), MetricType::Gauge)?;
        ConstGauge::new(resident).encode(gauge)
    }
}

/// How far the journal is behind, and whether it can go on.
struct JournalState(Arc<Journal>);

impl fmt::Debug for JournalState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JournalState").finish_non_exhaustive()
    }
}

impl Collector for JournalState {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Self(journal) = self;
        let waiting = i64::try_from(journal.waiting()).unwrap_or(i64::MAX);
        for (name, help, value) in [
            ("tertulia_journal_waiting", "Steps that are not durable yet", waiting),
            ("tertulia_journal_healthy", "Whether the last commit went well", i64::from(journal.is_healthy())),
        ] {
            let gauge = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value).encode(gauge)?;
        }
        Ok(())
    }
}

/// Only Linux tells it in a file.
fn resident_bytes() -> Option<i64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024)
}
