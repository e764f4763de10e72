//! What lies in the store, as a disk may give it back: rows of events, keys, dead letters.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tertulia::engine::embedded::events_of_row;
use tertulia_actors::{dead_letters::DeadLetter, engine::RecordKey};

fuzz_target!(|bytes: &[u8]| {
    if let Some(events) = events_of_row(bytes) {
        assert!(events.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1), "events of a row are consecutive");
    }
    let key = RecordKey::from_bytes(bytes);
    if let Some(parts) = key.parts() {
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        assert_eq!(RecordKey::of(&parts), key, "a key that can be read is written the same");
    }
    if let Ok(letter) = serde_json::from_slice::<DeadLetter>(bytes) {
        let written = serde_json::to_vec(&letter).expect("a letter can be written");
        let again: DeadLetter = serde_json::from_slice(&written).expect("what was written can be read");
        assert_eq!(again, letter);
    }
});
