//! New conversations, opened by a consumer, by an agent, or by a simulated consumer (protocol
//! [§5.3](crate::protocol#53)).

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::Platform;
use super::answer::{Answer, Refusal};
use super::conversation::{Conversation, Dialog, Participant};
use super::interactions::Past;
use super::names::{ConsumerId, ConversationId, DialogType, Millis, Party, Role, SkillId, State};
use super::sessions::Caller;
use super::ttr::Ttr;
use crate::dialect::{Request, text_of};

/// What a new conversation is to be.
#[derive(Debug, Default)]
pub(crate) struct NewConversation {
    pub(crate) skill: Option<String>,
    pub(crate) ttr: Option<String>,
    pub(crate) context: Option<Value>,
    pub(crate) campaign: Option<Box<RawValue>>,
    /// The application through which the consumer asked.
    pub(crate) app: Option<Arc<str>>,
    pub(crate) traffic: Option<u32>,
    /// When it was opened, if earlier than now.
    pub(crate) opened: Option<Millis>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct CreationBody {
    skill_id: Value,
    ttr_def_name: Option<String>,
    conversation_context: Option<Value>,
    campaign_info: Option<Box<RawValue>>,
    channel_type: Option<String>,
    brand_id: Value,
    consumer_id: Option<String>,
}

impl Platform {
    pub(super) fn consumer_request_conversation(
        &mut self,
        caller: &Caller,
        request: &Request,
        now: Millis,
    ) -> Result<Answer, Refusal> {
        let Party::Consumer(consumer) = &caller.party else {
            return Err(Refusal::new(403, "Only a consumer may request a conversation"));
        };
        let consumer = consumer.clone();
        self.answer_creation(&consumer, request.body()?, caller, now)
    }

    pub(super) fn agent_request_conversation(
        &mut self,
        caller: &Caller,
        request: &Request,
        now: Millis,
    ) -> Result<Answer, Refusal> {
        if caller.party.is_consumer() {
            return Err(Refusal::new(403, "Only an agent may do this"));
        }
        let body: CreationBody = request.body()?;
        let consumer = body.consumer_id.clone().ok_or_else(|| Refusal::bad("consumerId is missing"))?;
        self.answer_creation(&ConsumerId::new(consumer), body, caller, now)
    }

    fn answer_creation(
        &mut self,
        consumer: &ConsumerId,
        body: CreationBody,
        caller: &Caller,
        now: Millis,
    ) -> Result<Answer, Refusal> {
        if body.channel_type.as_deref().is_some_and(|channel| channel != "MESSAGING") {
            return Err(Refusal::bad("Unknown channel type"));
        }
        if text_of(&body.brand_id).is_some_and(|brand| brand != self.settings.account) {
            return Err(Refusal::bad("Unknown brand"));
        }
        let mut context = body.conversation_context;
        if let Some(properties) = &caller.client_properties
            && let Value::Object(context) = context.get_or_insert_with(|| serde_json::json!({"type": "CustomContext"}))
        {
            let given = serde_json::from_str(properties.get()).unwrap_or(Value::Null);
            context.insert("clientProperties".to_owned(), given);
        }
        let new = NewConversation {
            skill: text_of(&body.skill_id),
            ttr: body.ttr_def_name,
            context,
            campaign: body.campaign_info.filter(|raw| raw.get() != "null"),
            app: caller.app.clone(),
            traffic: None,
            opened: None,
        };
        let id = self.open_conversation(consumer, new, now);
        Ok(Answer::body(&serde_json::json!({"conversationId": id})))
    }

    /// Opens a conversation and offers it to an agent.
    pub(crate) fn open_conversation(
        &mut self,
        consumer: &ConsumerId,
        new: NewConversation,
        now: Millis,
    ) -> ConversationId {
        let id = ConversationId::new(self.uuid());
        let opened = new.opened.unwrap_or(now).min(now);
        let context = new.context.unwrap_or_else(|| serde_json::json!({"type": "CustomContext"}));
        let known = self.directory.consumer_mut(consumer);
        let first = known.conversations.is_empty();
        known.conversations.insert(id.clone());
        let main = Dialog {
            id: id.main_dialog(),
            dialog_type: DialogType::Main,
            channel: "MESSAGING".to_owned(),
            state: State::Open,
            participants: vec![Participant {
                party: Party::Consumer(consumer.clone()),
                role: Role::Consumer,
                suggested: false,
            }],
            created: opened,
            updated: opened,
            ended: None,
            closed_by: None,
            closed_cause: None,
            meta_data: Value::Object(serde_json::Map::new()),
            records: Vec::new(),
            read_marks: Vec::new(),
        };
        let conversation = Conversation {
            id: id.clone(),
            skill: SkillId::new(new.skill.unwrap_or_else(|| "-1".to_owned())),
            state: State::Open,
            stage: State::Open,
            started: opened,
            ended: None,
            close_reason: None,
            updated: opened,
            ttr: Ttr::begin(new.ttr.as_deref(), self.settings.ttr, opened),
            csat: None,
            note: String::new(),
            topic: None,
            first,
            context: to_raw_value(&context).unwrap_or_else(|_| RawValue::NULL.to_owned()),
            campaign: new.campaign,
            app: new.app,
            group: None,
            handler: None,
            dialogs: vec![main],
            last_content: None,
            routing: None,
            rung: 0,
            followers: Vec::new(),
            traffic: new.traffic,
            past: Past::default(),
        };
        self.conversations.insert(id.clone(), conversation);
        self.changed(&id, now);
        self.offer(&id, now);
        id
    }
}
