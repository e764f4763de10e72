//! A subscriber can compute every member of a conversation from its first event, its updates and its other events.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{
    super::{Outcome, Reception},
    Conversation, ConversationEvent, Dialect, SURVEY, labels,
    permutations::{Scenario, omit, scenario, states, unseen_in},
    seen, state,
    states::respelled,
    told, unseen,
};

/// A conversation as computed by a subscriber that receives only its events as JSON.
#[derive(Default)]
struct Mirror(Map<String, Value>);

impl Mirror {
    fn hear(&mut self, event: &ConversationEvent) {
        let data = json!(event);
        match event.name() {
            "conversation" => self.0 = data.as_object().cloned().unwrap_or_default(),
            "update" => self.0.extend(data["changed"].as_object().cloned().unwrap_or_default()),
            "skill-change" => self.set("skillId", &data["newSkillId"]),
            "group-change" => self.set("groupId", &data["newGroupId"]),
            "ttr-change" => self.set_all(&["ttrType", "ttrValue", "ttrEffective"], &data),
            "manual-ettr-change" => self.set_all(&["ttrEffectiveManual", "ttrEffective"], &data),
            "close" => self.set_all(&["closeTime", "closeReason"], &data),
            "notification-ignored" => self.count("notificationIgnoredCount"),
            "notification-out-of-order" if data["dialogId"].is_null() => self.count("notificationOutOfOrderCount"),
            "dialog" => {
                if let Some(dialog) = self.dialog(&data["dialogId"]) {
                    dialog["state"] = data["state"].clone();
                }
            }
            "dialog.close" => {
                if let Some(dialog) = self.dialog(&data["dialogId"]) {
                    for (member, told) in [("state", "state"), ("closedBy", "closedBy"), ("closedCause", "closedCause")]
                    {
                        dialog[member] = data[told].clone();
                    }
                }
            }
            "participant-added" | "participant-suggested" | "participant-role-change" => self.take_part(&data, true),
            "participant-removed" | "participant-suggested-removed" => self.take_part(&data, false),
            _ => {}
        }
    }

    fn set(&mut self, member: &str, value: &Value) {
        self.0.insert(member.to_owned(), value.clone());
    }

    fn set_all(&mut self, members: &[&str], data: &Value) {
        members.iter().for_each(|member| self.set(member, &data[member]));
    }

    fn count(&mut self, member: &str) {
        let count = self.0[member].as_u64().unwrap_or_default() + 1;
        self.set(member, &json!(count));
    }

    fn dialogs(&mut self) -> &mut Vec<Value> {
        self.0.entry("dialogs").or_insert_with(|| json!([])).as_array_mut().expect("a list")
    }

    fn dialog(&mut self, id: &Value) -> Option<&mut Value> {
        self.dialogs().iter_mut().find(|dialog| dialog["dialogId"] == *id)
    }

    fn take_part(&mut self, data: &Value, stays: bool) {
        if let Some(dialog) = self.dialog(&data["dialogId"]) {
            change(&mut dialog["participants"], &data["participant"], stays);
        }
    }
}

fn change(list: &mut Value, participant: &Value, stays: bool) {
    let Some(list) = list.as_array_mut() else { return };
    let is_same = |known: &Value| {
        known["userId"] == participant["userId"]
            || (!known["agentId"].is_null() && known["agentId"] == participant["agentId"])
    };
    match (list.iter().position(is_same), stays) {
        (Some(at), true) => list[at] = participant.clone(),
        (Some(at), false) => drop(list.remove(at)),
        (None, true) => list.push(participant.clone()),
        (None, false) => {}
    }
}

/// The members without the versions and the count, which an update reports only together with another change, and
/// without the members that follow from the participants of a dialog. The order does not depend on the platform.
fn comparable(mut members: Value) -> Value {
    let sort = |list: &mut Value, id: &str| {
        if let Some(list) = list.as_array_mut() {
            list.sort_by_key(|element| element[id].to_string());
        }
    };
    sort(&mut members["participants"], "userId");
    sort(&mut members["dialogs"], "dialogId");
    for dialog in members["dialogs"].as_array_mut().into_iter().flatten() {
        sort(&mut dialog["participants"], "userId");
        for member in ["updateTime", "assignedAgent", "consumer"] {
            dialog[member] = Value::Null;
        }
    }
    members["updateTime"] = Value::Null;
    members["notificationCount"] = Value::Null;
    members
}

/// The members that the events of a notification report, without the update event.
fn told_by_others(reception: &Reception) -> Vec<&'static str> {
    let members = |event: &ConversationEvent| match event.name() {
        "skill-change" => vec!["skillId"],
        "group-change" => vec!["groupId"],
        "ttr-change" => vec!["ttrType", "ttrValue", "ttrEffective"],
        "manual-ettr-change" => vec!["ttrEffectiveManual", "ttrEffective"],
        "close" => vec!["closeTime", "closeReason"],
        "notification-ignored" => vec!["notificationIgnoredCount"],
        _ => vec![],
    };
    reception.events.iter().flat_map(members).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    /// The states may lack any members and may arrive in any order.
    #[test]
    fn the_events_determine_every_member((changes, omissions, deliveries, dialect, is_by_webhook) in scenario()) {
        let scenario: Scenario = (changes, omissions, deliveries, dialect, is_by_webhook);
        let (changes, omissions, deliveries, dialect, is_by_webhook) = &scenario;
        let states: Vec<Value> = states(changes, *dialect).iter().zip(omissions).map(|(state, omissions)| {
            let mut state = state.value();
            omissions.iter().for_each(|(pointer, how)| omit(&mut state, pointer, *how));
            state
        }).collect();
        let (mut conversation, mut mirror) = (unseen_in(*dialect, *is_by_webhook), Mirror::default());
        for (state, is_respelled) in deliveries {
            let text = if *is_respelled { respelled(&states[*state]) } else { states[*state].to_string() };
            let before = conversation.members();
            let reception = conversation.receive_state(&text).expect("a state");
            reception.events.iter().for_each(|event| mirror.hear(event));
            let after = conversation.members();
            prop_assert_eq!(comparable(Value::Object(mirror.0.clone())), comparable(after.clone()), "{:?}", labels(&reception));
            let updates = reception.events.iter().filter(|event| event.name() == "update").count();
            prop_assert!(updates <= 1 && (updates == 0 || labels(&reception).last().unwrap().starts_with("update")));
            for event in &reception.events {
                let ConversationEvent::Update { changed } = event else { continue };
                prop_assert_ne!(reception.outcome, Outcome::Ignored);
                let changed: Map<String, Value> = serde_json::from_str(changed.get()).expect("an object");
                for (member, value) in &changed {
                    prop_assert_eq!(value, &after[member]);
                    prop_assert_ne!(value, &before[member], "{} has not changed", member);
                    prop_assert!(!told_by_others(&reception).contains(&member.as_str()), "two events report {}", member);
                }
            }
        }
    }
}

/// The update event of a state, without the version and the count.
fn update(conversation: &mut Conversation, after: &super::State) -> Value {
    let reception = conversation.receive_state(&after.text()).expect("a state");
    let Some(ConversationEvent::Update { changed }) = reception.events.last() else { panic!("{reception:?}") };
    let mut changed: Map<String, Value> = serde_json::from_str(changed.get()).expect("an object");
    assert!(changed.remove("updateTime").is_some() && changed.remove("notificationCount").is_some());
    changed.into()
}

#[test]
fn the_first_event_carries_the_conversation_with_its_dialogs_and_participants() {
    let mut conversation = unseen(Dialect::Brand);
    let first = state(Dialect::Brand, 10, "C:carol A:anna").with("note", "n").with_survey("OPEN");
    let reception = conversation.receive_state(&first.text()).expect("a state");
    assert_eq!(labels(&reception), ["conversation", "dialog(survey-1)"]);
    assert_eq!(json!(reception.events[0]), conversation.members());
    assert_eq!(conversation.members()["dialogs"].as_array().map(Vec::len), Some(2));
}

#[test]
fn an_update_has_new_values_and_null_for_members_that_were_unset() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol A:anna"));
    let full = |time| {
        state(Dialect::Brand, time, "C:carol A:anna")
            .with("note", "n")
            .with("csatRate", 4)
            .with("campaignInfo", json!({"campaignId": 7, "engagementId": "e"}))
            .with("context", json!({"type": "SharkContext"}))
            .with("conversationHandlerDetails", json!({"accountId": "1", "skillId": "2"}))
            .with_top("numberOfunreadMessages", json!({"carol": 2, "12345678.anna": 1}))
            .with_top("effectiveTTR", 99)
    };
    assert_eq!(
        update(&mut conversation, &full(20)),
        json!({
            "note": "n", "csat": {"csatRate": 4}, "campaignId": 7, "engagementId": "e", "handlerAccountId": "1",
            "handlerSkillId": "2", "numberOfunreadMessages": {"carol": 2, "anna": 1}, "ttrEffective": 99,
            "context": {"type": "SharkContext"},
        })
    );
    assert_eq!(
        update(&mut conversation, &state(Dialect::Brand, 30, "C:carol A:anna")),
        json!({
            "note": null, "csat": null, "campaignId": null, "engagementId": null, "handlerAccountId": null,
            "handlerSkillId": null, "numberOfunreadMessages": null, "ttrEffective": null,
        })
    );
}

/// The platform changes the version with every change. An update that has only the version would double the number of
/// events.
#[test]
fn a_version_is_reported_only_with_another_change() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
    assert_eq!(told(&mut conversation, &state(Dialect::Brand, 20, "C:carol")), [""; 0]);
    let joined = state(Dialect::Brand, 30, "C:carol A:anna");
    assert_eq!(
        told(&mut conversation, &joined),
        ["participant-added(anna, false)", "update(assignedAgent participants)"]
    );
    let reception = conversation.receive_state(&joined.with("note", "n").with("metaDataLastUpdateTs", 40).text());
    let events = json!(reception.expect("a state").events);
    assert_eq!(events, json!([{"changed": {"note": "n", "updateTime": 40, "notificationCount": 4}}]));
}

/// Unread messages are reported by user id, so they change when the platform reports the user id of a participant.
#[test]
fn unread_messages_follow_the_participants() {
    let unread = json!({"12345678.anna": 1});
    let at =
        |time, people: &str| state(Dialect::Brand, time, people).with_top("numberOfunreadMessages", unread.clone());
    let mut conversation = seen(&at(10, "C:carol"));
    let changed = update(&mut conversation, &at(20, "C:carol A:anna"));
    assert_eq!(changed["numberOfunreadMessages"], json!({"anna": 1}));
    assert_eq!(changed["assignedAgent"]["userId"], "anna");
}

#[test]
fn closed_and_locked_stages_are_reported() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol").with_survey("CLOSE"));
    let at = |time, stage: &str| state(Dialect::Brand, time, "C:carol").with("stage", stage).with_survey("CLOSE");
    assert_eq!(update(&mut conversation, &at(20, "CLOSE"))["stage"], "CLOSE");
    assert_eq!(update(&mut conversation, &at(30, "LOCKED")), json!({"stage": "LOCKED"}));
    assert_eq!(update(&mut conversation, &at(40, "OPEN"))["stage"], "OPEN");
}

/// The events of a dialog report neither its metadata nor its start time.
#[test]
fn a_new_dialog_is_reported_with_all_members() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
    let changed = update(&mut conversation, &state(Dialect::Brand, 20, "C:carol").with_survey("OPEN"));
    assert_eq!(changed["dialogs"], conversation.members()["dialogs"]);
    let survey =
        changed["dialogs"].as_array().and_then(|dialogs| dialogs.iter().find(|dialog| dialog["dialogId"] == SURVEY));
    assert_eq!(
        survey.map(|survey| (&survey["startTime"], survey["participants"].as_array().map(Vec::len))),
        Some((&json!(50), Some(1)))
    );
}

/// The first event of a conversation with this text as its context and as its metadata.
fn first_with(value: &str) -> Value {
    let text = state(Dialect::Brand, 10, "C:carol").with("context", "VALUE").with_main("metaData", "VALUE").text();
    let mut conversation = unseen(Dialect::Brand);
    let reception = conversation.receive_state(&text.replace("\"VALUE\"", value)).expect("a state");
    let first = json!(reception.events[0]);
    assert_eq!(first, conversation.members());
    assert_eq!(first["consumer"]["userId"], "carol");
    first
}

/// An event has several levels around a member. A parser that follows 127 levels must be able to read the event.
#[test]
fn a_member_that_is_nested_too_deeply_is_null() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        for (levels, is_kept) in [(120, true), (121, false), (127, false), (300, false)] {
            let value = format!("{}1{}", open.repeat(levels), close.repeat(levels));
            let first = first_with(&value);
            let sent: Value = if is_kept { serde_json::from_str(&value).expect("JSON") } else { Value::Null };
            assert_eq!((&first["context"], &first["dialogs"][0]["metaData"]), (&sent, &sent), "{levels} levels");
        }
    }
}

/// A reader of the event would fail at such a member and lose the others.
#[test]
fn a_member_that_a_parser_refuses_is_null() {
    for value in [r#"{"a":"\ud800"}"#, r#"{"\ud800":1}"#, "[1e999]"] {
        let first = first_with(value);
        assert_eq!((&first["context"], &first["dialogs"][0]["metaData"]), (&Value::Null, &Value::Null), "{value}");
    }
}

#[test]
fn a_member_of_any_shape_is_kept_as_sent() {
    let value = r#"{"a":[1,-2,1.50,true,false,null,"\u00fc\n"],"b":{}}"#;
    let first = first_with(value);
    let sent: Value = serde_json::from_str(value).expect("JSON");
    assert_eq!((&first["context"], &first["dialogs"][0]["metaData"]), (&sent, &sent));
}
