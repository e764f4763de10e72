//! Simulated consumers inside the platform: they open conversations and speak at a rate, without sockets.

use serde::{Deserialize, Serialize};

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
}

impl Default for TrafficSpec {
    fn default() -> Self {
        Self { conversations: 100, messages: 10, rate: 50.0, skill: "-1".to_owned(), text_bytes: 80 }
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

    fn speak(&mut self, account: &Account, count: u64, now: Millis) {
        let mut hub = account.hub();
        for _ in 0..count {
            let place = (self.turns % self.spec.conversations) as usize;
            if place >= self.opened.len() {
                let consumer = ConsumerId::new(format!("traffic-{}-{place}", self.number));
                let new = NewConversation {
                    skill: Some(self.spec.skill.clone()),
                    traffic: Some(self.number),
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
            if let Err(refusal) = hub.platform.say(self.opened[place].as_str(), &text, now) {
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
