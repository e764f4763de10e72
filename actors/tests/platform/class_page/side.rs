//! One connection with its own event stream, so that what it receives does not depend on other connections.

use serde_json::Value;
use tertulia_actors::{
    connection::{Agents, ConnectionSettings, Rings},
    conversation::ConversationHandle,
    core::{
        conversation::{ConversationEvent, HistoryStart},
        id::{AgentId, ConnectionId, ConversationId, RingId},
        ums::ChatState,
    },
    intake::IntakeSettings,
    subscriber::{Event, EventStream, Filter},
};
use tertulia_emulator::EmulatorConfig;
use tokio::time::timeout;

use crate::stage::{PATIENCE, Stage, bot, consumer};

pub(crate) struct Side {
    pub(crate) id: ConnectionId,
    events: EventStream,
}

impl Side {
    /// Listens to a connection and nothing else.
    pub(crate) fn of(stage: &Stage, id: ConnectionId) -> Self {
        let events = stage.tertulia.events(Filter::everything().connection(id.as_str()));
        Self { id, events }
    }

    /// Connects, and waits until the connection is ready.
    pub(crate) async fn connect(stage: &Stage, settings: ConnectionSettings) -> Self {
        let side = Self::of(stage, settings.id.clone());
        stage.tertulia.connect(settings).unwrap();
        stage.tertulia.connection(&side.id).ready(PATIENCE).await.unwrap();
        side
    }

    /// The same for a connection without a socket.
    pub(crate) async fn intake(stage: &Stage, settings: IntakeSettings) -> Self {
        let side = Self::of(stage, settings.id.clone());
        stage.tertulia.connect_intake(settings).unwrap();
        stage.tertulia.connection(&side.id).ready(PATIENCE).await.unwrap();
        side
    }

    /// A consumer with a conversation of its own.
    pub(crate) async fn consumer(stage: &Stage, name: &str) -> (Self, ConversationHandle) {
        let side = Self::connect(stage, consumer(name)).await;
        let conversation = stage.tertulia.connection(&side.id).create_conversation(Default::default()).await.unwrap();
        (side, conversation)
    }

    /// A manager who looks on at the open conversations of the whole account.
    pub(crate) async fn manager(stage: &Stage) -> Self {
        let settings =
            ConnectionSettings { rings: Rings::Off, agents: Agents::All, history: HistoryStart::FirstSeen, ..bot(4) };
        Self::connect(stage, settings).await
    }

    async fn until(&mut self, what: &str, fits: impl Fn(&Event) -> bool) -> Value {
        let events = &mut self.events;
        let next = async {
            loop {
                let event = events.next().await.unwrap().unwrap();
                if fits(&event) {
                    return serde_json::to_value(&event.data).unwrap();
                }
            }
        };
        let heard = timeout(PATIENCE, next).await;
        heard.unwrap_or_else(|_| panic!("{} did not hear {what} in time", self.id))
    }

    /// The data of the next event of this name.
    pub(crate) async fn hears(&mut self, name: &str) -> Value {
        self.until(name, |event| event.data.name() == name).await
    }

    /// The new value of a member in the next update that has the member.
    pub(crate) async fn hears_update(&mut self, member: &str) -> Value {
        self.hears_change(member).await.1
    }

    /// The next update that has the member, and the member's new value.
    pub(crate) async fn hears_change(&mut self, member: &str) -> (Value, Value) {
        let changed = |event: &Event| match event.conversation_event() {
            Some(ConversationEvent::Update { changed }) => {
                serde_json::from_str::<Value>(changed.get()).unwrap().get(member).is_some()
            }
            _ => false,
        };
        let mut update = self.until("an update", changed).await;
        let changed = update["changed"].take();
        let value = changed[member].clone();
        (changed, value)
    }

    /// The conversation, after the platform has announced it on this connection.
    pub(crate) async fn meets(&mut self, stage: &Stage, id: &str) -> ConversationHandle {
        let id = ConversationId::from(id);
        let met = |event: &Event| event.data.name() == "conversation" && event.conversation.as_ref() == Some(&id);
        self.until("of the conversation", met).await;
        stage.tertulia.connection(&self.id).conversation(&id).unwrap()
    }

    /// The members once everything has arrived that the platform sent before. For a side that takes part.
    pub(crate) async fn settled(&mut self, conversation: &ConversationHandle) -> Value {
        conversation.set_chat_state(ChatState::Composing).await.unwrap();
        self.hears("chat-state").await;
        conversation.members().await.unwrap()
    }

    /// Takes or declines the next offer.
    pub(crate) async fn answers_ring(&mut self, stage: &Stage, accept: bool) {
        let ring = self.until("a ring", |event| {
            event.data.name() == "ring" && serde_json::to_value(&event.data).unwrap()["ringState"] == "WAITING"
        });
        let ring = RingId::from(ring.await["ringId"].as_str().unwrap());
        stage.tertulia.connection(&self.id).answer_ring(ring, accept).await.unwrap();
    }
}

/// A bot with a conversation of a simulated consumer.
pub(crate) async fn taken(config: EmulatorConfig) -> (Stage, Side, ConversationHandle) {
    let stage = Stage::set(config);
    let mut agent = Side::connect(&stage, bot(1)).await;
    let conversation = agent.meets(&stage, &stage.emulator.create_conversation(None, None)).await;
    (stage, agent, conversation)
}

/// Two agents, each for a skill of its own: the first one has a conversation of skill 501, the second answers its rings
/// by hand. And a manager who looks on.
pub(crate) struct Transfers {
    pub(crate) stage: Stage,
    pub(crate) conversation: ConversationHandle,
    pub(crate) second: Side,
    pub(crate) second_agent: AgentId,
    pub(crate) manager: Side,
}

pub(crate) async fn transfers() -> Transfers {
    let skills = [("bot1", "501"), ("bot2", "502")];
    let agent_skills = skills.map(|(login, skill)| (login.to_owned(), vec![skill.to_owned()])).to_vec();
    let stage = Stage::set(EmulatorConfig { agent_skills, ..EmulatorConfig::default() });
    let mut manager = Side::manager(&stage).await;
    let mut first = Side::connect(&stage, bot(1)).await;
    let mut second = Side::connect(&stage, ConnectionSettings { rings: Rings::Manual, ..bot(2) }).await;
    let known = stage.emulator.create_conversation(None, Some("502"));
    second.answers_ring(&stage, true).await;
    let members = second.meets(&stage, &known).await.members().await.unwrap();
    manager.hears("participant-added").await;
    let second_agent = AgentId::from(members["assignedAgent"]["agentId"].as_str().unwrap());
    let id = stage.emulator.create_conversation(None, Some("501"));
    let conversation = first.meets(&stage, &id).await;
    manager.meets(&stage, &id).await;
    manager.hears("participant-added").await;
    Transfers { stage, conversation, second, second_agent, manager }
}
