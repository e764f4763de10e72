//! One conversation as a history record.

use serde_json::{Map, Value, json};

use crate::platform::conversation::{Conversation, Dialog};
use crate::platform::names::{DialogType, EventType, Millis, Party, Role, SkillId, State};
use crate::platform::record::Record;
use crate::platform::{MAIN_GROUP, MAIN_GROUP_NAME, Platform, date_time, skill_name};

/// Why an agent or a consumer closed something.
const BY_HAND: &str = "MANUAL_CLOSE";

impl Platform {
    /// `info`, and those of the other members that are wanted.
    pub(super) fn history_record(&self, conversation: &Conversation, content: &[String], now: Millis) -> Value {
        let mut record = Map::new();
        record.insert("info".to_owned(), self.info(conversation, now));
        for name in content {
            if let Some(value) = self.member(conversation, name) {
                record.insert(name.clone(), value);
            }
        }
        record.into()
    }

    fn member(&self, conversation: &Conversation, name: &str) -> Option<Value> {
        let stays = &conversation.past.stays;
        Some(match name {
            "campaign" => campaign(conversation),
            "messageRecords" => self.messages(conversation),
            "messageStatuses" => self.statuses(conversation),
            "agentParticipants" => stays.iter().map(|stay| self.agent_participant(stay, stay.joined)).collect(),
            "agentParticipantsLeave" => {
                stays.iter().filter_map(|stay| Some(self.agent_participant(stay, stay.left?))).collect()
            }
            "agentParticipantsActive" => {
                let active = stays.iter().filter(|stay| stay.left.is_none());
                active.map(|stay| self.agent_participant(stay, stay.joined)).collect()
            }
            "consumerParticipants" => self.consumer_participants(conversation),
            "transfers" | "skillChanges" => self.transfers(conversation),
            "interactions" => self.interactions(conversation),
            "conversationSurveys" => surveys(conversation),
            "coBrowseSessions" => json!({ "coBrowseSessionsList": [] }),
            "messageScores" | "intents" => json!([]),
            "summary" => json!({ "text": conversation.note, "lastUpdatedTime": conversation.updated }),
            "sdes" | "unAuthSdes" => self.attributes(conversation),
            "monitoring" => conversation.origin().monitoring(),
            "dialogs" => conversation.dialogs.iter().map(|one| dialog(one, conversation)).collect(),
            "responseTime" => json!({ "latestEffectiveResponseDueTime": conversation.effective_ttr(),
                "configuredResponseTime": conversation.ttr.value }),
            _ => return None,
        })
    }

    fn info(&self, conversation: &Conversation, now: Millis) -> Value {
        let skill = conversation.skill.as_str();
        let mut info = json!({
            "startTime": date_time(conversation.started), "startTimeL": conversation.started,
            "duration": conversation.ended.unwrap_or(now).saturating_sub(conversation.started),
            "conversationId": conversation.id, "brandId": self.settings.account,
            "status": conversation.state, "fullDialogStatus": conversation.stage,
            "firstConversation": conversation.first, "latestSkillId": skill_number(skill),
            "latestSkillName": skill_name(skill), "latestQueueState": conversation.queue_state(), "isPartial": false,
        });
        set_end(&mut info, conversation.ended, conversation.close_reason);
        for (name, text) in conversation.origin().members() {
            info[name] = text.into();
        }
        if let Some(csat) = &conversation.csat {
            info["csatRate"] = csat.rate.into();
        }
        if let (Some(agent), Value::Object(info)) = (conversation.latest_agent(), &mut info) {
            info.extend(self.named(agent, "latestAgent"));
            info.insert("agentDeleted".to_owned(), false.into());
            info.insert("latestAgentGroupId".to_owned(), MAIN_GROUP.into());
            info.insert("latestAgentGroupName".to_owned(), MAIN_GROUP_NAME.into());
        }
        info
    }

    fn participant_id<'a>(&'a self, party: &'a Party) -> &'a str {
        match party {
            Party::Consumer(id) => id.as_str(),
            Party::Agent(index) => self.directory.agent(*index).map_or("", |agent| agent.user_id()),
        }
    }

    /// What was said in all dialogs, in the order of time.
    fn messages(&self, conversation: &Conversation) -> Value {
        let records = records(conversation).filter(|record| record.kind.is_content());
        records.map(|record| self.message(record, conversation)).collect()
    }

    fn message(&self, record: &Record, conversation: &Conversation) -> Value {
        let event: Value = serde_json::from_str(record.event.get()).unwrap_or_default();
        let mut message = json!({
            "type": message_type(&event), "messageData": message_data(&event),
            "messageId": message_id(record.dialog.as_str(), record.sequence), "seq": record.sequence,
            "dialogId": record.dialog, "participantId": self.participant_id(&record.originator),
            "source": conversation.origin().source, "time": date_time(record.time), "timeL": record.time,
            "device": "undefined", "sentBy": sent_by(&record.originator), "audience": record.audience,
        });
        if let Some(metadata) = &record.metadata {
            message["contextData"] = context_data(metadata.get());
        }
        message
    }

    /// Which messages were accepted and read, by whom.
    fn statuses(&self, conversation: &Conversation) -> Value {
        let mut statuses = Vec::new();
        for record in records(conversation).filter(|record| record.kind == EventType::Accept) {
            let event: Value = serde_json::from_str(record.event.get()).unwrap_or_default();
            for sequence in crate::dialect::one_or_many(event["sequenceList"].clone()) {
                let sequence = crate::dialect::number_of(&sequence).and_then(|number| u64::try_from(number).ok());
                let Some(sequence) = sequence else { continue };
                statuses.push(json!({
                    "messageId": message_id(record.dialog.as_str(), sequence), "seq": sequence,
                    "time": date_time(record.time), "timeL": record.time,
                    "participantId": self.participant_id(&record.originator),
                    "participantType": sent_by(&record.originator), "messageDeliveryStatus": event["status"],
                    "dialogId": record.dialog,
                }));
            }
        }
        statuses.into()
    }

    /// The changes of the skill; the source is the agent who was assigned last before.
    fn transfers(&self, conversation: &Conversation) -> Value {
        let past = &conversation.past;
        let change = |pair: &[(SkillId, Millis)]| {
            let [(source, _), (target, at)] = pair else { return Value::Null };
            let mut transfer = json!({
                "time": date_time(*at), "timeL": at, "reason": "Skill", "dialogId": conversation.id,
                "sourceSkillId": skill_number(source.as_str()), "sourceSkillName": skill_name(source.as_str()),
                "targetSkillId": skill_number(target.as_str()), "targetSkillName": skill_name(target.as_str()),
            });
            let before = past.stays.iter().rev().find(|stay| stay.role == Role::AssignedAgent && stay.joined < *at);
            if let (Some(stay), Value::Object(transfer)) = (before, &mut transfer) {
                transfer.extend(self.named(stay.agent, "sourceAgent"));
            }
            transfer
        };
        past.skills.windows(2).map(change).collect()
    }

    /// The agents who were assigned, in order.
    fn interactions(&self, conversation: &Conversation) -> Value {
        let assigned = conversation.past.stays.iter().filter(|stay| stay.role == Role::AssignedAgent);
        let one = |(place, stay): (usize, &super::past::Stay)| {
            let mut interaction = self.named(stay.agent, "assignedAgent");
            interaction.insert("interactionTime".to_owned(), date_time(stay.joined).into());
            interaction.insert("interactionTimeL".to_owned(), stay.joined.into());
            interaction.insert("interactiveSequence".to_owned(), (place + 1).into());
            interaction.insert("dialogId".to_owned(), stay.dialog.as_str().into());
            Value::from(interaction)
        };
        assigned.enumerate().map(one).collect()
    }
}

/// The stored events of all dialogs, in the order of time.
fn records(conversation: &Conversation) -> impl Iterator<Item = &Record> {
    let mut records: Vec<&Record> =
        conversation.dialogs.iter().flat_map(|dialog| &dialog.records).map(|record| &**record).collect();
    records.sort_by_key(|record| record.time);
    records.into_iter()
}

fn set_end(told: &mut Value, ended: Option<Millis>, reason: Option<&str>) {
    told["endTime"] = ended.map_or_else(|| "undefined".to_owned(), date_time).into();
    told["endTimeL"] = ended.map_or(Value::from(-1), Value::from);
    if let Some(reason) = reason {
        told["closeReason"] = reason.into();
        told["closeReasonDescription"] = BY_HAND.into();
    }
}

fn dialog(dialog: &Dialog, conversation: &Conversation) -> Value {
    let skill = conversation.skill.as_str();
    let mut told = json!({
        "dialogId": dialog.id, "status": dialog.state, "dialogType": dialog.dialog_type,
        "dialogChannelType": dialog.channel, "startTime": date_time(dialog.created), "startTimeL": dialog.created,
        "skillId": skill_number(skill), "skillName": skill_name(skill),
    });
    let reason = conversation.close_reason.filter(|_| dialog.state == State::Close);
    set_end(&mut told, dialog.ended, reason);
    told
}

fn campaign(conversation: &Conversation) -> Value {
    let given: Value =
        conversation.campaign.as_ref().and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    let text = |name: &str| crate::dialect::text_of(&given[name]);
    json!({ "campaignId": text("campaignId"), "campaignEngagementId": text("engagementId") })
}

/// The consumer's rating, as the survey that it is.
fn surveys(conversation: &Conversation) -> Value {
    let Some(csat) = &conversation.csat else { return json!([]) };
    let survey = conversation.dialogs.iter().find(|dialog| dialog.dialog_type == DialogType::PostSurvey);
    let dialog = survey.or_else(|| conversation.main()).map(|dialog| &dialog.id);
    let answer = csat.resolved.as_bool().map(|resolved| if resolved { "Yes" } else { "No" });
    let data: Vec<Value> =
        answer.into_iter().map(|answer| json!({ "question": "Confirm Resolution", "answer": answer })).collect();
    json!([{ "surveyType": "Satisfaction", "surveyStatus": csat.status, "dialogId": dialog, "surveyData": data }])
}

/// History search reports a skill's id as a number. An id that is not a number stays text.
fn skill_number(skill: &str) -> Value {
    skill.parse::<i64>().map_or_else(|_| skill.into(), Value::from)
}

fn message_id(dialog: &str, sequence: u64) -> String {
    format!("ms::conv:{dialog}::msg:{sequence}")
}

fn sent_by(party: &Party) -> &'static str {
    if party.is_consumer() { "Consumer" } else { "Agent" }
}

/// The kind of a message by its event.
pub(super) fn message_type(event: &Value) -> &'static str {
    match (event["type"].as_str(), event["contentType"].as_str()) {
        (Some("RichContentEvent"), _) => "RICH_CONTENT",
        (_, Some("text/html")) => "TEXT_HTML",
        (_, Some("hosted/file")) => "HOSTED_FILE",
        (_, Some("external/file" | "external/link")) => "LINK",
        (_, Some("forms/secure-invitation")) => "SECURE_FORM_INVITATION",
        (_, Some("forms/secure-submission")) => "SECURE_FORM_SUBMIT",
        _ => "TEXT_PLAIN",
    }
}

fn message_data(event: &Value) -> Value {
    let message = &event["message"];
    let as_text = |value: &Value| json!({ "content": value.to_string() });
    let mut data = match message_type(event) {
        "RICH_CONTENT" => {
            let content = if event["content"].is_null() { message } else { &event["content"] };
            json!({ "richContent": as_text(content) })
        }
        "HOSTED_FILE" => json!({ "file": { "relativePath": message["relativePath"], "fileType": message["fileType"],
            "caption": message["caption"] } }),
        "LINK" => json!({ "link": message }),
        "SECURE_FORM_INVITATION" => json!({ "secureFormInvitation": message }),
        "SECURE_FORM_SUBMIT" => json!({ "secureFormSubmit": message }),
        _ => json!({ "msg": { "text": message } }),
    };
    if !event["quickReplies"].is_null() {
        data["quickReplies"] = as_text(&event["quickReplies"]);
    }
    data
}

/// The metadata of a message: as its text, and each entry under its type.
fn context_data(metadata: &str) -> Value {
    let entries: Vec<Map<String, Value>> = serde_json::from_str(metadata).unwrap_or_default();
    let structured = entries.into_iter().filter_map(|mut entry| {
        let kind = entry.remove("type")?;
        let kind = kind.as_str()?;
        let first = kind.chars().next()?;
        Some(json!({ (format!("{}{}", first.to_lowercase(), &kind[first.len_utf8()..])): entry }))
    });
    json!({ "rawMetadata": metadata, "structuredMetadata": structured.collect::<Vec<_>>() })
}
