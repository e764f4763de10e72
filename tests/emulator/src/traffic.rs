//! Simulated consumers inside the platform: they open conversations and speak at a rate, without sockets.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::account::{Account, lock};
use crate::platform::{ConsumerId, ConversationId, Millis, NewConversation};

/// Messages one run may send while the platform is locked, so that sockets get their turn.
const BATCH: u64 = 64;

/// What simulated consumers do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TrafficSpec {
    /// Conversations to open.
    pub conversations: u64,
    /// Messages in each. With none, consumers open conversations and say nothing.
    pub messages: u64,
    /// Messages per second in all, or openings where nothing is said; 0 or less means as fast as possible.
    pub rate: f64,
    /// Skill asked for.
    pub skill: String,
    /// Characters of each message, at least as many as its number needs.
    pub text_bytes: usize,
    /// How many seconds ago the conversations were last updated, the latest of them.
    pub backdate_seconds: f64,
    /// Over how many seconds the conversations' update times are spread, up to the latest. With 0 they are as they come.
    pub spread_seconds: f64,
    /// The profile of each consumer, in the form of `SetUserProfile`, if they have one.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub profile: Value,
}

/// The longest time that traffic goes back: four hundred days.
const LONGEST_PAST: f64 = 400.0 * 24.0 * 3_600.0;

impl TrafficSpec {
    /// What is wrong with the specification.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if self.conversations == 0 {
            return Err("conversations must be at least 1");
        }
        let past = |seconds: f64| (0.0..=LONGEST_PAST).contains(&seconds);
        if !past(self.backdate_seconds) || !past(self.spread_seconds) {
            return Err("backdateSeconds and spreadSeconds must be from 0 to 34560000");
        }
        if !self.profile.is_null() && !self.profile.is_object() {
            return Err("profile must be an object");
        }
        Ok(())
    }
}

impl Default for TrafficSpec {
    fn default() -> Self {
        Self {
            conversations: 100,
            messages: 10,
            rate: 50.0,
            skill: "-1".to_owned(),
            text_bytes: 80,
            backdate_seconds: 0.0,
            spread_seconds: 0.0,
            profile: Value::Null,
        }
    }
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrafficProgress {
    /// Conversations opened.
    pub opened: u64,
    /// Messages sent.
    pub sent: u64,
    /// Content events of agents in these conversations.
    pub answered: u64,
    /// Whether everything has been sent.
    pub done: bool,
}

#[derive(Debug)]
struct Run {
    number: u32,
    spec: TrafficSpec,
    started: Millis,
    opened: Vec<ConversationId>,
    /// Turns that were taken. Consumers take them in order: the first opens the conversation, and in each they say a
    /// message, if they say any.
    turns: u64,
}

/// All runs of one emulator.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    runs: Vec<Run>,
}

impl Traffic {
    /// Starts a run; its id.
    pub(crate) fn start(&mut self, spec: TrafficSpec, now: Millis) -> String {
        let number = self.runs.len() as u32 + 1;
        self.runs.push(Run { number, spec, started: now, opened: Vec::new(), turns: 0 });
        format!("t{number}")
    }

    pub(crate) fn progress(&self, id: &str, account: &Account) -> Option<TrafficProgress> {
        let number: u32 = id.strip_prefix('t')?.parse().ok()?;
        let run = self.runs.iter().find(|run| run.number == number)?;
        Some(TrafficProgress {
            opened: run.opened.len() as u64,
            sent: if run.spec.messages == 0 { 0 } else { run.turns },
            answered: account.hub().platform.traffic_answers(number),
            done: run.remaining() == 0,
        })
    }
}

impl Run {
    fn remaining(&self) -> u64 {
        self.spec.conversations.saturating_mul(self.spec.messages.max(1)).saturating_sub(self.turns)
    }

    /// Turns that should have been by now and have not.
    fn due(&self, now: Millis) -> u64 {
        if self.spec.rate <= 0.0 {
            return self.remaining();
        }
        let owed = (now.saturating_sub(self.started)) as f64 * self.spec.rate / 1_000.0;
        (owed as u64).saturating_sub(self.turns).min(self.remaining())
    }

    /// Returns when a conversation was opened (`said` is 0), or when its message number `said` was said. With a spread,
    /// each conversation has an equal part of the time, and its messages divide that part.
    fn time_of(&self, place: usize, said: u64, now: Millis) -> Millis {
        let TrafficSpec { conversations, messages, backdate_seconds, spread_seconds, .. } = self.spec;
        let millis = |seconds: f64| (seconds * 1_000.0) as Millis;
        if spread_seconds <= 0.0 {
            return now.saturating_sub(millis(backdate_seconds));
        }
        let parts = place as f64 + said as f64 / messages.max(1) as f64;
        let ahead = spread_seconds * parts / conversations as f64;
        let before = backdate_seconds + (spread_seconds - ahead).max(0.0);
        self.started.saturating_sub(millis(before))
    }

    fn speak(&mut self, account: &Account, count: u64, now: Millis) {
        let mut hub = account.hub();
        for _ in 0..count {
            let place = (self.turns % self.spec.conversations) as usize;
            if place >= self.opened.len() {
                let consumer = ConsumerId::new(format!("traffic-{}-{place}", self.number));
                if self.spec.profile.is_object() {
                    hub.platform.give_profile(&consumer, self.spec.profile.clone());
                }
                let new = NewConversation {
                    skill: Some(self.spec.skill.clone()),
                    traffic: Some(self.number),
                    opened: Some(self.time_of(place, 0, now)),
                    ..NewConversation::default()
                };
                self.opened.push(hub.platform.open_conversation(&consumer, new, now));
            }
            let turn = self.turns / self.spec.conversations;
            self.turns += 1;
            if self.spec.messages == 0 {
                continue;
            }
            let text = format!("{:<1$}", format!("message {turn}"), self.spec.text_bytes);
            // A conversation that was closed meanwhile takes no more messages; the count goes on all the same.
            let time = self.time_of(place, turn + 1, now);
            if let Err(refusal) = hub.platform.say(self.opened[place].as_str(), &text, time, now) {
                tracing::debug!(conversation = %self.opened[place], text = refusal.text, "traffic refused");
            }
        }
        hub.flush();
    }
}

/// Lets every run send what it owes, in batches, for one turn of the clock.
pub(crate) fn tick(account: &Account, now: Millis) {
    let mut traffic = lock(&account.traffic);
    for run in &mut traffic.runs {
        let mut due = run.due(now).min(BATCH * 32);
        while due > 0 {
            let batch = due.min(BATCH);
            run.speak(account, batch, now);
            due -= batch;
        }
    }
}
