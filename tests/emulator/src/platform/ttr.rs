//! Time to respond: which kind applies, since when somebody waits, and the deadline that follows
//! ([§6.1](crate::protocol#61), [§7.7](crate::protocol#77)).

use serde_json::Value;

use super::names::Millis;
use crate::config::TtrDefaults;
use crate::dialect::number_of;

/// The response deadline of one conversation.
#[derive(Debug, Clone)]
pub(crate) struct Ttr {
    /// `NORMAL`, `URGENT`, `PRIORITIZED`, `CUSTOM` or an unknown word.
    pub(crate) kind: String,
    /// Seconds.
    pub(crate) value: u64,
    /// Counting starts at `tillWhen` when it lies later than the waiting did.
    pub(crate) delay: Option<Value>,
    /// Overrides kind, value and delay.
    pub(crate) manual: Option<Millis>,
    waiting_since: Option<Millis>,
}

impl Ttr {
    /// A conversation that has just begun, with somebody waiting.
    pub(crate) fn begin(kind: Option<&str>, defaults: TtrDefaults, now: Millis) -> Self {
        let kind = kind.unwrap_or("PRIORITIZED").to_owned();
        let value = seconds(&kind, defaults).unwrap_or(defaults.prioritized);
        Self { kind, value, delay: None, manual: None, waiting_since: Some(now) }
    }

    /// A change asked for by `TTRField`; the value counts for CUSTOM only.
    pub(crate) fn change(&mut self, kind: &str, value: u64, defaults: TtrDefaults) {
        kind.clone_into(&mut self.kind);
        self.value = seconds(kind, defaults).unwrap_or(value);
    }

    pub(crate) fn consumer_spoke(&mut self, now: Millis) {
        self.waiting_since.get_or_insert(now);
    }

    /// The agent answered, or the conversation ended: nobody waits.
    pub(crate) fn answered(&mut self) {
        self.waiting_since = None;
        self.manual = None;
    }

    pub(crate) fn effective(&self) -> i64 {
        if let Some(manual) = self.manual {
            return manual as i64;
        }
        let Some(since) = self.waiting_since else { return -1 };
        let till = self.delay.as_ref().and_then(|delay| number_of(&delay["tillWhen"])).unwrap_or(0);
        // A caller may give any number of seconds.
        let seconds = i64::try_from(self.value).unwrap_or(i64::MAX);
        (since as i64).max(till).saturating_add(seconds.saturating_mul(1_000))
    }
}

fn seconds(kind: &str, defaults: TtrDefaults) -> Option<u64> {
    match kind {
        "NORMAL" => Some(defaults.normal),
        "PRIORITIZED" => Some(defaults.prioritized),
        "URGENT" => Some(defaults.urgent),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadline_counts_from_the_first_unanswered_message_and_is_minus_one_when_nobody_waits() {
        let mut ttr = Ttr::begin(Some("URGENT"), TtrDefaults::default(), 1_000);
        assert_eq!(ttr.effective(), 301_000);
        ttr.consumer_spoke(9_000);
        assert_eq!(ttr.effective(), 301_000);
        ttr.answered();
        assert_eq!(ttr.effective(), -1);
        ttr.consumer_spoke(10_000);
        assert_eq!(ttr.effective(), 310_000);
    }

    #[test]
    fn a_value_counts_for_the_custom_kind_only_and_a_manual_time_overrides_all() {
        let mut ttr = Ttr::begin(None, TtrDefaults::default(), 0);
        assert_eq!((ttr.kind.as_str(), ttr.value), ("PRIORITIZED", 600));
        ttr.change("NORMAL", 7, TtrDefaults::default());
        assert_eq!(ttr.value, 3_600);
        ttr.change("CUSTOM", 7, TtrDefaults::default());
        assert_eq!(ttr.effective(), 7_000);
        ttr.delay = Some(serde_json::json!({"type": "NIGHT", "tillWhen": 5_000}));
        assert_eq!(ttr.effective(), 12_000);
        ttr.change("CUSTOM", u64::MAX, TtrDefaults::default());
        assert_eq!(ttr.effective(), i64::MAX);
        ttr.manual = Some(99);
        assert_eq!(ttr.effective(), 99);
    }
}
