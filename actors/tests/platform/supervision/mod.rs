//! What a panic costs: the step that panicked, and nothing else.

mod arbiters;
mod commands;
mod connector;
mod kept;
mod notifications;
mod quarantine;
mod siblings;
mod systemic;

use std::{
    collections::HashMap,
    num::NonZeroUsize,
    sync::{Arc, Mutex},
    time::Duration,
};

use tertulia_actors::{
    Tertulia,
    connection::ConnectionSettings,
    conversation::{ConversationHandle, Drill},
    core::{id::ConversationId, session::Backoff},
    dead_letters::{DeadLetter, DeadLetterKind},
    supervision::{RestartPolicy, SupervisionSettings},
};
use tertulia_emulator::{Emulator, EmulatorConfig};

use crate::stage::{self, Stage, bot, platform};

const NOTIFICATIONS: [DeadLetterKind; 2] = [DeadLetterKind::State, DeadLetterKind::Records];

/// Conversations that must panic.
#[derive(Clone, Default)]
struct Trouble(Arc<Mutex<HashMap<ConversationId, Plan>>>);

struct Plan {
    on: Vec<DeadLetterKind>,
    every: usize,
    met: usize,
    /// How many more times it may panic.
    left: usize,
}

impl Trouble {
    fn drill(&self) -> Option<Drill> {
        let trouble = self.clone();
        Some(Drill::new(move |conversation, kind, _| {
            assert!(!trouble.is_due(conversation, kind), "told to panic on {kind:?}");
        }))
    }

    fn is_due(&self, conversation: &ConversationId, kind: DeadLetterKind) -> bool {
        let mut plans = self.0.lock().unwrap();
        let Some(plan) = plans.get_mut(conversation).filter(|plan| plan.on.contains(&kind)) else {
            return false;
        };
        plan.met += 1;
        let is_due = plan.left > 0 && plan.met.is_multiple_of(plan.every);
        plan.left -= usize::from(is_due);
        is_due
    }

    /// Makes a conversation panic on every `every`th of these inputs.
    fn every(&self, every: usize, conversation: &ConversationId, on: &[DeadLetterKind]) {
        let plan = Plan { on: on.to_vec(), every, met: 0, left: usize::MAX };
        self.0.lock().unwrap().insert(conversation.clone(), plan);
    }

    /// Makes a conversation panic on the next of these inputs.
    fn once(&self, conversation: &ConversationId, on: DeadLetterKind) {
        let plan = Plan { on: vec![on], every: 1, met: 0, left: 1 };
        self.0.lock().unwrap().insert(conversation.clone(), plan);
    }

    fn end(&self) {
        self.0.lock().unwrap().clear();
    }

    fn bot(&self, number: usize) -> ConnectionSettings {
        ConnectionSettings { drill: self.drill(), ..bot(number) }
    }
}

/// Restarts without a wait, as often as allowed in an hour.
fn restarts(max_restarts: u32) -> Arc<RestartPolicy> {
    let moment = Duration::from_millis(1);
    let backoff = Backoff { floor: Duration::ZERO, base: moment, max: moment };
    Arc::new(RestartPolicy { max_restarts, within: Duration::from_secs(3_600), backoff })
}

/// Conversations may restart this often, and no fault is systemic.
fn conversations_restart(max_restarts: u32) -> SupervisionSettings {
    let mut settings = SupervisionSettings { conversation: restarts(max_restarts), ..SupervisionSettings::default() };
    settings.systemic.failures = u32::MAX;
    settings
}

fn set(config: EmulatorConfig, supervision: SupervisionSettings, arbiters: usize) -> Stage {
    let emulator = Emulator::start(config).unwrap();
    let arbiters = NonZeroUsize::new(arbiters).unwrap();
    let builder = Tertulia::builder().platform(platform(&emulator)).arbiters(arbiters).supervision(supervision);
    let tertulia = builder.start().unwrap();
    Stage::of(emulator, tertulia)
}

async fn letters(stage: &Stage) -> Vec<DeadLetter> {
    stage.tertulia.dead_letters().list(None, usize::MAX).await.unwrap()
}

/// Waits until a member has this value.
async fn until_member(conversation: &ConversationHandle, member: &str, value: impl Into<serde_json::Value>) {
    let value = value.into();
    let reached = async {
        while conversation.members().await.unwrap()[member] != value {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(stage::PATIENCE, reached).await.expect("the member did not change in time");
}
