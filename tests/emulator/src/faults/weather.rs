//! Refusals by seed: from time to time a rule stands for a moment, as on a platform in trouble.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::FaultMode;
use super::rule::{FaultRule, Outcome};
use crate::platform::Millis;

/// Requests with which a client brings its connection up to date. The client repeats them when they are refused.
const UPKEEP: [&str; 6] = [
    "SubscribeExConversations",
    "SubscribeRoutingTasks",
    "SetAgentState",
    "QueryMessages",
    "SubscribeMessagingEvents",
    "UpdateRingState",
];
/// Requests before a socket opens. They are never refused with 401: a client that never logged in would give up its
/// credentials.
const ENDPOINTS: [&str; 6] = ["discovery", "login", "refresh", "upgrade", "signup", "authenticate"];
/// Commands. They are never refused with 401 or 403: the client would report the command as failed.
const ACTIONS: [&str; 2] = ["PublishEvent", "UpdateConversationField"];

/// How often a rule begins, and how long it stands.
#[derive(Debug, Clone, Copy)]
struct Climate {
    every: (Millis, Millis),
    lasting: (Millis, Millis),
    hostile: bool,
}

const FLAKY: Climate = Climate { every: (4_000, 8_000), lasting: (200, 600), hostile: false };
const HOSTILE: Climate = Climate { every: (800, 2_400), lasting: (300, 1_200), hostile: true };

/// Decides when which request is refused, and how.
#[derive(Debug)]
pub(crate) struct Weather {
    climate: Option<Climate>,
    random: StdRng,
    next: Option<Millis>,
}

impl Weather {
    pub(crate) fn new(mode: FaultMode, seed: u64) -> Self {
        let climate = match mode {
            FaultMode::None => None,
            FaultMode::Flaky => Some(FLAKY),
            FaultMode::Hostile => Some(HOSTILE),
        };
        Self { climate, random: StdRng::seed_from_u64(seed), next: None }
    }

    /// The rule that begins now, if one does.
    pub(crate) fn turn(&mut self, now: Millis) -> Option<FaultRule> {
        let climate = self.climate?;
        let (least, most) = climate.every;
        let Some(next) = self.next else {
            self.next = Some(now + self.random.random_range(least..most));
            return None;
        };
        if now < next {
            return None;
        }
        self.next = Some(now + self.random.random_range(least..most));
        Some(self.rule(climate))
    }

    fn rule(&mut self, climate: Climate) -> FaultRule {
        let (least, most) = climate.lasting;
        let lasting = Duration::from_millis(self.random.random_range(least..most));
        let transient = [Outcome::Code(429), Outcome::Code(500), Outcome::Code(502), Outcome::Html(502)];
        let rule = match self.random.random_range(0..if climate.hostile { 6 } else { 2 }) {
            0 => FaultRule::new(self.one_of(&UPKEEP), self.one_of(&transient)).always(),
            1 => FaultRule::new(self.one_of(&ACTIONS), self.one_of(&transient[..3])).always(),
            2 => FaultRule::new(self.one_of(&ENDPOINTS), self.one_of(&transient)).always(),
            3 => FaultRule::new(self.one_of(&UPKEEP), self.one_of(&[Outcome::Code(401), Outcome::Code(403)])).times(2),
            4 => FaultRule::new(self.one_of(&UPKEEP), Outcome::Never).times(1),
            _ => FaultRule::new("PublishEvent", self.one_of(&transient[..3])).carried_out().times(5),
        };
        rule.lasting(lasting)
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.random.random_range(0..choices.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(mode: FaultMode, seed: u64) -> Vec<FaultRule> {
        let mut weather = Weather::new(mode, seed);
        (0..1_000_000).step_by(100).filter_map(|now| weather.turn(now)).collect()
    }

    #[test]
    fn the_same_seed_refuses_the_same_and_without_a_mode_nothing_is() {
        assert_eq!(rules(FaultMode::Hostile, 7), rules(FaultMode::Hostile, 7));
        assert_ne!(rules(FaultMode::Hostile, 7), rules(FaultMode::Hostile, 8));
        assert!(rules(FaultMode::None, 7).is_empty());
    }

    #[test]
    fn every_rule_is_one_that_can_be_given_and_ends_soon() {
        for rule in [rules(FaultMode::Hostile, 1), rules(FaultMode::Flaky, 1)].concat() {
            assert!(rule.check().is_ok() && rule.seconds.is_some_and(|seconds| seconds < 2.0), "{rule:?}");
        }
    }

    /// Every refusal of `flaky` passes when the request is repeated; `hostile` also sends no answer, 401 and 403.
    #[test]
    fn a_flaky_day_refuses_for_now_and_a_hostile_one_everything_that_a_client_needs() {
        let flaky = rules(FaultMode::Flaky, 1);
        assert!(flaky.iter().all(|rule| !rule.carried_out && rule.outcome != Outcome::Never));
        let hostile = rules(FaultMode::Hostile, 1);
        assert!(hostile.len() > 3 * flaky.len());
        for request in UPKEEP.iter().chain(&ENDPOINTS).chain(&ACTIONS) {
            assert!(hostile.iter().any(|rule| rule.request == *request), "{request}");
        }
        for outcome in [Outcome::Never, Outcome::Code(401), Outcome::Code(403), Outcome::Code(429), Outcome::Html(502)]
        {
            assert!(hostile.iter().any(|rule| rule.outcome == outcome), "{outcome:?}");
        }
        assert!(hostile.iter().any(|rule| rule.carried_out));
        let final_for_callers = |rule: &&FaultRule| {
            ACTIONS.contains(&rule.request.as_str()) && matches!(rule.outcome, Outcome::Code(401 | 403))
        };
        assert!(!hostile.iter().any(|rule| final_for_callers(&rule)));
    }
}
