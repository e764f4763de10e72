//! The people of a conversation in a history record: its agents, its consumer, and the consumer's device.

use serde_json::{Map, Value, json};

use super::past::Stay;
use crate::platform::conversation::Conversation;
use crate::platform::directory::Agent;
use crate::platform::names::{AgentIndex, Millis};
use crate::platform::{MAIN_GROUP, MAIN_GROUP_NAME, Platform, date_time};

/// What the API writes for an unknown text.
const UNDEFINED: &str = "undefined";

/// From where the consumer opened a conversation.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) source: String,
    pub(super) device: String,
    browser: String,
    system: String,
    address: String,
}

impl Conversation {
    /// The device and the channel, as far as client properties told them.
    pub(super) fn origin(&self) -> Origin {
        let context: Value = serde_json::from_str(self.context.get()).unwrap_or_default();
        let properties = &context["clientProperties"];
        let text = |name: &str| properties[name].as_str().map(str::to_owned);
        let source = match properties["integration"].as_str() {
            Some("WEB_SDK") => "SHARK",
            _ if self.app.is_some() => "CONNECTOR",
            _ => "APP",
        };
        Origin {
            source: source.to_owned(),
            device: text("deviceFamily").unwrap_or_else(|| "NA".to_owned()),
            browser: text("browser").unwrap_or_else(|| UNDEFINED.to_owned()),
            system: text("os").unwrap_or_else(|| "NA".to_owned()),
            address: text("ipAddress").unwrap_or_else(|| UNDEFINED.to_owned()),
        }
    }
}

impl Origin {
    /// The members of `info` that tell of the device.
    pub(super) fn members(&self) -> [(&'static str, &str); 4] {
        [
            ("source", &self.source),
            ("device", &self.device),
            ("browser", &self.browser),
            ("operatingSystem", &self.system),
        ]
    }

    pub(super) fn monitoring(&self) -> Value {
        json!({ "device": self.device, "browser": self.browser, "operatingSystem": self.system,
            "ipAddress": self.address })
    }
}

/// An agent's names under members that begin with `prefix`.
pub(super) fn names(agent: &Agent, prefix: &str) -> Map<String, Value> {
    let members = [
        ("Id", agent.user_id()),
        ("FullName", agent.login.as_str()),
        ("LoginName", agent.login.as_str()),
        ("Nickname", agent.login.as_str()),
    ];
    members.into_iter().map(|(name, text)| (format!("{prefix}{name}"), text.into())).collect()
}

impl Platform {
    pub(super) fn named(&self, agent: AgentIndex, prefix: &str) -> Map<String, Value> {
        self.directory.agent(agent).map_or_else(Map::new, |agent| names(agent, prefix))
    }

    /// One agent who came, or who left.
    pub(super) fn agent_participant(&self, stay: &Stay, time: Millis) -> Value {
        let mut participant = self.named(stay.agent, "agent");
        let further = json!({
            "agentDeleted": false, "userType": "2", "userTypeName": "Bot", "role": "AGENT",
            "agentGroupId": MAIN_GROUP, "agentGroupName": MAIN_GROUP_NAME, "time": date_time(time), "timeL": time,
            "permission": stay.role, "dialogId": stay.dialog,
        });
        if let Value::Object(further) = further {
            participant.extend(further);
        }
        participant.into()
    }

    /// The consumer, with what the profile tells.
    pub(super) fn consumer_participants(&self, conversation: &Conversation) -> Value {
        let Some(id) = conversation.consumer() else { return json!([]) };
        let profile = self.profile(conversation).unwrap_or_default();
        let personal = sde(&profile, "personal");
        let contact = &personal["contacts"][0];
        let first = |values: [&Value; 3]| {
            let known = values.into_iter().filter_map(Value::as_str).find(|text| !text.is_empty());
            known.unwrap_or(UNDEFINED).to_owned()
        };
        let first_name = first([&profile["firstName"], &personal["firstname"], &Value::Null]);
        let last_name = first([&profile["lastName"], &personal["lastname"], &Value::Null]);
        let both: Vec<&str> =
            [&first_name, &last_name].map(String::as_str).into_iter().filter(|name| *name != UNDEFINED).collect();
        let name = if both.is_empty() { "Visitor".to_owned() } else { both.join(" ") };
        let private = &profile["privateData"];
        json!([{
            "participantId": id, "firstName": first_name, "lastName": last_name, "token": UNDEFINED,
            "email": first([&private["mail"], &private["email"], &contact["email"]]),
            "phone": first([&private["mobileNum"], &contact["phone"], &Value::Null]),
            "avatarURL": first([&profile["avatarUrl"], &Value::Null, &Value::Null]),
            "time": date_time(conversation.started), "timeL": conversation.started, "consumerName": name,
            "dialogId": conversation.id,
        }])
    }

    /// The engagement attributes of the profile.
    pub(super) fn attributes(&self, conversation: &Conversation) -> Value {
        let profile = self.profile(conversation).unwrap_or_default();
        let at = conversation.started.to_string();
        let mut events = Vec::new();
        let info = &sde(&profile, "ctmrinfo")["info"];
        if info.is_object() {
            events.push(json!({ "sdeType": "CUSTOMER_INFO", "serverTimeStamp": at,
                "customerInfo": { "serverTimeStamp": at, "customerInfo": info } }));
        }
        let personal = sde(&profile, "personal");
        if personal.is_object() {
            let contacts = personal["contacts"].as_array().into_iter().flatten();
            let contacts: Vec<Value> = contacts.map(|contact| json!({ "personalContact": contact })).collect();
            let told = json!({ "name": personal["firstname"], "surname": personal["lastname"], "contacts": contacts });
            events.push(json!({ "sdeType": "PERSONAL_INFO", "serverTimeStamp": at,
                "personalInfo": { "serverTimeStamp": at, "personalInfo": told } }));
        }
        json!({ "events": events })
    }

    fn profile(&self, conversation: &Conversation) -> Option<Value> {
        self.directory.consumer(conversation.consumer()?.as_str())?.profile.clone()
    }
}

/// The engagement attribute of a kind: of an authenticated consumer, else of a claim.
fn sde(profile: &Value, kind: &str) -> Value {
    let lists = [&profile["authenticatedData"]["lp_sdes"], &profile["claims"]["lp_sdes"]];
    let mut all = lists.into_iter().filter_map(Value::as_array).flatten();
    let found = all.find(|sde| sde["type"] == kind).cloned().unwrap_or_default();
    if kind == "personal" { found["personal"].clone() } else { found }
}
