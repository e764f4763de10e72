//! The rules in force: which of them strikes a request, and how often each has.

use std::collections::{HashMap, VecDeque};

use super::Side;
use super::rule::{FaultRule, HowOften, Outcome, RuleCounts, RuleError, RuleId};
use crate::platform::Millis;

/// A request as rules see it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked<'a> {
    pub(crate) request: &'a str,
    pub(crate) side: Option<Side>,
    pub(crate) user: &'a str,
    /// Every conversation that the request names, by whatever id.
    pub(crate) conversations: Vec<String>,
    pub(crate) body: &'a str,
}

/// What a rule makes of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) outcome: Outcome,
    pub(crate) carried_out: bool,
}

/// The times of the last requests granted to one user under one name.
type Grants = HashMap<(String, String), VecDeque<Millis>>;

#[derive(Debug)]
struct Standing {
    id: RuleId,
    rule: FaultRule,
    until: Option<Millis>,
    grants: Grants,
    counts: RuleCounts,
}

/// Every rule that was given, in order; one that is over stays for its counts until it is lifted. Then those that a
/// fault mode has drawn: nobody lists them, and they go when they are over.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    standing: Vec<Standing>,
    drawn: Vec<Standing>,
    last: u32,
}

impl Rules {
    pub(crate) fn add(&mut self, rule: FaultRule, now: Millis) -> Result<RuleId, RuleError> {
        rule.check()?;
        self.last += 1;
        let until = rule.seconds.map(|seconds| now + (seconds * 1_000.0) as Millis);
        let id = RuleId(self.last);
        self.standing.push(Standing { id, rule, until, grants: Grants::new(), counts: RuleCounts::default() });
        Ok(id)
    }

    /// Lets a fault mode refuse something for a time.
    pub(crate) fn draw(&mut self, rule: FaultRule, now: Millis) {
        self.drawn.retain(|standing| standing.until.is_none_or(|until| now < until));
        let until = rule.seconds.map(|seconds| now + (seconds * 1_000.0) as Millis);
        self.drawn.push(Standing { id: RuleId(0), rule, until, grants: Grants::new(), counts: RuleCounts::default() });
    }

    /// Ends what a fault mode has drawn.
    pub(crate) fn forget_drawn(&mut self) {
        self.drawn.clear();
    }

    /// Ends a rule and forgets its counts; whether there was one.
    pub(crate) fn lift(&mut self, id: RuleId) -> bool {
        let before = self.standing.len();
        self.standing.retain(|standing| standing.id != id);
        self.standing.len() < before
    }

    pub(crate) fn clear(&mut self) {
        self.standing.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.standing.is_empty() && self.drawn.is_empty()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (RuleId, &FaultRule, RuleCounts)> {
        self.standing.iter().map(|standing| (standing.id, &standing.rule, standing.counts))
    }

    /// The first rule that strikes, if one does.
    pub(crate) fn decide(&mut self, asked: &Asked<'_>, now: Millis) -> Option<Verdict> {
        let all = self.standing.iter_mut().chain(&mut self.drawn);
        all.filter(|standing| standing.covers(asked, now)).find_map(|standing| {
            let strikes = standing.strikes(asked, now);
            let counts = &mut standing.counts;
            let count = if strikes { &mut counts.refused } else { &mut counts.granted };
            *count += 1;
            strikes.then_some(Verdict { outcome: standing.rule.outcome, carried_out: standing.rule.carried_out })
        })
    }
}

impl Standing {
    fn covers(&self, asked: &Asked<'_>, now: Millis) -> bool {
        let rule = &self.rule;
        self.until.is_none_or(|until| now < until)
            && (rule.request == "*" || rule.request == asked.request)
            && rule.side.is_none_or(|side| asked.side == Some(side))
            && rule.user.as_deref().is_none_or(|user| user == asked.user)
            && rule.conversation.as_ref().is_none_or(|conversation| asked.conversations.contains(conversation))
            && rule.containing.as_deref().is_none_or(|text| asked.body.contains(text))
    }

    fn strikes(&mut self, asked: &Asked<'_>, now: Millis) -> bool {
        match self.rule.often {
            HowOften::Always => true,
            HowOften::Times(times) => self.counts.refused < times,
            HowOften::AbovePerSecond(granted) => {
                let grants = self.grants.entry((asked.user.to_owned(), asked.request.to_owned())).or_default();
                while grants.front().is_some_and(|earliest| now >= earliest + 1_000) {
                    grants.pop_front();
                }
                let full = grants.len() >= granted as usize;
                if !full {
                    grants.push_back(now);
                }
                full
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn decide(rules: &mut Rules, request: &str, user: &str, now: Millis) -> Option<Outcome> {
        let asked = Asked { request, user, side: Some(Side::Brand), ..Asked::default() };
        rules.decide(&asked, now).map(|verdict| verdict.outcome)
    }

    #[test]
    fn a_rule_strikes_what_it_names_as_often_as_it_says_and_counts_what_it_let_pass() {
        let mut rules = Rules::default();
        let code = Outcome::Code(429);
        let id = rules.add(FaultRule::new("QueryMessages", code).user("bot1").times(2), 0).unwrap();
        assert_eq!(decide(&mut rules, "QueryMessages", "bot2", 0), None);
        assert_eq!(decide(&mut rules, "PublishEvent", "bot1", 0), None);
        let struck: Vec<_> = (0..3).map(|_| decide(&mut rules, "QueryMessages", "bot1", 0)).collect();
        assert_eq!(struck, [Some(code), Some(code), None]);
        assert_eq!(rules.all().next().unwrap().2, RuleCounts { granted: 1, refused: 2 });
        assert!(rules.lift(id) && !rules.lift(id) && rules.is_empty());
    }

    #[test]
    fn a_rate_is_granted_within_any_second_to_each_user_and_each_request_and_no_more() {
        let mut rules = Rules::default();
        rules.add(FaultRule::new("*", Outcome::Code(429)).above_per_second(2), 0).unwrap();
        let mut granted = |request, user, now| decide(&mut rules, request, user, now).is_none();
        assert!(granted("PublishEvent", "bot1", 0) && granted("PublishEvent", "bot1", 600));
        assert!(!granted("PublishEvent", "bot1", 999));
        assert!(granted("PublishEvent", "bot2", 999) && granted("QueryMessages", "bot1", 999));
        assert!(granted("PublishEvent", "bot1", 1_000), "the first is a second ago");
        assert!(!granted("PublishEvent", "bot1", 1_599));
    }

    #[test]
    fn a_rule_for_a_time_ends_with_it_and_the_first_rule_that_strikes_decides() {
        let mut rules = Rules::default();
        rules.add(FaultRule::new("*", Outcome::Never).lasting(Duration::from_secs(1)).always(), 500).unwrap();
        rules.add(FaultRule::new("login", Outcome::Code(401)).always(), 500).unwrap();
        assert_eq!(decide(&mut rules, "login", "bot1", 1_499), Some(Outcome::Never));
        assert_eq!(decide(&mut rules, "login", "bot1", 1_500), Some(Outcome::Code(401)));
        assert_eq!(decide(&mut rules, "refresh", "bot1", 1_500), None);
    }

    #[test]
    fn a_rule_for_a_request_that_nobody_knows_is_refused_with_the_names() {
        let error = Rules::default().add(FaultRule::new("QueryMesages", Outcome::Never), 0).unwrap_err();
        assert!(error.to_string().contains("QueryMesages") && error.to_string().contains("QueryMessages"), "{error}");
    }
}
