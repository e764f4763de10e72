//! The contents of the service's parts, according to its metrics.

use std::{collections::BTreeMap, fmt, fs, path::Path, time::Duration};

use anyhow::Context as _;
use awc::Client;
use serde::Serialize;

/// How long reading the metrics may take.
const READ_WITHIN: Duration = Duration::from_secs(10);
/// The longest accepted text of metrics, in bytes.
const LONGEST: usize = 4 << 20;
const MEMORY: &str = "tertulia_store_memory_bytes{part=\"";
/// The counted parts, each with the metric whose values are summed.
const COUNTED: [(&str, &str); 8] = [
    ("awake", "tertulia_conversations"),
    ("asleep", "tertulia_conversations_asleep"),
    ("steps waiting", "tertulia_journal_waiting"),
    ("frames waiting", "tertulia_frames_waiting"),
    ("requests in flight", "tertulia_requests_in_flight"),
    ("streams", "tertulia_event_streams"),
    ("dead letters", "tertulia_dead_letters_held"),
    ("deliveries waiting", "tertulia_webhook_pending"),
];

/// The contents of a service's parts at one time.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Parts {
    /// Bytes in memory, by part of the store.
    store: BTreeMap<String, u64>,
    /// The number of loaded and unloaded conversations, and the lengths of the queues.
    counts: BTreeMap<&'static str, u64>,
    /// The store's files, in bytes.
    disk: u64,
}

impl Parts {
    /// Reads the metrics of the service at `address`, whose store is in `directory`.
    pub(super) async fn ask(address: &str, directory: &Path) -> anyhow::Result<Self> {
        let client = Client::builder().timeout(READ_WITHIN).finish();
        let sent = client.get(format!("http://{address}/metrics")).send().await;
        let mut response = sent.map_err(|error| anyhow::anyhow!("the metrics cannot be read: {error}"))?;
        let body = response.body().limit(LONGEST).await.context("the metrics are incomplete")?;
        let text = std::str::from_utf8(&body).context("the metrics are not UTF-8")?;
        Ok(Self { disk: size(directory), ..Self::of(text) })
    }

    fn of(text: &str) -> Self {
        let mut parts = Self::default();
        for (metric, value) in text.lines().filter_map(|line| line.rsplit_once(' ')) {
            let Ok(value) = value.parse::<u64>() else { continue };
            if let Some((part, _)) = metric.strip_prefix(MEMORY).and_then(|rest| rest.split_once('"')) {
                parts.store.insert(part.replace('_', " "), value);
            }
            let name = metric.split_once('{').map_or(metric, |(name, _)| name);
            if let Some((counted, _)) = COUNTED.iter().find(|(_, metric)| *metric == name) {
                *parts.counts.entry(counted).or_default() += value;
            }
        }
        parts
    }
}

impl fmt::Display for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "store on disk {} MiB; in memory", self.disk >> 20)?;
        for (part, bytes) in &self.store {
            write!(f, " {part} {} KiB", bytes >> 10)?;
        }
        for (index, (counted, count)) in self.counts.iter().enumerate() {
            write!(f, "{} {counted} {count}", if index == 0 { ";" } else { "," })?;
        }
        Ok(())
    }
}

/// The disk usage of all files in a directory. Files that vanish meanwhile are not counted.
fn size(directory: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => metadata.blocks() * 512,
        Err(_) => 0,
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_from_the_text_of_the_metrics() {
        let parts = Parts::of(
            "# HELP tertulia_conversations Conversations held in memory.\ntertulia_conversations 7\n\
             tertulia_store_memory_bytes{part=\"newest_events\"} 2048\n\
             tertulia_frames_waiting 3\ntertulia_other 9\n",
        );
        assert_eq!(parts.to_string(), "store on disk 0 MiB; in memory newest events 2 KiB; awake 7, frames waiting 3");
    }
}
