//! The recent past of several nodes, put together. Pure.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashSet},
};

use jiff::Timestamp;

use super::series::{Minute, NOTABLE, Notable};

/// The recent past: the last hour by minute, and the newest notable events.
#[derive(Default)]
pub(super) struct Past {
    pub(super) minutes: Vec<Minute>,
    pub(super) notable: Vec<Notable>,
}

impl Past {
    /// The minutes, the oldest first, and the notable events, the newest first, as callers get them. Minutes of the same time
    /// add up, and an event is there once.
    pub(super) fn shown(self) -> (Vec<Minute>, Vec<Notable>) {
        let mut minutes: BTreeMap<Timestamp, Minute> = BTreeMap::new();
        for minute in self.minutes {
            match minutes.get_mut(&minute.time) {
                Some(known) => known.add(&minute),
                None => drop(minutes.insert(minute.time, minute)),
            }
        }
        let minutes = minutes.into_values().map(|minute| Minute { counted: None, ..minute }).collect();
        let mut seen = HashSet::new();
        let mut notable = self.notable;
        notable.retain(|event| seen.insert(event.id.clone()));
        notable.sort_by_key(|event| Reverse(event.time));
        notable.truncate(usize::try_from(NOTABLE).unwrap_or(usize::MAX));
        (minutes, notable)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;
    use tertulia_actors::metrics::Latency;

    use super::*;

    fn minute(second: i64, frames: u64, took: Duration) -> Minute {
        let counted = Latency::default();
        counted.observe(took);
        let mut minute = Minute { frames, ..Minute::beginning(Timestamp::from_second(second).unwrap()) };
        minute.observe(&counted);
        minute
    }

    fn notable(id: &str, second: i64) -> Notable {
        let time = Timestamp::from_second(second).unwrap();
        Notable { id: id.into(), time, kind: "x".into(), connection: None, conversation: None, data: json!({}) }
    }

    #[test]
    fn minutes_add_up_with_their_histograms_and_an_event_is_shown_once() {
        let minutes = vec![
            minute(120, 1, Duration::from_millis(1)),
            minute(60, 2, Duration::from_millis(1)),
            minute(120, 4, Duration::from_secs(30)),
        ];
        let notable = vec![notable("a", 1), notable("b", 3), notable("a", 1), notable("c", 2)];
        let (minutes, notable) = Past { minutes, notable }.shown();
        let counted = |minute: &Minute| (minute.time.as_second(), minute.frames);
        assert_eq!(minutes.iter().map(counted).collect::<Vec<_>>(), [(60, 2), (120, 5)]);
        assert!(minutes[1].p50 < Some(0.002) && minutes[1].p99 > Some(10.0), "{:?}", minutes[1]);
        assert!(minutes.iter().all(|minute| minute.counted.is_none()));
        assert_eq!(notable.iter().map(|event| event.id.as_str()).collect::<Vec<_>>(), ["b", "c", "a"]);
    }
}
