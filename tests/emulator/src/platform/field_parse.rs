//! Reading `conversationField`: one or many changes, each checked for its own shape (protocol
//! [§5.7](crate::protocol#57)).

use serde_json::Value;

use super::answer::Refusal;
use super::conversation::Csat;
use super::directory::Directory;
use super::names::{ConsumerId, Party, Role, SkillId};
use crate::config::Limits;
use crate::dialect::{number_of, one_or_many, text_of};

/// What happens to a participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Add,
    Remove,
    Update,
    Suggest,
}

/// One change of a conversation.
#[derive(Debug)]
pub(super) enum Change {
    Participant {
        step: Step,
        party: Party,
        role: Role,
        dialog: Option<String>,
    },
    CloseState,
    CloseStage,
    CloseDialog {
        dialog: String,
        meta_data: Option<Value>,
        by: Option<String>,
        cause: Option<String>,
    },
    /// `DialogChange UPDATE` without a new state: attaches the request's metadata, or new metadata of its own.
    TouchDialog {
        dialog: String,
        meta_data: Option<Value>,
    },
    CreateDialog {
        dialog: Value,
    },
    Skill(SkillId),
    Ttr {
        kind: String,
        value: u64,
    },
    ManualEttr(u64),
    Note(String),
    Csat(Csat),
    Delay(Value),
    Topic(Value),
    Handler {
        account: String,
        skill: String,
    },
}

/// Reads all changes of a request; an empty list is fine (protocol [§5.7](crate::protocol#57)).
pub(super) fn changes(
    fields: Value,
    caller: &Party,
    directory: &Directory,
    limits: Limits,
) -> Result<Vec<Change>, Refusal> {
    one_or_many(fields).into_iter().map(|field| change(&field, caller, directory, limits)).collect()
}

fn change(field: &Value, caller: &Party, directory: &Directory, limits: Limits) -> Result<Change, Refusal> {
    let name = field["field"].as_str().ok_or_else(|| Refusal::bad("A conversation field has no name"))?;
    Ok(match name {
        "ParticipantsChange" => participant(field, caller, directory)?,
        "ConversationStateField" => closing(field, Change::CloseState)?,
        "Stage" => closing(field, Change::CloseStage)?,
        "DialogChange" => dialog(field)?,
        "Skill" => {
            let skill = text_of(&field["skill"]).or_else(|| text_of(&field["skillId"]));
            Change::Skill(SkillId::new(skill.ok_or_else(|| Refusal::bad("Skill is missing"))?))
        }
        "TTRField" => Change::Ttr {
            kind: field["ttrType"].as_str().ok_or_else(|| Refusal::bad("ttrType is missing"))?.to_owned(),
            value: non_negative(&field["value"])?.unwrap_or(0),
        },
        "ManualETTR" => {
            Change::ManualEttr(non_negative(&field["time"])?.ok_or_else(|| Refusal::bad("time is missing"))?)
        }
        "Note" => note(field, limits)?,
        "CSATRate" => csat(field)?,
        "DelayField" => Change::Delay(without_name(field)),
        "TopicField" => Change::Topic(field.get("topic").cloned().unwrap_or_else(|| without_name(field))),
        "ConversationHandler" => Change::Handler {
            account: text_of(&field["accountId"]).ok_or_else(|| Refusal::bad("accountId is missing"))?,
            skill: text_of(&field["skillId"]).unwrap_or_else(|| "-1".to_owned()),
        },
        other => return Err(Refusal::bad(format!("Unknown conversation field {other}"))),
    })
}

fn participant(field: &Value, caller: &Party, directory: &Directory) -> Result<Change, Refusal> {
    let role = Role::parse(field["role"].as_str().ok_or_else(|| Refusal::bad("role is missing"))?);
    let step = match field["type"].as_str() {
        Some("ADD") => Step::Add,
        Some("REMOVE") => Step::Remove,
        Some("UPDATE") => Step::Update,
        Some("SUGGEST") => Step::Suggest,
        _ => return Err(Refusal::bad("Unknown participants change")),
    };
    let party = match text_of(&field["userId"]).filter(|id| !id.is_empty()) {
        None => caller.clone(),
        Some(id) if role == Role::Consumer => Party::Consumer(ConsumerId::new(id)),
        Some(id) => Party::Agent(directory.agent_by_id(&id).ok_or_else(|| Refusal::bad("Unknown agent"))?),
    };
    if party.is_consumer() != (role == Role::Consumer) || (step == Step::Suggest && role != Role::AssignedAgent) {
        return Err(Refusal::bad("The role does not fit the participant"));
    }
    Ok(Change::Participant { step, party, role, dialog: text_of(&field["dialogId"]) })
}

fn closing(field: &Value, change: Change) -> Result<Change, Refusal> {
    match field["conversationState"].as_str() {
        Some("CLOSE") => Ok(change),
        _ => Err(Refusal::bad("A conversation can only be closed")),
    }
}

fn dialog(field: &Value) -> Result<Change, Refusal> {
    let dialog = &field["dialog"];
    if field["type"] == "CREATE" {
        return Ok(Change::CreateDialog { dialog: dialog.clone() });
    }
    let id = dialog["dialogId"].as_str().ok_or_else(|| Refusal::bad("dialogId is missing"))?.to_owned();
    match dialog["state"].as_str() {
        Some("CLOSE") => Ok(Change::CloseDialog {
            dialog: id,
            meta_data: dialog.get("metaData").cloned(),
            by: text_of(&dialog["closedBy"]),
            cause: text_of(&dialog["closedCause"]),
        }),
        None => Ok(Change::TouchDialog { dialog: id, meta_data: dialog.get("metaData").cloned() }),
        Some(_) => Err(Refusal::bad("A dialog can only be closed")),
    }
}

fn note(field: &Value, limits: Limits) -> Result<Change, Refusal> {
    let text = field["note"].as_str().ok_or_else(|| Refusal::bad("note is missing"))?;
    if text.chars().count() > limits.note {
        return Err(Refusal::bad(format!("Note is longer than {} characters", limits.note)));
    }
    Ok(Change::Note(text.to_owned()))
}

/// The rating comes as a number or as its text, 0 to 5 (protocol [§5.7](crate::protocol#57)).
fn csat(field: &Value) -> Result<Change, Refusal> {
    let rate = number_of(&field["csatRate"]).unwrap_or(0);
    if !(0..=5).contains(&rate) {
        return Err(Refusal::bad("csatRate must be between 0 and 5"));
    }
    Ok(Change::Csat(Csat {
        rate,
        resolved: field["csatResolutionConfirmation"].clone(),
        status: field["status"].as_str().unwrap_or("FILLED").to_owned(),
    }))
}

fn non_negative(value: &Value) -> Result<Option<u64>, Refusal> {
    match number_of(value) {
        None => Ok(None),
        Some(number) => u64::try_from(number).map(Some).map_err(|_| Refusal::bad("A time cannot be negative")),
    }
}

fn without_name(field: &Value) -> Value {
    let mut value = field.clone();
    if let Some(members) = value.as_object_mut() {
        members.remove("field");
    }
    value
}
