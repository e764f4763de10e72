//! The rules of a conversation, one test each, and how their states and records are written down.

mod arrivals;
mod dialogs;
mod first_state;
mod hostile_input;
mod ill_typed;
mod local_end;
mod members;
mod message_order;
mod messages;
mod permutations;
mod sections;
mod states;
mod transfers;
mod updates;

use serde_json::{Map, Value, json};

use super::{Conversation, ConversationEvent, HistoryStart, Outcome, Participant, Reception, StateError};
use crate::{
    id::{ConversationId, DialogId},
    ums::{Dialect, MessageRecord, Person, Roster},
};

pub(super) const ID: &str = "3f6c1a52-8e0d-4b7e-9a41-5c2d7e8f9010";
const SURVEY: &str = "survey-1";
const ACCOUNT: &str = "12345678";

/// A conversation without a known state.
fn unseen(dialect: Dialect) -> Conversation {
    Conversation::new(ConversationId::from(ID), dialect, HistoryStart::Beginning)
}

/// A conversation that has received `state`.
fn seen(state: &State) -> Conversation {
    let mut conversation = unseen(state.dialect);
    let reception = conversation.receive_state(&state.text()).expect("a state");
    assert_eq!(reception.outcome, Outcome::Processed);
    conversation
}

/// The labels of the events that `state` causes in `conversation`.
fn told(conversation: &mut Conversation, state: &State) -> Vec<String> {
    labels(&conversation.receive_state(&state.text()).expect("a state"))
}

/// A state in short: people are words of kind and name, such as `C:carol A:anna S:sven`. Kinds are C consumer, A
/// assigned agent, S suggested as assigned agent, M manager, R reader, r suggested as reader.
#[derive(Clone)]
struct State {
    dialect: Dialect,
    people: String,
    dialogs: Vec<Value>,
    details: Map<String, Value>,
    top: Map<String, Value>,
}

fn state(dialect: Dialect, time: i64, people: &str) -> State {
    let details = json!({
        "skillId": "s1", "brandId": ACCOUNT, "stage": "OPEN", "state": "OPEN", "startTs": 1, "metaDataLastUpdateTs": time,
        "ttr": {"ttrType": "NORMAL", "value": 600},
    });
    let top = json!({"convId": ID, "effectiveTTR": -1});
    let main = json!({
        "dialogId": ID, "dialogType": "MAIN", "channelType": "MESSAGING", "state": "OPEN", "creationTs": 1,
        "metaDataLastUpdateTs": time, "metaData": {},
    });
    let [Value::Object(details), Value::Object(top)] = [details, top] else { unreachable!() };
    State { dialect, people: people.to_owned(), dialogs: vec![main], details, top }
}

impl State {
    /// Sets a member of the details.
    fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.details.insert(member.to_owned(), value.into());
        self
    }

    fn without(mut self, member: &str) -> Self {
        self.details.remove(member);
        self
    }

    /// Sets a member outside the details.
    fn with_top(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.top.insert(member.to_owned(), value.into());
        self
    }

    /// Sets a member of the MAIN dialog.
    fn with_main(mut self, member: &str, value: impl Into<Value>) -> Self {
        let main = self.dialogs.iter_mut().find(|dialog| dialog["dialogId"] == ID).expect("a MAIN dialog");
        main[member] = value.into();
        self
    }

    /// Inserts a dialog before the others, with the same participants unless it has its own.
    fn with_dialog(mut self, dialog: Value) -> Self {
        self.dialogs.insert(0, dialog);
        self
    }

    fn with_survey(self, status: &str) -> Self {
        let survey = json!({"dialogId": SURVEY, "dialogType": "POST_SURVEY", "channelType": "MESSAGING", "state": status,
            "creationTs": 50, "metaDataLastUpdateTs": 50, "participantsDetails": details("C:carol", self.dialect)});
        self.with_dialog(survey)
    }

    fn value(&self) -> Value {
        let mut all = self.details.clone();
        let (participants, public) = Roster::write(people(&self.people), self.dialect);
        all.entry("participants").or_insert(json!(participants));
        if let Some(public) = public {
            all.entry("participantsPId").or_insert(json!(public));
        }
        let mut dialogs = self.dialogs.clone();
        for dialog in &mut dialogs {
            let listed = dialog.as_object_mut().expect("an object").entry("participantsDetails");
            listed.or_insert_with(|| details(&self.people, self.dialect));
        }
        all.insert("dialogs".to_owned(), dialogs.into());
        let mut top = self.top.clone();
        top.insert("conversationDetails".to_owned(), all.into());
        top.into()
    }

    fn text(&self) -> String {
        self.value().to_string()
    }
}

fn words(people: &str) -> impl Iterator<Item = (&'static str, &'static str, String)> + '_ {
    people.split_whitespace().map(|word| {
        let (kind, name) = word.split_once(':').expect("a kind and a name");
        let (role, status) = match kind {
            "C" => ("CONSUMER", "ACTIVE"),
            "A" => ("ASSIGNED_AGENT", "ACTIVE"),
            "S" => ("ASSIGNED_AGENT", "SUGGESTED"),
            "M" => ("MANAGER", "ACTIVE"),
            "R" => ("READER", "ACTIVE"),
            "r" => ("READER", "SUGGESTED"),
            _ => unreachable!("no such kind"),
        };
        (role, status, name.to_owned())
    })
}

fn agent_id(name: &str) -> String {
    format!("{ACCOUNT}.{name}")
}

fn people(people: &str) -> Vec<Person<'static>> {
    let person = |(role, _, name): (&str, &str, String)| Person {
        role: role.into(),
        agent_id: (role != "CONSUMER").then(|| agent_id(&name).into()),
        user_id: name.into(),
    };
    words(people).map(person).collect()
}

fn details(people: &str, dialect: Dialect) -> Value {
    let participant = |(role, status, name): (&str, &str, String)| {
        let is_agent_id = dialect == Dialect::Brand && role != "CONSUMER";
        json!({"id": if is_agent_id { agent_id(&name) } else { name }, "role": role, "state": status})
    };
    words(people).map(participant).collect()
}

/// The events of a reception in short, as `name(who, …)`.
fn labels(reception: &Reception) -> Vec<String> {
    reception.events.iter().map(label).collect()
}

fn label(event: &ConversationEvent) -> String {
    let who = |participant: &Participant| participant.user_id.to_string();
    let inside = match event {
        ConversationEvent::Message(message) => format!("{}", message.sequence),
        ConversationEvent::MessageDelivery(delivery) => format!("{} {:?}", delivery.status, delivery.sequences),
        ConversationEvent::Gap { from, to, .. } => format!("{from}..={to}"),
        ConversationEvent::Dialog { dialog_id, .. } | ConversationEvent::DialogClose { dialog_id, .. } => {
            if *dialog_id == *ID { "main".to_owned() } else { dialog_id.to_string() }
        }
        ConversationEvent::ParticipantAdded { participant, context, .. } => {
            format!("{}, {}", who(participant), context.previously_suggested)
        }
        ConversationEvent::ParticipantRemoved { participant, .. }
        | ConversationEvent::ParticipantSuggested { participant, .. }
        | ConversationEvent::ParticipantSuggestedRemoved { participant, .. }
        | ConversationEvent::TransferAgent { participant, .. } => who(participant),
        ConversationEvent::ParticipantRoleChange { participant, previous_role, .. } => {
            format!("{}, {} -> {}", who(participant), previous_role.as_str(), participant.role.as_str())
        }
        ConversationEvent::ConsumerStepUp { previous, participant, .. } => {
            format!("{} -> {}", who(previous), who(participant))
        }
        ConversationEvent::SkillChange { prev_skill_id, new_skill_id } => {
            let [old, new] = [prev_skill_id, new_skill_id].map(|id| id.as_ref().map_or("none", |id| id.as_str()));
            format!("{old} -> {new}")
        }
        ConversationEvent::GroupChange { prev_group_id, new_group_id } => {
            let [old, new] = [prev_group_id, new_group_id].map(|id| id.as_deref().unwrap_or("none"));
            format!("{old} -> {new}")
        }
        ConversationEvent::TransferSkill { skill_id, .. } => skill_id.to_string(),
        ConversationEvent::Update { changed } => {
            let changed: Map<String, Value> = serde_json::from_str(changed.get()).expect("an object");
            let told = changed.keys().filter(|name| !["updateTime", "notificationCount"].contains(&name.as_str()));
            told.map(String::as_str).collect::<Vec<_>>().join(" ")
        }
        _ => return event.name().to_owned(),
    };
    format!("{}({inside})", event.name())
}

fn main_id() -> DialogId {
    DialogId::from(ID)
}

/// A record of content in MAIN.
fn content(sequence: u64) -> Value {
    json!({
        "sequence": sequence, "originatorId": "carol", "originatorMetadata": {"id": "carol", "role": "CONSUMER"},
        "serverTimestamp": 1000 + sequence, "dialogId": ID, "conversationId": ID, "messageAudience": "ALL",
        "event": {"type": "ContentEvent", "message": format!("text {sequence}"), "contentType": "text/plain"},
    })
}

fn receive(conversation: &mut Conversation, record: &Value) -> Reception {
    let text = record.to_string();
    let record: MessageRecord<'_> = serde_json::from_str(&text).expect("a record");
    conversation.receive_record(&record, None)
}
