//! Metrics of the process under their usual names, the program's version, and exported spans.

use std::{fmt, fs};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Unit,
};
use rustix::{
    param::clock_ticks_per_second,
    process::{Resource, getrlimit},
};

use crate::telemetry::SpanCounts;

/// This process, read at each scrape. Only Linux reports a process in files; elsewhere there are no such metrics.
#[derive(Debug)]
pub(super) struct Process {
    /// When the process started, in seconds since 1970.
    started: Option<f64>,
}

/// What `/proc/self/stat` says, see proc(5).
struct Stat {
    cpu_seconds: f64,
    /// From the start of the system to the start of the process.
    started_after_seconds: f64,
    virtual_bytes: i64,
}

impl Process {
    pub(super) fn own() -> Self {
        let started = Stat::read().and_then(|stat| Some(system_started()? + stat.started_after_seconds));
        Self { started }
    }
}

impl Stat {
    fn read() -> Option<Self> {
        let text = fs::read_to_string("/proc/self/stat").ok()?;
        // The name in parentheses may contain spaces. The first field after the name is the third of all.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        #[expect(clippy::cast_precision_loss, reason = "some hundred ticks per second")]
        let ticks_per_second = clock_ticks_per_second() as f64;
        Some(Self {
            cpu_seconds: (field(14)? + field(15)?) / ticks_per_second,
            started_after_seconds: field(22)? / ticks_per_second,
            virtual_bytes: fields.get(23 - 3)?.parse().ok()?,
        })
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        if let Some(Stat { cpu_seconds, virtual_bytes, .. }) = Stat::read() {
            let help = "Processor time of the process on all cores, of user and system.";
            let counter = encoder.encode_descriptor("process_cpu", help, Some(&Unit::Seconds), MetricType::Counter)?;
            ConstCounter::new(cpu_seconds).encode(counter)?;
            let help = "Addresses that the process has reserved.";
            let gauge =
                encoder.encode_descriptor("process_virtual_memory", help, Some(&Unit::Bytes), MetricType::Gauge)?;
            ConstGauge::new(virtual_bytes).encode(gauge)?;
        }
        if let Some(resident) = resident_bytes() {
            let help = "Memory of the process that is in RAM.";
            let gauge =
                encoder.encode_descriptor("process_resident_memory", help, Some(&Unit::Bytes), MetricType::Gauge)?;
            ConstGauge::new(resident).encode(gauge)?;
        }
        if let Some(started) = self.started {
            let help = "When the process started, in seconds since 1970.";
            let gauge =
                encoder.encode_descriptor("process_start_time", help, Some(&Unit::Seconds), MetricType::Gauge)?;
            ConstGauge::new(started).encode(gauge)?;
        }
        let open = open_files();
        // Without a limit there is nothing to compare the open files with.
        let most = open.and(getrlimit(Resource::Nofile).current).and_then(|most| i64::try_from(most).ok());
        for (name, help, value) in [
            ("process_open_fds", "Files and sockets that the process has open.", open),
            ("process_max_fds", "Files and sockets that the process may have open.", most),
        ] {
            if let Some(value) = value {
                ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
            }
        }
        Ok(())
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

/// When the system started, in seconds since 1970.
fn system_started() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

/// The directory itself is open only while it is read.
fn open_files() -> Option<i64> {
    let entries = fs::read_dir("/proc/self/fd").ok()?.count();
    i64::try_from(entries.saturating_sub(1)).ok()
}
