//! When a failed delivery is tried again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The longest pause that a caller may configure, and the longest `Retry-After` of a receiver that is honoured.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);
/// The most retries of one event.
pub(super) const MOST_RETRIES: usize = 20;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
/// How much a pause varies at random, up or down, so that events that failed together are not tried together.
const SPREAD: f64 = 0.1;

/// The pauses between the attempts of one delivery. The first attempt is made at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<f64>", into = "Vec<f64>")]
pub struct Retries(Vec<Duration>);

/// Why a list of pauses is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("retries must be at most {MOST_RETRIES} numbers of seconds, each from 0 to {}", LONGEST_PAUSE.as_secs())]
pub struct RetriesError;

impl Default for Retries {
    /// Eight attempts within 28 hours: at once, then after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h and 10 h.
    fn default() -> Self {
        let seconds = [5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 10 * HOUR];
        Self(seconds.map(Duration::from_secs).to_vec())
    }
}

impl TryFrom<Vec<f64>> for Retries {
    type Error = RetriesError;

    fn try_from(seconds: Vec<f64>) -> Result<Self, RetriesError> {
        if seconds.len() > MOST_RETRIES {
            return Err(RetriesError);
        }
        let pause = |seconds: &f64| Duration::try_from_secs_f64(*seconds).ok().filter(|pause| *pause <= LONGEST_PAUSE);
        seconds.iter().map(pause).collect::<Option<_>>().map(Self).ok_or(RetriesError)
    }
}

impl From<Retries> for Vec<f64> {
    fn from(Retries(pauses): Retries) -> Self {
        pauses.iter().map(Duration::as_secs_f64).collect()
    }
}

impl Retries {
    /// The pause after `failed` failures; `None` if no attempt is left.
    #[must_use]
    pub fn pause(&self, failed: u32) -> Option<Duration> {
        let Self(pauses) = self;
        pauses.get(usize::try_from(failed.checked_sub(1)?).ok()?).copied()
    }

    /// The pause after `probes` failed probes: as long as the retries' pauses, but at most `at_most`.
    #[must_use]
    pub fn probe(&self, probes: u32, at_most: Duration) -> Duration {
        let Self(pauses) = self;
        let probes = usize::try_from(probes).unwrap_or(usize::MAX);
        let pause = pauses.get(probes).or(pauses.last()).copied();
        pause.unwrap_or(Duration::from_secs(5)).min(at_most)
    }
}

/// Varies a pause by up to a tenth; `random` is from 0 to 1.
#[must_use]
pub(super) fn spread(pause: Duration, random: f64) -> Duration {
    pause.mul_f64(1.0 - SPREAD + 2.0 * SPREAD * random.clamp(0.0, 1.0))
}

/// The pause that a receiver asks for with `Retry-After`, in seconds or as a date; at most [`LONGEST_PAUSE`].
#[must_use]
pub(super) fn retry_after(value: &str, now: jiff::Timestamp) -> Option<Duration> {
    let value = value.trim();
    let asked = match value.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
            // A date in the past asks for no pause.
            Duration::try_from(date.duration_since(now)).unwrap_or_default()
        }
    };
    Some(asked.min(LONGEST_PAUSE))
}

/// The time in milliseconds since 1970.
pub(super) fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// A duration in milliseconds.
pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_makes_eight_attempts_within_28_hours() {
        let retries = Retries::default();
        let pauses: Vec<_> = (1..).map_while(|failed| retries.pause(failed)).collect();
        assert_eq!(pauses.len(), 7);
        assert_eq!(pauses[..3], [5, 300, 1_800].map(Duration::from_secs));
        assert_eq!(pauses.iter().sum::<Duration>(), Duration::from_secs(99_305));
        assert_eq!(retries.pause(0), None);
    }

    #[test]
    fn pauses_are_seconds_with_an_upper_limit() {
        let read = |text: &str| serde_json::from_str::<Retries>(text);
        assert_eq!(read("[0, 0.25, 86400]").unwrap().pause(2), Some(Duration::from_millis(250)));
        assert_eq!(read("[]").unwrap().pause(1), None);
        for wrong in ["[-1]", "[86401]", "[1e300]", "[null]", "5", &format!("{:?}", [1; 21])] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        let written = serde_json::to_string(&Retries::default()).unwrap();
        assert_eq!(read(&written).unwrap(), Retries::default());
    }

    #[test]
    fn a_pause_varies_by_at_most_a_tenth() {
        let pause = Duration::from_secs(100);
        assert_eq!(spread(pause, 0.0), Duration::from_secs(90));
        assert_eq!(spread(pause, 0.5), pause);
        assert_eq!(spread(pause, 7.0), Duration::from_secs(110));
    }

    #[test]
    fn probes_follow_the_retries_but_never_wait_long() {
        let minute = Duration::from_secs(60);
        let probe = |retries: &Retries, probes| retries.probe(probes, minute).as_secs();
        assert_eq!([0, 1, 2, 900].map(|probes| probe(&Retries::default(), probes)), [5, 60, 60, 60]);
        assert_eq!(probe(&Retries(Vec::new()), 3), 5);
        assert_eq!(probe(&Retries(vec![Duration::ZERO]), 3), 0);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_bounded() {
        let now: jiff::Timestamp = "2015-10-21T07:27:00Z".parse().unwrap();
        let asked = |value| retry_after(value, now);
        assert_eq!(asked(" 120 "), Some(Duration::from_secs(120)));
        assert_eq!(asked("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(asked("Wed, 21 Oct 2015 07:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(asked("99999999999"), Some(LONGEST_PAUSE));
        assert_eq!(asked("Wed, 21 Oct 2099 07:28:00 GMT"), Some(LONGEST_PAUSE));
        for wrong in ["", "soon", "-5", "1.5", "99999999999999999999999"] {
            assert_eq!(asked(wrong), None, "{wrong}");
        }
    }
}
