//! Metrics of the process: memory, and exported spans.

use std::{fmt, fs};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Unit,
};

use crate::telemetry::SpanCounts;

/// The memory of this process, read at each scrape.
#[derive(Debug)]
pub(super) struct ProcessMemory;

impl Collector for ProcessMemory {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(resident) = resident_bytes() else { return Ok(()) };
        let help = "Memory of the process that is in RAM.";
        let gauge =
            encoder.encode_descriptor("process_resident_memory", help, Some(&Unit::Bytes), MetricType::Gauge)?;
        ConstGauge::new(resident).encode(gauge)
    }
}

/// The fate of spans.
#[derive(Debug)]
pub(super) struct Spans;

impl Collector for Spans {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let SpanCounts { ended, exported, failed } = SpanCounts::now();
        for (name, help, count) in [
            ("spans_ended", "Sampled spans that ended. Those neither exported nor failed wait or were dropped.", ended),
            ("spans_exported", "Spans that the collector accepted.", exported),
            ("spans_failed", "Spans that the collector did not accept.", failed),
        ] {
            let counter = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(count).encode(counter)?;
        }
        Ok(())
    }
}

/// Only Linux reports the memory in a file.
pub(in crate::gateway) fn resident_bytes() -> Option<i64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024)
}
