//! Events that the disk damaged: readers of the log skip them, and get a gap.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use serde_json::json;

use super::{happen, happen_padded, happened, receiver::Receiver, service, until, webhook};
use crate::running::{self, Running};

/// Events that are more together than the store holds in memory.
const EVENTS: usize = 240;
const PADDING: usize = 50_000;

/// The files of events that were written apart from their keys.
fn blobs(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let found = entries.flat_map(|entry| match entry.path() {
        path if path.is_dir() => blobs(&path),
        path if directory.ends_with("blobs") => vec![path],
        _ => Vec::new(),
    });
    found.collect()
}

fn flip_in_the_middle(file: &Path) {
    let file = File::options().read(true).write(true).open(file).unwrap();
    let (place, mut byte) = (file.metadata().unwrap().len() / 2, [0]);
    file.read_exact_at(&mut byte, place).unwrap();
    file.write_all_at(&[byte[0] ^ 0x5a], place).unwrap();
}

/// A service whose log has damaged events, and the id of its first event.
async fn damaged() -> (Running, String) {
    let running = service();
    let first = happened(&running, Some("a"), 1, PADDING).await;
    (2..=EVENTS).for_each(|number| happen_padded(&running, Some("a"), number, PADDING));
    let directory = running.data();
    running::until(|| !blobs(&directory).is_empty()).await;
    // The service has written everything when it has ended.
    let running = running.restart().await;
    flip_in_the_middle(&blobs(&directory)[0]);
    (running.restart().await, first)
}

#[actix_rt::test]
async fn damaged_events_stop_no_reader_and_are_reported_as_a_gap_in_readiness_and_as_a_metric() {
    let (running, first) = damaged().await;
    let receiver = Receiver::willing();
    let made = webhook(&running, &receiver, json!({ "after": first })).await;
    let mut stream = running.follow("/v1/events", &[("last-event-id", &first)]).await;
    let (mut heard, mut missed) = (BTreeSet::new(), 0);
    while !heard.contains(&EVENTS) {
        let event = stream.event().await;
        match event["type"].as_str().unwrap() {
            "tertulia.gap" => missed += usize::try_from(event["data"]["missed"].as_u64().unwrap()).unwrap(),
            _ => assert!(heard.insert(usize::try_from(event["data"]["number"].as_u64().unwrap()).unwrap())),
        }
    }
    assert!(missed > 0, "nothing was damaged");
    assert_eq!(heard.len() + missed, EVENTS - 1, "all others are heard");

    until(&running, &made, |webhook| webhook["pending"] == 0 && webhook["state"] == "enabled").await;
    happen(&running, Some("a"), EVENTS + 1);
    receiver.until(|received| received.iter().any(|one| one.event["data"]["number"] == EVENTS + 1)).await;
    let received = receiver.received();
    let gaps: u64 = received.iter().filter_map(|one| one.event["data"]["missed"].as_u64()).sum();
    let numbers: BTreeSet<u64> = received.iter().filter_map(|one| one.event["data"]["number"].as_u64()).collect();
    assert_eq!((gaps, numbers.len()), (missed as u64, heard.len() + 1));

    assert_eq!(running.get("/readyz").await.json, json!({ "ready": true, "damagedEvents": missed }));
    let metrics = running.get("/metrics").await.text;
    assert!(metrics.contains(&format!("tertulia_events_damaged {missed}\n")), "{metrics}");
}
