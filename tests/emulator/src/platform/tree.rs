//! The conversation tree of `ExConversationChangeNotification` in each dialect (protocol [§6.1](crate::protocol#61)).
//! Always complete: both participant maps carry the same keys, every dialog its `participantsDetails`, also in a
//! DELETE.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::conversation::{Conversation, Dialog, Participant};
use super::directory::Directory;
use super::names::{ConversationId, DialogId, DialogType, Millis, Party, Role, SkillId, State};
use super::record::{RecordBody, json as text};
use crate::dialect::Dialect;

const ROLES: [&str; 6] = ["CONSUMER", "ASSIGNED_AGENT", "AGENT", "MANAGER", "READER", "CONTROLLER"];

#[derive(Serialize)]
struct Member<'a> {
    id: &'a str,
    role: &'a Role,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DialogTree<'a> {
    dialog_id: &'a DialogId,
    participants_details: Vec<Member<'a>>,
    dialog_type: &'a DialogType,
    channel_type: &'a str,
    meta_data: &'a Value,
    state: &'a State,
    creation_ts: Millis,
    meta_data_last_update_ts: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_ts: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_cause: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Participants<'a> {
    Map(BTreeMap<&'a str, Vec<&'a str>>),
    List(Vec<Member<'a>>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Details<'a> {
    conv_id: &'a ConversationId,
    skill_id: &'a SkillId,
    brand_id: &'a str,
    participants: Participants<'a>,
    #[serde(rename = "participantsPId", skip_serializing_if = "Option::is_none")]
    participants_pid: Option<BTreeMap<&'a str, Vec<&'a str>>>,
    dialogs: Vec<DialogTree<'a>>,
    state: &'a State,
    stage: &'a State,
    start_ts: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_ts: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    close_reason: Option<&'static str>,
    meta_data_last_update_ts: Millis,
    first_conversation: bool,
    csat_rate: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    csat: Option<Value>,
    ttr: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay: Option<&'a Value>,
    #[serde(rename = "manualETTR", skip_serializing_if = "Option::is_none")]
    manual_ettr: Option<Millis>,
    note: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<&'a Value>,
    context: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    campaign_info: Option<&'a RawValue>,
    conversation_handler_details: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_inst_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_id: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tree<'a> {
    conv_id: &'a ConversationId,
    #[serde(rename = "effectiveTTR")]
    effective_ttr: i64,
    conversation_details: Details<'a>,
    #[serde(rename = "numberOfunreadMessages")]
    unread: BTreeMap<&'a str, u64>,
    last_update_time: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_content_event_notification: Option<RecordBody<'a>>,
}

/// What decides how a tree is written, besides the conversation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TreeStyle<'a> {
    pub(crate) account: &'a str,
    pub(crate) dialect: Dialect,
    pub(crate) suggested_in_maps: bool,
    /// The platform loses this member now and then (protocol [§9.4](crate::protocol#94)).
    pub(crate) omit_last_content: bool,
}

/// JSON text of a conversation as one change's `result`.
pub(crate) fn tree(conversation: &Conversation, directory: &Directory, style: TreeStyle<'_>) -> String {
    let v3 = style.dialect == Dialect::V3;
    let members = members(conversation, style);
    let details = Details {
        conv_id: &conversation.id,
        skill_id: &conversation.skill,
        brand_id: style.account,
        participants: if v3 {
            Participants::List(
                members
                    .iter()
                    .map(|p| Member { id: directory.public_id(&p.party), role: &p.role, state: None })
                    .collect(),
            )
        } else {
            Participants::Map(by_role(&members, |party| directory.old_id(party)))
        },
        participants_pid: (!v3).then(|| by_role(&members, |party| directory.public_id(party))),
        dialogs: conversation.dialogs.iter().rev().map(|dialog| dialog_tree(dialog, directory, style)).collect(),
        state: &conversation.state,
        stage: &conversation.stage,
        start_ts: conversation.started,
        end_ts: conversation.ended,
        close_reason: conversation.close_reason,
        meta_data_last_update_ts: conversation.updated,
        first_conversation: conversation.first,
        csat_rate: conversation.csat.as_ref().map_or(0, |csat| csat.rate),
        csat: conversation.csat.as_ref().map(
            |csat| json!({"csatRate": csat.rate, "csatResolutionConfirmation": csat.resolved, "status": csat.status}),
        ),
        ttr: json!({"ttrType": conversation.ttr.kind, "value": conversation.ttr.value}),
        delay: conversation.ttr.delay.as_ref(),
        manual_ettr: conversation.ttr.manual,
        note: &conversation.note,
        topic: conversation.topic.as_ref(),
        context: &conversation.context,
        campaign_info: conversation.campaign.as_deref(),
        conversation_handler_details: match &conversation.handler {
            Some((account, skill)) => json!({"accountId": account, "skillId": skill}),
            None => json!({"accountId": style.account, "skillId": conversation.skill}),
        },
        app_inst_id: conversation.app.as_deref(),
        // Not delivered to consumers (protocol §6.1).
        group_id: conversation.group.as_deref().filter(|_| !v3),
    };
    text(&Tree {
        conv_id: &conversation.id,
        effective_ttr: conversation.effective_ttr(),
        conversation_details: details,
        unread: unread(conversation, directory),
        last_update_time: conversation.updated,
        last_content_event_notification: conversation
            .last_content
            .as_ref()
            .filter(|record| !style.omit_last_content && (!v3 || record.visible_to_consumers()))
            .map(|record| record.body(directory, style.dialect)),
    })
}

/// Members of all dialogs, each party and role once.
fn members<'a>(conversation: &'a Conversation, style: TreeStyle<'_>) -> Vec<&'a Participant> {
    let mut members: Vec<&Participant> = Vec::new();
    for participant in conversation.dialogs.iter().flat_map(|dialog| &dialog.participants) {
        let hidden = participant.suggested && (!style.suggested_in_maps || style.dialect != Dialect::V21);
        let listed = members.iter().any(|known| known.party == participant.party && known.role == participant.role);
        if !hidden && !listed {
            members.push(participant);
        }
    }
    members
}

fn by_role<'a>(members: &[&'a Participant], id: impl Fn(&'a Party) -> &'a str) -> BTreeMap<&'a str, Vec<&'a str>> {
    let mut map: BTreeMap<&str, Vec<&str>> = ROLES.iter().map(|role| (*role, Vec::new())).collect();
    for member in members {
        map.entry(member.role.as_str()).or_default().push(id(&member.party));
    }
    map
}

fn dialog_tree<'a>(dialog: &'a Dialog, directory: &'a Directory, style: TreeStyle<'_>) -> DialogTree<'a> {
    let v3 = style.dialect == Dialect::V3;
    let announced = dialog.participants.iter().filter(|p| !p.suggested || style.dialect == Dialect::V21);
    DialogTree {
        dialog_id: &dialog.id,
        participants_details: announced
            .map(|p| Member {
                id: if v3 { directory.public_id(&p.party) } else { directory.old_id(&p.party) },
                role: &p.role,
                state: Some(if p.suggested { "SUGGESTED" } else { "ACTIVE" }),
            })
            .collect(),
        dialog_type: &dialog.dialog_type,
        channel_type: &dialog.channel,
        meta_data: &dialog.meta_data,
        state: &dialog.state,
        creation_ts: dialog.created,
        meta_data_last_update_ts: dialog.updated,
        end_ts: dialog.ended,
        closed_by: dialog.closed_by.as_deref(),
        closed_cause: dialog.closed_cause.as_deref(),
    }
}

fn unread<'a>(conversation: &'a Conversation, directory: &'a Directory) -> BTreeMap<&'a str, u64> {
    let mut counts = BTreeMap::new();
    for dialog in &conversation.dialogs {
        for participant in dialog.participants.iter().filter(|p| !p.suggested) {
            *counts.entry(directory.old_id(&participant.party)).or_default() += dialog.unread(&participant.party);
        }
    }
    counts
}
