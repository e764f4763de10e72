//! The recent past for the callers of one reach: the last hour by minute, and the newest notable events. Each reach has
//! its own series, so that the events of one tenant do not displace the events of another.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tertulia_actors::metrics::Latency;
use utoipa::ToSchema;

use super::{counts::Counts, quantiles::Quantiles};
use crate::reach::Reach;

/// Minutes that are kept.
pub(super) const MINUTES: u64 = 60;
/// Notable events that are kept.
pub(super) const NOTABLE: u64 = 200;
/// The most bytes of a notable event's data as JSON; longer data is left out.
const DATA_BYTES: usize = 2_048;
const MINUTE_SECONDS: i64 = 60;

/// What happened in one minute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Minute {
    /// The beginning of the minute. Minutes in which the service did not run are left out.
    #[schema(value_type = String, format = DateTime)]
    pub(super) time: Timestamp,
    /// Frames that arrived.
    pub(super) frames: u64,
    /// Events; null for a token that does not reach every connection.
    pub(super) events: Option<u64>,
    /// Commands that succeeded or failed.
    pub(super) commands: u64,
    /// Commands that failed.
    pub(super) commands_failed: u64,
    /// The median of the time from a frame to its events, in seconds. Null if no event came, and for a token that does
    /// not reach every connection.
    pub(super) p50: Option<f64>,
    /// The 99th percentile of the same time.
    pub(super) p99: Option<f64>,
    /// Connections that became ready again after a loss.
    pub(super) reconnects: u64,
    /// Restarts of actors after a panic.
    pub(super) restarts: u64,
    /// The histogram of `p50` and `p99`, only in the store, because quantiles cannot be added up.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(ignore)]
    pub(super) counted: Option<Latency>,
}

/// A notable event: something that an operator should know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Notable {
    /// The id of the event in the log, or an id that is made from the kind and the time.
    pub(super) id: String,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    pub(super) time: Timestamp,
    /// The name of an event after `tertulia.`: `connection.disconnected`, `connection.waiting`, `connection.failed`,
    /// `connection.lacking`, `connection.identity-lost`, `conversation-restarted` or `conversation-quarantined`.
    /// Notable events that are not in the log: `connection-restarted`, `dead-letters`, `webhook-failing`,
    /// `webhook-disabled`, `service-started` and `not-noted`.
    pub(super) kind: String,
    pub(super) connection: Option<String>,
    pub(super) conversation: Option<String>,
    /// The data of the event. For `dead-letters`, the `count`, `letterKind` and `reason` of letters of one cause. For a
    /// webhook, its id as `webhook`.
    #[schema(value_type = Object)]
    pub(super) data: Value,
}

/// The callers that may see a notable event: their reach must include both members.
#[derive(Clone, Copy)]
pub(super) struct Concern<'a> {
    /// A connection.
    pub(super) connection: Option<&'a str>,
    /// The reach of a webhook; [`Reach::EVERYTHING`] for an event of the process.
    pub(super) reach: Option<&'a Reach>,
}

impl<'a> Concern<'a> {
    /// Only callers that reach every connection.
    pub(super) const PROCESS: Concern<'static> = Concern { connection: None, reach: Some(&Reach::EVERYTHING) };

    pub(super) fn connection(connection: &'a str) -> Self {
        Self { connection: Some(connection), reach: None }
    }
}

/// The counters and histograms at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample {
    pub(super) counts: Counts,
    /// `None` for a reach that is not everything.
    pub(super) frame_to_event: Option<Latency>,
}

/// The recent past for one reach.
pub(super) struct Series {
    pub(super) reach: Reach,
    minutes: VecDeque<Minute>,
    /// The last sample. The next sample is compared with it.
    before: Sample,
    notable: VecDeque<(u64, Notable)>,
    /// The number of the next notable event.
    next: u64,
    /// The number of the first notable event that is not stored yet.
    stored: u64,
    /// The last stored minute.
    stored_minute: Option<Minute>,
}

impl Series {
    /// Begins a series that counts from the sample `now`.
    pub(super) fn new(reach: Reach, now: Sample) -> Self {
        let (minutes, notable) = (VecDeque::new(), VecDeque::new());
        Self { reach, minutes, before: now, notable, next: 0, stored: 0, stored_minute: None }
    }

    /// Adds the records of a previous run, in any order.
    pub(super) fn restore(&mut self, minutes: Vec<Minute>, notable: Vec<(u64, Notable)>) {
        for minute in minutes {
            match self.minutes.binary_search_by_key(&minute.time, |known| known.time) {
                Ok(at) => self.minutes.get_mut(at).into_iter().for_each(|known| known.add(&minute)),
                Err(at) => self.minutes.insert(at, minute),
            }
        }
        // Events that were recorded while the store was read come after the stored events.
        let since: Vec<Notable> = self.notable.drain(..).map(|(_, notable)| notable).collect();
        self.notable = notable.into();
        self.notable.make_contiguous().sort_unstable_by_key(|(number, _)| *number);
        self.next = self.notable.back().map_or(0, |(number, _)| number + 1);
        self.stored = self.next;
        since.into_iter().for_each(|notable| self.note(notable));
    }

    /// Adds the differences from the last sample to the minute of `time`.
    pub(super) fn sample(&mut self, time: Timestamp, now: Sample) {
        let begins = time.as_second() - time.as_second().rem_euclid(MINUTE_SECONDS);
        let Ok(begins) = Timestamp::from_second(begins) else { return };
        if self.minutes.back().is_none_or(|last| last.time < begins) {
            self.minutes.push_back(Minute::beginning(begins));
        }
        let hour = i64::try_from(MINUTES).unwrap_or_default() * MINUTE_SECONDS;
        while self.minutes.front().is_some_and(|first| first.time.as_second() <= begins.as_second() - hour) {
            self.minutes.pop_front();
        }
        let latency = now.frame_to_event.as_ref().zip(self.before.frame_to_event.as_ref());
        let since = latency.map(|(now, before)| now.since(before));
        if let Some(minute) = self.minutes.back_mut() {
            minute.count(&now.counts, &self.before.counts);
            since.iter().for_each(|since| minute.observe(since));
        }
        self.before = now;
    }

    /// Whether the callers of this series may see a notable event of `concern`.
    pub(super) fn is_concerned(&self, concern: Concern<'_>) -> bool {
        concern.connection.is_none_or(|connection| self.reach.sees(connection))
            && concern.reach.is_none_or(|reach| self.reach.covers(reach))
    }

    /// Adds a notable event, and removes the oldest if there are too many. An event that is already there is not added
    /// again.
    pub(super) fn note(&mut self, mut notable: Notable) {
        if self.notable.iter().any(|(_, known)| known.id == notable.id) {
            return;
        }
        if serde_json::to_vec(&notable.data).map_or(0, |data| data.len()) > DATA_BYTES {
            notable.data = Value::Null;
        }
        self.notable.push_back((self.next, notable));
        self.next += 1;
        while self.notable.len() as u64 > NOTABLE {
            self.notable.pop_front();
        }
    }

    /// The minutes with their histograms, the oldest first.
    pub(super) fn minutes(&self) -> Vec<Minute> {
        self.minutes.iter().cloned().collect()
    }

    /// The notable events, the newest first.
    pub(super) fn notable(&self) -> Vec<Notable> {
        let mut notable: Vec<Notable> = self.notable.iter().map(|(_, notable)| notable.clone()).collect();
        notable.sort_by_key(|notable| std::cmp::Reverse(notable.time));
        notable
    }

    /// Returns the current minute, if it has changed since it was last stored.
    pub(super) fn take_minute(&mut self) -> Option<&Minute> {
        let present = self.minutes.back().filter(|present| Some(*present) != self.stored_minute.as_ref())?;
        self.stored_minute = Some(present.clone());
        Some(present)
    }

    /// Returns the notable events that are not stored yet, each with its number.
    pub(super) fn take_unstored(&mut self) -> impl Iterator<Item = &(u64, Notable)> {
        let first = std::mem::replace(&mut self.stored, self.next);
        self.notable.iter().filter(move |(number, _)| *number >= first)
    }
}

impl Minute {
    pub(super) fn beginning(time: Timestamp) -> Self {
        Self {
            time,
            frames: 0,
            events: None,
            commands: 0,
            commands_failed: 0,
            p50: None,
            p99: None,
            reconnects: 0,
            restarts: 0,
            counted: None,
        }
    }

    /// Adds latencies.
    pub(super) fn observe(&mut self, latencies: &Latency) {
        if latencies.count() == 0 {
            return;
        }
        let counted = self.counted.as_ref().map_or_else(|| latencies.snapshot(), |counted| counted.plus(latencies));
        let Quantiles { p50, p99, .. } = Quantiles::of(&counted);
        (self.p50, self.p99, self.counted) = (p50, p99, Some(counted));
    }

    /// Adds the differences from `before` to `now`. A sum over connections becomes smaller when a connection is
    /// removed; then nothing is added.
    fn count(&mut self, now: &Counts, before: &Counts) {
        let failed = now.commands_failed.saturating_sub(before.commands_failed);
        self.frames += now.frames.saturating_sub(before.frames);
        if let (Some(now), Some(before)) = (now.events, before.events) {
            *self.events.get_or_insert_default() += now.saturating_sub(before);
        }
        self.commands += now.commands_done.saturating_sub(before.commands_done) + failed;
        self.commands_failed += failed;
        self.reconnects += now.reconnects.saturating_sub(before.reconnects);
        self.restarts += now.restarts.saturating_sub(before.restarts);
    }

    /// Adds the numbers of a previous run, or of another node, in the same minute. If the other numbers have no histogram, the
    /// quantiles of this run stay.
    pub(super) fn add(&mut self, other: &Self) {
        self.frames += other.frames;
        self.events = self.events.map_or(other.events, |events| Some(events + other.events.unwrap_or_default()));
        self.commands += other.commands;
        self.commands_failed += other.commands_failed;
        self.reconnects += other.reconnects;
        self.restarts += other.restarts;
        match &other.counted {
            Some(counted) => self.observe(counted),
            None if self.p50.is_none() => (self.p50, self.p99) = (other.p50, other.p99),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn sample(frames: u64, reconnects: u64, latency: &Latency) -> Sample {
        let counts = Counts { frames, reconnects, events: Some(2 * frames), ..Counts::default() };
        Sample { counts, frame_to_event: Some(latency.snapshot()) }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn notable(id: u64, data: Value) -> Notable {
        let kind = "connection.failed".to_owned();
        Notable { id: id.to_string(), time: at(0), kind, connection: Some("a".into()), conversation: None, data }
    }

    #[test]
    fn each_minute_has_its_own_counts_and_only_an_hour_is_kept() {
        let latency = Latency::default();
        let mut series = Series::new(Reach::EVERYTHING, sample(10, 0, &latency));
        latency.observe(Duration::from_millis(1));
        series.sample(at(600), sample(13, 1, &latency));
        series.sample(at(659), sample(15, 1, &latency));
        series.sample(at(660), sample(15, 2, &latency));
        let minutes = series.minutes();
        let counted = |minute: &Minute| (minute.time.as_second(), minute.frames, minute.events, minute.reconnects);
        assert_eq!(minutes.iter().map(counted).collect::<Vec<_>>(), [(600, 5, Some(10), 1), (660, 0, Some(0), 1)]);
        assert!(minutes[0].p99 > Some(0.0) && minutes[1].p99.is_none(), "the quantiles are of the minute");
        for minute in 12..200 {
            series.sample(at(minute * 60), sample(15, 2, &latency));
        }
        assert_eq!((series.minutes().len(), series.minutes()[0].time.as_second()), (60, 140 * 60));
    }

    #[test]
    fn records_of_a_previous_run_come_before_new_ones() {
        let latency = Latency::default();
        let mut series = Series::new(Reach::EVERYTHING, sample(0, 0, &latency));
        series.sample(at(660), sample(4, 0, &latency));
        series.note(notable(7, json!({})));
        let earlier = |time, frames| Minute { frames, reconnects: 3, ..Minute::beginning(at(time)) };
        series.restore(
            vec![earlier(660, 5), earlier(540, 9)],
            vec![(41, notable(1, json!({}))), (40, notable(0, json!({})))],
        );
        let minutes = series.minutes();
        assert_eq!(minutes.iter().map(|minute| minute.frames).collect::<Vec<_>>(), [9, 9]);
        assert_eq!(series.take_unstored().map(|(number, _)| *number).collect::<Vec<_>>(), [42]);
        assert_eq!(series.take_unstored().count(), 0);
        assert_eq!(series.notable().len(), 3);
    }

    #[test]
    fn the_newest_notable_events_are_kept_once_each_and_are_bounded() {
        let mut series = Series::new(Reach::EVERYTHING, Sample::default());
        for id in 0..2 * NOTABLE {
            series.note(notable(id, json!({})));
            series.note(notable(id, json!({})));
        }
        assert_eq!(series.notable().len() as u64, NOTABLE);
        assert_eq!(series.take_unstored().next().unwrap().0, NOTABLE);
        series.note(notable(u64::MAX, json!({ "reason": "x".repeat(DATA_BYTES) })));
        assert_eq!(series.take_unstored().last().unwrap().1.data, Value::Null);
    }
}
