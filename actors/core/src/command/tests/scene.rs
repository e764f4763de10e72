//! Conversations to ask something of, and what comes of it.

use serde_json::{Value, json};

use crate::{
    command::{Command, CommandError, Identity, Limits, Plan, PlannedRequest},
    conversation::{Conversation, HistoryStart},
    id::{AccountId, AgentId, CommandKey, ConversationId, UserId},
    ums::Dialect,
};

pub(super) const MAIN: &str = "3f6c1a52";
pub(super) const SURVEY: &str = "5Yn6I7hp";
pub(super) const COBROWSE: &str = "0c0b0a09";
pub(super) const CONSUMER: &str = "7f3c9a52aa";
pub(super) const ME: Agent = ("12345678.1", "0a000000-0000-5000-8000-000000000001");
pub(super) const ANNA: Agent = ("12345678.2", "0a000000-0000-5000-8000-000000000002");
pub(super) const BEN: Agent = ("12345678.3", "0a000000-0000-5000-8000-000000000003");

/// An agent's id and public id.
pub(super) type Agent = (&'static str, &'static str);

pub(super) fn agent() -> Identity {
    Identity::Brand {
        account: AccountId::from("12345678"),
        agent_id: AgentId::from(ME.0),
        user_id: UserId::from(ME.1),
        name: Some("Bot".to_owned()),
    }
}

pub(super) fn consumer() -> Identity {
    Identity::Consumer { account: AccountId::from("12345678"), user_id: UserId::from(CONSUMER) }
}

/// A conversation as an agent's socket tells of it.
#[derive(Clone)]
pub(super) struct Scene {
    time: i64,
    stage: &'static str,
    consumer: Option<&'static str>,
    agents: Vec<(&'static str, Agent, &'static str)>,
    dialogs: Vec<Value>,
    pub(super) details: Value,
}

impl Scene {
    /// Open, with a consumer and nobody else.
    pub(super) fn open() -> Self {
        let scene = Self {
            time: 1_000,
            stage: "OPEN",
            consumer: Some(CONSUMER),
            agents: Vec::new(),
            dialogs: Vec::new(),
            details: json!({ "skillId": "100" }),
        };
        scene.dialog(MAIN, "MAIN", "MESSAGING", "OPEN")
    }

    /// MAIN has ended and the survey goes on.
    pub(super) fn survey() -> Self {
        let scene = Self { dialogs: Vec::new(), ..Self::open() };
        scene.dialog(SURVEY, "POST_SURVEY", "MESSAGING", "OPEN").dialog(MAIN, "MAIN", "MESSAGING", "CLOSE")
    }

    pub(super) fn closed() -> Self {
        let scene = Self { dialogs: Vec::new(), stage: "CLOSE", ..Self::open() };
        scene.dialog(MAIN, "MAIN", "MESSAGING", "CLOSE")
    }

    pub(super) fn dialog(mut self, id: &str, kind: &str, channel: &str, state: &str) -> Self {
        let started = self.time + i64::try_from(self.dialogs.len()).unwrap();
        self.dialogs.push(json!({ "dialogId": id, "dialogType": kind, "channelType": channel, "state": state,
            "creationTs": started, "metaDataLastUpdateTs": self.time }));
        self
    }

    pub(super) fn with(mut self, role: &'static str, agent: Agent) -> Self {
        self.agents.push((role, agent, "ACTIVE"));
        self
    }

    pub(super) fn suggested(mut self, agent: Agent) -> Self {
        self.agents.push(("ASSIGNED_AGENT", agent, "SUGGESTED"));
        self
    }

    pub(super) fn consumer_is(self, consumer: Option<&'static str>) -> Self {
        Self { consumer, ..self }
    }

    pub(super) fn stage(self, stage: &'static str) -> Self {
        Self { stage, ..self }
    }

    pub(super) fn member(mut self, name: &str, value: Value) -> Self {
        self.details[name] = value;
        self
    }

    /// The same, told later.
    pub(super) fn later(self) -> Self {
        self.later_by(1_000)
    }

    /// The same scene that many milliseconds later.
    pub(super) fn later_by(self, millis: i64) -> Self {
        let time = self.time + millis;
        let dialogs = self.dialogs.into_iter().map(|mut dialog| {
            dialog["metaDataLastUpdateTs"] = time.into();
            dialog
        });
        Self { time, dialogs: dialogs.collect(), ..self }
    }

    fn state(&self) -> String {
        let mut details = self.details.clone();
        let (mut by_agent_id, mut by_user_id, mut in_dialog) = (json!({}), json!({}), Vec::new());
        let consumer = self.consumer.map(|consumer| ("CONSUMER", (consumer, consumer), "ACTIVE"));
        for (role, (agent_id, user_id), state) in consumer.into_iter().chain(self.agents.iter().copied()) {
            in_dialog.push(json!({ "id": agent_id, "role": role, "state": state }));
            for (map, id) in [(&mut by_agent_id, agent_id), (&mut by_user_id, user_id)] {
                let mut ids = map[role].as_array().cloned().unwrap_or_default();
                ids.push(id.into());
                map[role] = ids.into();
            }
        }
        let dialogs = self.dialogs.iter().cloned().map(|mut dialog| {
            dialog["participantsDetails"] = in_dialog.clone().into();
            dialog
        });
        details["dialogs"] = dialogs.collect();
        details["participants"] = by_agent_id;
        details["participantsPId"] = by_user_id;
        details["brandId"] = "12345678".into();
        details["stage"] = self.stage.into();
        details["state"] = self.stage.into();
        details["startTs"] = 1_000.into();
        details["metaDataLastUpdateTs"] = self.time.into();
        json!({ "convId": MAIN, "conversationDetails": details }).to_string()
    }

    pub(super) fn conversation(&self) -> Conversation {
        let mut conversation = Conversation::new(ConversationId::from(MAIN), Dialect::Brand, HistoryStart::Beginning);
        self.tell(&mut conversation);
        conversation
    }

    /// Lets the conversation know of this state.
    pub(super) fn tell(&self, conversation: &mut Conversation) {
        conversation.receive_state(&self.state()).unwrap();
    }

    pub(super) fn asked(&self, command: &Command, by: &Identity) -> Result<Plan, CommandError> {
        asked_of(&self.conversation(), command, by)
    }

    pub(super) fn planned(&self, command: &Command, by: &Identity) -> PlannedRequest {
        planned_of(&self.conversation(), command, by)
    }

    /// The body of what is sent.
    pub(super) fn body(&self, command: &Command, by: &Identity) -> Value {
        serde_json::to_value(self.planned(command, by).request).unwrap()
    }

    /// The changes of the conversation's fields that are sent.
    pub(super) fn changes(&self, command: &Command, by: &Identity) -> Value {
        let mut body = self.body(command, by);
        assert_eq!(body["conversationId"], MAIN);
        body["conversationField"].take()
    }

    /// The word for the refusal.
    pub(super) fn refusal(&self, command: &Command, by: &Identity) -> &'static str {
        let error = self.asked(command, by).unwrap_err();
        assert_eq!(error.conversation, ConversationId::from(MAIN));
        error.code()
    }
}

pub(super) fn asked_of(conversation: &Conversation, command: &Command, by: &Identity) -> Result<Plan, CommandError> {
    command.requests(conversation, by, &CommandKey::from("key-1"), &Limits::default())
}

pub(super) fn planned_of(conversation: &Conversation, command: &Command, by: &Identity) -> PlannedRequest {
    match asked_of(conversation, command, by).unwrap() {
        Plan::Request(planned) => *planned,
        Plan::Nothing => panic!("nothing is sent for {command:?}"),
    }
}
