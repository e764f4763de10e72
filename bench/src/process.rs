//! The memory and processor time of a process, on Linux.

use std::{fs, time::Duration};

use anyhow::Context as _;

/// The memory of this process in RAM, in bytes.
pub(crate) fn resident_bytes() -> anyhow::Result<u64> {
    resident_bytes_of(std::process::id())
}

/// The memory of a process in RAM, in bytes.
pub(crate) fn resident_bytes_of(process: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes * 1024)
}

/// The processor time of this process on all cores, in steps of 10 ms.
pub(crate) fn processor_time() -> anyhow::Result<Duration> {
    processor_time_of(std::process::id())
}

/// The processor time of a process on all cores, in steps of 10 ms.
pub(crate) fn processor_time_of(process: u32) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name in parentheses may contain spaces; user and system time are the 14th and 15th field.
    let members = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = members.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 10))
}
