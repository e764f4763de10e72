//! How the platform's looseness is read (§4.4), one promise a test.

use serde_json::json;

use crate::{id::SkillId, time::Timestamp, ums::*};

fn notification(kind: &str, body: &str) -> String {
    format!(r#"{{"kind":"notification","type":"{kind}","body":{body}}}"#)
}

fn messages(text: &str) -> Messages<'_> {
    match Frame::decode(text).unwrap() {
        Frame::Notification(Notification::Messages(messages)) => messages,
        frame => panic!("{frame:?}"),
    }
}

fn changes(text: &str) -> ConversationChanges<'_> {
    match Frame::decode(text).unwrap() {
        Frame::Notification(Notification::Conversations(changes)) => changes,
        frame => panic!("{frame:?}"),
    }
}

fn response(text: &str) -> Response<'_> {
    match Frame::decode(text).unwrap() {
        Frame::Response(response) => response,
        frame => panic!("{frame:?}"),
    }
}

fn state(text: &str) -> ConversationState<'_> {
    serde_json::from_str(text).unwrap()
}

fn details(members: &str) -> ConversationDetails<'_> {
    serde_json::from_str(members).unwrap()
}

#[test]
fn the_members_of_a_frame_come_in_any_order() {
    let kind = r#""kind":"notification""#;
    let named = r#""type":"cqm.ExConversationChangeNotification""#;
    let body = r#""body":{"subscriptionId":"s","changes":[{"type":"DELETE","result":{"convId":"c"}}]}"#;
    for members in [[kind, named, body], [named, kind, body], [body, named, kind], [kind, body, named]] {
        let text = format!("{{{}}}", members.join(","));
        let change = &changes(&text).changes[0];
        assert_eq!((&change.kind, change.conversation_id().unwrap().as_str()), (&ChangeKind::Delete, "c"), "{text}");
    }
}

#[test]
fn ids_are_strings_or_numbers() {
    assert_eq!(response(r#"{"kind":"resp","reqId":23,"code":200}"#).request_id.unwrap().as_str(), "23");
    let details =
        details(r#"{"skillId":-1,"brandId":12345678,"campaignInfo":{"campaignId":700001,"engagementId":"800001"}}"#);
    assert_eq!(details.skill_id.value().map(SkillId::from), Some(SkillId::from("-1")));
    assert_eq!(details.brand_id.unwrap().as_str(), "12345678");
    let campaign = details.campaign_info.value().unwrap();
    assert_eq!(campaign.campaign_id.as_deref(), Some("700001"));
    assert_eq!(campaign.engagement_id.as_deref(), Some("800001"));
}

#[test]
fn codes_are_numbers_strings_words_or_absent() {
    let code = |code: &str| response(&format!(r#"{{"kind":"resp","reqId":"1",{code}"body":1}}"#)).code;
    assert_eq!(code(r#""code":202,"#), Code(202));
    assert_eq!(code(r#""code":"404","#), Code(404));
    assert_eq!(code(r#""code":"OK","#), Code(200));
    assert_eq!(code(r#""code":"BAD_REQUEST","#), Code(400));
    assert_eq!(code(""), Code(200));
}

#[test]
fn an_answer_of_the_send_api_needs_no_kind() {
    let answer = response(r#"{"reqId":"1","code":"OK","body":{"sequence":3}}"#);
    assert_eq!(answer.published(), Ok(Some(3)));
}

#[test]
fn an_upload_expires_at_a_string_of_digits() {
    let text = r#"{"kind":"resp","reqId":"3","code":200,"body":{"relativePath":"/v1/a","queryParams":{"temp_url_sig":"6f","temp_url_expires":"1474973420"}}}"#;
    assert_eq!(response(text).signed_url().unwrap().query_params.temp_url_expires, Timestamp(1_474_973_420));
}

#[test]
fn counts_and_times_come_as_numbers_fractions_or_digits() {
    let state = state(
        r#"{"convId":"c","effectiveTTR":"1735690200000","lastUpdateTime":1.5e3,"numberOfunreadMessages":{"a":"2","b":1.0,"c":-4,"d":null}}"#,
    );
    assert_eq!(state.effective_ttr, Presence::Value(Timestamp(1_735_690_200_000)));
    assert_eq!(state.last_update_time, Some(Timestamp(1500)));
    let counts: Vec<u64> = state.number_of_unread_messages.value().unwrap().0.iter().map(|(_, count)| *count).collect();
    assert_eq!(counts, [2, 1, 0, 0]);
}

#[test]
fn an_optional_number_in_other_words_is_absent() {
    let details = details(r#"{"ttr":{"ttrType":"","value":""},"csatRate":"none"}"#);
    let ttr = details.ttr.value().unwrap();
    assert_eq!((ttr.ttr_type.as_ref(), ttr.value), (Some(&TtrType::Unlisted("".into())), None));
    assert_eq!(details.csat_rate, None);
}

#[test]
fn changes_are_one_or_many() {
    for body in [
        r#"{"changes":{"type":"UPSERT","result":{"convId":"c"}}}"#,
        r#"{"changes":[{"type":"UPSERT","result":{"convId":"c"}}]}"#,
    ] {
        let text = notification("cqm.ExConversationChangeNotification", body);
        let changes = changes(&text).changes;
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].conversation_id().unwrap().as_str(), "c");
    }
}

#[test]
fn records_are_a_batch_an_element_or_the_body_itself() {
    let record =
        r#"{"sequence":2,"dialogId":"d","event":{"type":"ContentEvent","contentType":"text/plain","message":"hi"}}"#;
    for kind in [".ams.ms.OnlineEventDistribution", "ms.OnlineEventDistribution", "ms.MessagingEventNotification"] {
        for body in [record.to_owned(), format!(r#"{{"changes":{record}}}"#), format!(r#"{{"changes":[{record}]}}"#)] {
            let text = notification(kind, &body);
            let records = messages(&text).records;
            assert_eq!(records.len(), 1, "{text}");
            assert_eq!(records[0].sequence, Some(2));
        }
    }
}

#[test]
fn an_empty_batch_has_no_records() {
    let text = notification("ms.MessagingEventNotification", r#"{"dialogId":"d","conversationId":"c","changes":[]}"#);
    let batch = messages(&text);
    assert!(batch.records.is_empty());
    assert_eq!(batch.dialog_id.as_deref(), Some("d"));
    assert_eq!(batch.conversation_id.as_deref(), Some("c"));
}

#[test]
fn sequences_of_a_receipt_are_one_or_many_numbers_or_digits() {
    for (list, expected) in [("5", vec![5]), (r#""5""#, vec![5]), (r#"[3,"4"]"#, vec![3, 4]), ("null", vec![])] {
        let text = format!(r#"{{"event":{{"type":"AcceptStatusEvent","status":"READ","sequenceList":{list}}}}}"#);
        let record: MessageRecord<'_> = serde_json::from_str(&text).unwrap();
        assert_eq!(record.event, MessageContent::AcceptStatus { status: DeliveryStatus::Read, sequences: expected });
    }
}

#[test]
fn conversation_fields_and_metadata_are_one_or_many() {
    let text = r#"{"id":1,"type":".ams.cm.UpdateConversationField","body":{"conversationId":"c","conversationField":{"field":"Note","note":"n"}},"metadata":{"type":"ExternalId","id":"k"}}"#;
    let frame = RequestFrame::decode(text).unwrap();
    assert_eq!(frame.id.as_str(), "1");
    assert_eq!(frame.metadata.len(), 1);
    let Request::UpdateConversation(update) = frame.request else { panic!("not an update") };
    assert_eq!(update.conversation_field, [FieldChange::Note { note: "n".to_owned() }]);
}

/// DG-N10
#[test]
fn participants_are_a_map_of_roles_or_a_list() {
    let map = details(
        r#"{"participants":{"CONSUMER":["c"],"ASSIGNED_AGENT":["1.2"],"READER":[],"MANAGER":null,"CONTROLLER":"1.3"},
            "participantsPId":{"CONSUMER":["c"],"ASSIGNED_AGENT":["pid"]}}"#,
    );
    let list = details(r#"{"participants":[{"id":"c","role":"CONSUMER"},{"id":"pid","role":"ASSIGNED_AGENT"}]}"#);
    let names = |details: &ConversationDetails<'_>| -> Vec<String> {
        details
            .people()
            .iter()
            .map(|person| format!("{} {} {:?}", person.role, person.user_id, person.agent_id.as_deref()))
            .collect()
    };
    assert_eq!(names(&map), ["CONSUMER c None", r#"ASSIGNED_AGENT pid Some("1.2")"#, r#"CONTROLLER 1.3 Some("1.3")"#]);
    assert_eq!(names(&list), ["CONSUMER c None", "ASSIGNED_AGENT pid None"]);
}

/// DG-N10, Q18
#[test]
fn agent_ids_stand_in_where_the_maps_differ_in_length() {
    let details = details(r#"{"participants":{"MANAGER":["1.2","1.3"]},"participantsPId":{"MANAGER":["pid"]}}"#);
    let people = details.people();
    assert_eq!(people.iter().map(|person| person.user_id.as_str()).collect::<Vec<_>>(), ["1.2", "1.3"]);
}

#[test]
fn public_ids_alone_tell_of_the_people_too() {
    let details = details(r#"{"participantsPId":{"ASSIGNED_AGENT":["pid"]}}"#);
    assert_eq!(details.people()[0].user_id.as_str(), "pid");
    assert_eq!(details.people()[0].agent_id, None);
}

#[test]
fn optional_members_may_be_missing_or_null() {
    let bare = state(r#"{"convId":"c","conversationDetails":{}}"#);
    assert_eq!(bare.conversation_details, Some(ConversationDetails::default()));
    let null = details(
        r#"{"convId":null,"participants":null,"participantsPId":null,"dialogs":null,"state":null,"stage":null,"startTs":null,
            "closeReason":null,"firstConversation":null,"csatRate":null}"#,
    );
    assert_eq!(null, ConversationDetails::default());
    let dialog: DialogState<'_> =
        serde_json::from_str(r#"{"dialogId":"d","participantsDetails":null,"metaData":null}"#).unwrap();
    assert!(dialog.participants_details.is_none() && dialog.meta_data.is_none());
    assert!(state(r#"{"convId":"c"}"#).conversation_details.is_none());
}

/// CV-N7
#[test]
fn a_null_member_says_nothing_and_an_absent_one_does_not_say() {
    let null = details(r#"{"note":null,"groupId":null,"csat":null,"manualETTR":null,"skillId":""}"#);
    assert_eq!(null.note, Presence::Null);
    assert_eq!(null.group_id.said(), Some(None));
    assert_eq!(null.csat, Presence::Null);
    assert_eq!(null.manual_ettr, Presence::Null);
    assert_eq!(null.skill_id.value().unwrap().non_empty(), None);
    assert_eq!(null.ttr, Presence::Absent);
    assert_eq!(null.ttr.said(), None);
}

#[test]
fn unknown_members_are_ignored() {
    let text = notification(
        "ms.MessagingEventNotification",
        r#"{"sentTs":1,"news":{"a":[1]},"changes":[{"news":1,"event":{"type":"ChatStateEvent","chatState":"ACTIVE","news":1}}]}"#,
    );
    assert_eq!(messages(&text).records[0].event, MessageContent::ChatState { chat_state: ChatState::Active });
    let state =
        state(r#"{"news":1,"convId":"c","conversationDetails":{"news":[],"dialogs":[{"dialogId":"d","news":{}}]}}"#);
    assert_eq!(state.conversation_details.unwrap().dialogs.len(), 1);
}

#[test]
fn unknown_enumeration_values_are_kept() {
    let details = details(
        r#"{"stage":"PAUSED","participants":{"ORACLE":["x"]},"dialogs":[{"dialogId":"d","state":"HALF_OPEN"}]}"#,
    );
    assert_eq!(details.stage, Some(Stage::Unlisted("PAUSED".into())));
    assert_eq!(details.people()[0].role.as_str(), "ORACLE");
    assert_eq!(details.dialogs[0].state.as_ref().unwrap().as_str(), "HALF_OPEN");
    assert_eq!(serde_json::to_string(&details.stage).unwrap(), r#""PAUSED""#);
}

/// MS-2
#[test]
fn an_unknown_kind_of_event_is_kept_with_its_sequence() {
    let record: MessageRecord<'_> =
        serde_json::from_str(r#"{"sequence":9,"event":{"type":"HologramEvent","message":1}}"#).unwrap();
    assert_eq!(record.sequence, Some(9));
    assert_eq!(record.event, MessageContent::Unlisted { kind: "HologramEvent".into() });
}

#[test]
fn an_unknown_notification_is_kept_raw() {
    for kind in [".ams.cm.ConversationChangeNotification", ".ams.routing.RingUpdated"] {
        let text = notification(kind, r#"{"a":1}"#);
        let Frame::Notification(Notification::Unlisted { kind: read, body }) = Frame::decode(&text).unwrap() else {
            panic!("{kind} is listed")
        };
        assert_eq!((read.as_str(), body.unwrap().get()), (kind, r#"{"a":1}"#));
    }
}

#[test]
fn a_structured_content_is_found_under_either_name() {
    for name in ["content", "message"] {
        let text = format!(r#"{{"event":{{"type":"RichContentEvent","{name}":{{"type":"vertical"}}}}}}"#);
        let record: MessageRecord<'_> = serde_json::from_str(&text).unwrap();
        let MessageContent::Rich { content, .. } = &record.event else { panic!("not rich") };
        assert_eq!(content.get(), r#"{"type":"vertical"}"#);
    }
}

#[test]
fn the_originator_is_the_public_id_wherever_it_is_told() {
    let user = |members: &str| {
        let text = format!(r#"{{{members}"event":{{"type":"X"}}}}"#);
        serde_json::from_str::<MessageRecord<'_>>(&text).unwrap().originator_user_id().map(str::to_owned)
    };
    assert_eq!(user(r#""originatorId":"1.2","originatorPId":"pid","#).as_deref(), Some("pid"));
    assert_eq!(
        user(r#""originatorId":"1.2","originatorMetadata":{"id":"pid","role":"MANAGER"},"#).as_deref(),
        Some("pid")
    );
    assert_eq!(user(r#""originatorId":"consumer","#).as_deref(), Some("consumer"));
    assert_eq!(user(""), None);
}

#[test]
fn an_agent_state_without_a_result_is_no_change() {
    let text = notification(
        ".ams.routing.AgentStateNotification",
        r#"{"changes":[{"type":"DELETE"},{"type":"UPSERT","result":{"channels":["MESSAGING"],"availability":"ONLINE"}}]}"#,
    );
    let Frame::Notification(Notification::AgentStates(states)) = Frame::decode(&text).unwrap() else {
        panic!("not agent states")
    };
    assert_eq!(states, [AgentStateChange { availability: AgentState::Online, agent_user_id: None }]);
}

/// RG-1
#[test]
fn a_ring_needs_its_id_and_its_state_only() {
    let text = notification(
        ".ams.routing.RoutingTaskNotification",
        r#"{"changes":[{"type":"UPSERT","result":{"ringsDetails":[{"ringId":"c_1_2","ringState":"WAITING"}]}}]}"#,
    );
    let Frame::Notification(Notification::Rings(rings)) = Frame::decode(&text).unwrap() else { panic!("not rings") };
    let task = rings.changes[0].result.as_ref().unwrap();
    assert_eq!(task.rings_details[0].ring_state, RingState::Waiting);
    assert_eq!(task.task_completed, None);
}

/// Protocol §3.1: `appId` and `appVersion` are in a socket's URL, whatever characters they contain.
#[test]
fn application_and_integration_are_told_in_the_address_of_a_socket() {
    assert_eq!(ClientProperties::default().socket_query(), "");
    let properties: ClientProperties = serde_json::from_value(json!({"appId": "shop & co", "appVersion": "1.2",
        "integration": "BRAND_SDK", "integrationVersion": "3", "os": "LINUX"}))
    .expect("properties");
    assert_eq!(properties.socket_query(), "&appid=shop%20%26%20co&appvn=1.2&intid=BRAND_SDK&intvn=3");
}

/// RG-3, ours: one offer or several are all read.
#[test]
fn offers_are_one_or_many() {
    let ring = |id: &str| json!({"ringId": id, "ringState": "WAITING"});
    for (offers, expected) in [(ring("a"), vec!["a"]), (json!([ring("a"), ring("b")]), vec!["a", "b"])] {
        let text = json!({"conversationId": "c", "ringsDetails": offers}).to_string();
        let task: RoutingTask<'_> = serde_json::from_str(&text).unwrap();
        let ids: Vec<&str> = task.rings_details.iter().map(|ring| ring.ring_id.as_str()).collect();
        assert_eq!(ids, expected);
    }
}
