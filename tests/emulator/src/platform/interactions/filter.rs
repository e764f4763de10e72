//! The criteria, the order and the wanted members of a history search.

use std::cmp::Ordering;

use serde_json::Value;

use super::record::message_type;
use crate::dialect::{number_of, one_or_many, text_of};
use crate::platform::conversation::Conversation;
use crate::platform::directory::Directory;
use crate::platform::names::{AgentIndex, Millis, State};
use crate::platform::{MAIN_GROUP, Refusal};

/// Bounds of times are rounded away from each other to this.
const ROUNDING: i64 = 10 * 60 * 1_000;
/// The longest interval that is searched: three months, and what rounding adds.
const LONGEST: i64 = 92 * 24 * 3_600 * 1_000 + 2 * ROUNDING;
/// The members of a record unless the search names others.
const USUAL_CONTENT: [&str; 15] = [
    "campaign",
    "messageRecords",
    "agentParticipants",
    "agentParticipantsLeave",
    "agentParticipantsActive",
    "consumerParticipants",
    "transfers",
    "interactions",
    "messageScores",
    "messageStatuses",
    "conversationSurveys",
    "coBrowseSessions",
    "summary",
    "sdes",
    "dialogs",
];
/// Criteria that the emulator has no data for. A search that ignored one would return too many conversations.
const WITHOUT_DATA: [&str; 7] =
    ["mcs", "alertedMcsValues", "sdeSearch", "responseTime", "nps", "surveyIds", "surveyBotConversations"];

/// The order of what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sorting {
    by_end: bool,
    descending: bool,
}

impl Sorting {
    /// Reads `start:asc` and its like; the earliest start first unless told otherwise.
    pub(crate) fn read(text: Option<&str>) -> Result<Self, Refusal> {
        let Some(text) = text else { return Ok(Self { by_end: false, descending: false }) };
        let (member, order) = text.split_once(':').unwrap_or((text, "asc"));
        let by_end = match member {
            "start" => false,
            "end" => true,
            _ => return Err(Refusal::bad("sort is by start or by end")),
        };
        match order {
            "asc" => Ok(Self { by_end, descending: false }),
            "desc" => Ok(Self { by_end, descending: true }),
            _ => Err(Refusal::bad("sort is asc or desc")),
        }
    }

    /// Conversations that have not ended come last by their end.
    pub(super) fn compare(self, a: &Conversation, b: &Conversation) -> Ordering {
        let key = |one: &Conversation| if self.by_end { one.ended.unwrap_or(Millis::MAX) } else { one.started };
        let order = (key(a), &a.id).cmp(&(key(b), &b.id));
        if self.descending { order.reverse() } else { order }
    }
}

/// An interval with both bounds.
#[derive(Debug, Clone, Copy)]
struct Interval {
    from: i64,
    to: i64,
}

impl Interval {
    /// Reads `{from, to}`; a bound that is missing is open. `None` where the member is missing.
    fn read(value: &Value) -> Option<Self> {
        let bound = |name: &str| number_of(&value[name]).filter(|bound| *bound >= 0);
        value.is_object().then(|| Self { from: bound("from").unwrap_or(0), to: bound("to").unwrap_or(i64::MAX) })
    }

    fn contains(self, value: i64) -> bool {
        (self.from..=self.to).contains(&value)
    }

    /// The same in times, rounded to ten minutes.
    fn of_times(self, now: Millis) -> Result<Self, Refusal> {
        if self.to.min(now as i64).saturating_sub(self.from) > LONGEST {
            return Err(Refusal::bad("The time interval is longer than three months"));
        }
        let from = self.from - self.from % ROUNDING;
        let to = self.to.saturating_add(ROUNDING - 1);
        Ok(Self { from, to: to - to % ROUNDING })
    }
}

/// What a search asks for.
#[derive(Debug, Default)]
pub(crate) struct Search {
    /// The conversations by their ids, where the search names them.
    pub(crate) conversations: Option<Vec<String>>,
    pub(crate) consumer: Option<String>,
    /// Members of the records that are wanted besides `info`.
    pub(crate) content: Vec<String>,
    start: Option<Interval>,
    end: Option<Interval>,
    statuses: Vec<String>,
    skills: Vec<String>,
    latest_skills: Vec<String>,
    agents: Option<Vec<AgentIndex>>,
    latest_agents: Option<Vec<AgentIndex>>,
    groups: Vec<String>,
    keyword: Option<String>,
    summary: Option<String>,
    duration: Option<Interval>,
    csat: Option<Interval>,
    types: Vec<String>,
    queue_state: Option<String>,
    sources: Vec<String>,
    devices: Vec<String>,
}

impl Search {
    /// A search by criteria; `start` is required.
    pub(crate) fn by_criteria(body: &Value, platform: &super::Platform, now: Millis) -> Result<Self, Refusal> {
        if !body["start"].is_object() {
            return Err(Refusal::bad("start is missing"));
        }
        Self::read(body, platform, now)
    }

    /// A search for conversations by their ids.
    pub(crate) fn by_id(body: &Value, platform: &super::Platform, now: Millis) -> Result<Self, Refusal> {
        let mut ids = texts(&body["conversationIds"]);
        ids.extend(text_of(&body["conversationId"]));
        if ids.is_empty() {
            return Err(Refusal::bad("conversationId is missing"));
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(Self { conversations: Some(ids), ..Self::read(body, platform, now)? })
    }

    /// A search for the conversations of one consumer.
    pub(crate) fn by_consumer(body: &Value, platform: &super::Platform, now: Millis) -> Result<Self, Refusal> {
        let consumer = text_of(&body["consumer"]).ok_or_else(|| Refusal::bad("consumer is missing"))?;
        Ok(Self { consumer: Some(consumer), ..Self::read(body, platform, now)? })
    }

    fn read(body: &Value, platform: &super::Platform, now: Millis) -> Result<Self, Refusal> {
        if let Some(name) = WITHOUT_DATA.into_iter().find(|name| !body[*name].is_null()) {
            return Err(Refusal::bad(format!("The emulator cannot search by {name}")));
        }
        let times = |name: &str| Interval::read(&body[name]).map(|interval| interval.of_times(now)).transpose();
        let agents = |name: &str| {
            let ids = texts(&body[name]);
            let known = |id: &String| platform.directory.agent_by_id(id);
            (!ids.is_empty()).then(|| ids.iter().filter_map(known).collect())
        };
        // A phrase stands in quotation marks.
        let phrase = |name: &str| text_of(&body[name]).map(|text| text.trim_matches('"').to_lowercase());
        let content = texts(&body["contentToRetrieve"]);
        Ok(Self {
            conversations: None,
            consumer: None,
            content: if content.is_empty() { USUAL_CONTENT.map(str::to_owned).to_vec() } else { content },
            start: times("start")?,
            end: times("end")?,
            statuses: texts(&body["status"]),
            skills: texts(&body["skillIds"]),
            latest_skills: texts(&body["latestSkillIds"]),
            agents: agents("agentIds"),
            latest_agents: agents("latestAgentIds"),
            groups: texts(&body["agentGroupIds"]),
            keyword: phrase("keyword"),
            summary: phrase("summary"),
            duration: Interval::read(&body["duration"]),
            csat: Interval::read(&body["csat"]),
            types: texts(&body["messageContentTypes"]),
            queue_state: text_of(&body["latestConversationQueueState"]),
            sources: texts(&body["source"]),
            devices: texts(&body["device"]),
        })
    }

    pub(super) fn matches(&self, one: &Conversation, directory: &Directory, now: Millis) -> bool {
        let any = |wanted: &[String], is: &str| wanted.is_empty() || wanted.iter().any(|text| text == is);
        let had = |agents: &Vec<AgentIndex>| one.past.stays.iter().any(|stay| agents.contains(&stay.agent));
        let seconds = (one.ended.unwrap_or(now).saturating_sub(one.started) / 1_000) as i64;
        let origin = one.origin();
        self.start.is_none_or(|start| start.contains(one.started as i64))
            && self.end.is_none_or(|end| one.ended.is_some_and(|ended| end.contains(ended as i64)))
            && any(&self.statuses, one.state.as_str())
            && (self.skills.is_empty() || one.past.skills.iter().any(|(skill, _)| any(&self.skills, skill.as_str())))
            && any(&self.latest_skills, one.skill.as_str())
            && self.agents.as_ref().is_none_or(had)
            && self.latest_agents.as_ref().is_none_or(|some| one.latest_agent().is_some_and(|it| some.contains(&it)))
            && (self.groups.is_empty() || (one.had_agent() && any(&self.groups, &MAIN_GROUP.to_string())))
            && self.keyword.as_ref().is_none_or(|keyword| says(one, keyword))
            && self.summary.as_ref().is_none_or(|summary| one.note.to_lowercase().contains(summary))
            && self.duration.is_none_or(|duration| duration.contains(seconds))
            && self.csat.is_none_or(|csat| one.csat.as_ref().is_some_and(|given| csat.contains(given.rate)))
            && (self.types.is_empty() || has_type(one, &self.types))
            && self.queue_state.as_ref().is_none_or(|state| one.queue_state() == state)
            && any(&self.sources, &origin.source)
            && any(&self.devices, &origin.device)
            && self.consumer.as_ref().is_none_or(|id| one.consumer().is_some_and(|owner| owns(directory, id, owner)))
    }
}

fn owns(directory: &Directory, id: &str, owner: &crate::platform::ConsumerId) -> bool {
    directory.acts_for(&crate::platform::ConsumerId::new(id), owner)
}

fn texts(value: &Value) -> Vec<String> {
    one_or_many(value.clone()).iter().filter_map(text_of).collect()
}

/// Whether some message of the conversation contains a phrase in lower case.
fn says(conversation: &Conversation, phrase: &str) -> bool {
    let mut records = conversation.dialogs.iter().flat_map(|dialog| &dialog.records);
    records.any(|record| {
        record.kind.is_content()
            && serde_json::from_str::<Value>(record.event.get())
                .is_ok_and(|event| event["message"].as_str().is_some_and(|text| text.to_lowercase().contains(phrase)))
    })
}

fn has_type(conversation: &Conversation, types: &[String]) -> bool {
    let mut records = conversation.dialogs.iter().flat_map(|dialog| &dialog.records);
    records.any(|record| {
        let event = serde_json::from_str(record.event.get()).unwrap_or_default();
        record.kind.is_content() && types.iter().any(|wanted| wanted == message_type(&event))
    })
}

impl Conversation {
    /// Whether an agent has the conversation or it waits for one.
    pub(super) fn queue_state(&self) -> &'static str {
        let waits = self.stage == State::Open && self.assigned_agent().is_none();
        if waits { "IN_QUEUE" } else { "ACTIVE" }
    }
}
