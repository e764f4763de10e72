//! Dialogs within a conversation (DG-N1 to DG-N10, CV-F2, CV-P2, CV-E1).

use serde_json::json;

use super::{super::conversation::DIALOG_LIMIT, ACCOUNT, Dialect, ID, SURVEY, main_id, seen, state, told};
use crate::ums::{DialogType, ParticipantRole};

/// DG-N1.
#[test]
fn a_dialog_not_seen_before_tells_of_itself_only() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol A:anna"));
    assert_eq!(
        told(&mut conversation, &state(Dialect::Brand, 20, "C:carol A:anna").with_survey("OPEN")),
        ["dialog(survey-1)"]
    );
    assert_eq!(conversation.dialog(&SURVEY.into()).map(|survey| survey.participants().len()), Some(1));
}

/// DG-N2, where the conversation's own update time does not decide.
#[test]
fn an_older_dialog_in_an_equally_old_state_is_out_of_order() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
    let stale = state(Dialect::Brand, 10, "C:carol A:anna").with_main("metaDataLastUpdateTs", 9).with("note", "taken");
    assert_eq!(told(&mut conversation, &stale), ["notification-out-of-order"]);
    assert_eq!((conversation.assigned_agent(), conversation.note()), (None, Some("taken")));
    assert_eq!((conversation.notification_count(), conversation.notification_out_of_order_count()), (2, 0));
}

/// DG-N2 and promise 3: the newer state is the truth, whatever its dialogs' times.
#[test]
fn a_newer_state_overrules_the_times_of_its_dialogs() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
    let newer = state(Dialect::Brand, 20, "C:carol A:anna").with_main("metaDataLastUpdateTs", 9);
    assert_eq!(told(&mut conversation, &newer), ["participant-added(anna, false)"]);
}

/// DG-N3, CV-E1.
#[test]
fn a_closing_dialog_tells_its_state_and_who_took_part() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol A:anna"));
    let closed = state(Dialect::Brand, 20, "C:carol A:anna")
        .with_main("state", "CLOSE")
        .with_main("closedBy", "CONSUMER")
        .with_main("closedCause", "Closed by consumer")
        .with_main("endTs", 19);
    let reception = conversation.receive_state(&closed.text()).expect("a state");
    let event = json!(reception.events[0]);
    assert_eq!(event["state"], "CLOSE");
    assert_eq!(event["metaDataLastUpdateTs"], 20);
    assert_eq!(event["closedBy"], "CONSUMER");
    assert_eq!(event["closedCause"], "Closed by consumer");
    assert_eq!(event["participantsDetails"].as_array().map(Vec::len), Some(2));
    assert_eq!(conversation.main_dialog().and_then(|main| main.end_time).map(|time| time.0), Some(19));
}

/// DG-N3, ours: a newer state is the truth, so a dialog can go on.
#[test]
fn a_dialog_that_opens_again_is_told_again() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol").with_main("state", "CLOSE"));
    assert_eq!(told(&mut conversation, &state(Dialect::Brand, 20, "C:carol")), ["dialog(main)"]);
    assert_eq!(conversation.open_dialog().map(|open| open.dialog_id.clone()), Some(main_id()));
}

/// DG-N4, ours: the open dialog is the survey once MAIN is closed, and CV-P2: never a co-browse session.
#[test]
fn one_writes_to_main_then_to_the_survey_and_never_to_a_call() {
    let call = json!({"dialogId": "call-1", "dialogType": "OTHER", "channelType": "COBROWSE", "state": "OPEN",
        "creationTs": 99, "metaDataLastUpdateTs": 99});
    let open = state(Dialect::Consumer, 10, "C:carol").with_survey("OPEN").with_dialog(call);
    let mut conversation = seen(&open);
    assert_eq!(conversation.open_dialog().map(|open| open.dialog_id.as_str()), Some(ID));
    let survey = super::State { ..open }.with("metaDataLastUpdateTs", 20).with_main("state", "CLOSE");
    told(&mut conversation, &survey);
    assert_eq!(conversation.open_dialog().map(|open| open.dialog_id.as_str()), Some(SURVEY));
}

/// CV-F2.
#[test]
fn of_several_surveys_the_last_updated_is_meant() {
    let survey = |id: &str, time: i64| {
        json!({"dialogId": id, "dialogType": "POST_SURVEY", "channelType": "MESSAGING", "state": "CLOSE",
            "metaDataLastUpdateTs": time, "participantsDetails": []})
    };
    let conversation =
        seen(&state(Dialect::Brand, 10, "C:carol").with_dialog(survey("new", 9)).with_dialog(survey("old", 5)));
    assert_eq!(conversation.get_dialog(&DialogType::PostSurvey).map(|dialog| dialog.dialog_id.as_str()), Some("new"));
    assert!(conversation.get_dialog(&DialogType::Agents).is_none());
}

/// DG-N5.
#[test]
fn additions_come_before_suggestions_and_removals() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol A:anna r:rita"));
    assert_eq!(
        told(&mut conversation, &state(Dialect::Brand, 20, "C:carol S:sven M:max")),
        [
            "participant-added(max, false)",
            "participant-suggested(sven)",
            "transfer-agent(sven)",
            "participant-removed(anna)",
            "participant-suggested-removed(rita)",
        ]
    );
}

/// DG-N6: in the new role, with the one before beside it, and neither as an addition nor as a removal.
#[test]
fn a_change_of_role_alone_tells_the_participant_as_it_is_now_and_the_role_before() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol A:anna M:max"));
    let reception = conversation.receive_state(&state(Dialect::Brand, 20, "C:carol A:anna R:max").text());
    let events = reception.expect("a state").events;
    let [event] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(event.name(), "participant-role-change");
    let max = json!({"userId": "max", "agentId": format!("{ACCOUNT}.max"), "role": "READER", "state": "ACTIVE",
        "chatState": "ACTIVE"});
    assert_eq!(json!(event), json!({"dialogId": ID, "participant": max, "previousRole": "MANAGER"}));
    let max = conversation.main_dialog().and_then(|main| main.participant("max"));
    assert_eq!(max.map(|max| max.role.clone()), Some(ParticipantRole::Reader));
}

/// DG-N6: a role that is told again with other news is no change.
#[test]
fn roles_that_stay_are_not_told() {
    let mut conversation = seen(&state(Dialect::Consumer, 10, "C:carol S:anna M:max"));
    assert_eq!(
        told(&mut conversation, &state(Dialect::Consumer, 20, "C:carol A:anna M:max R:rita")),
        ["participant-added(anna, true)", "participant-added(rita, false)"]
    );
}

/// DG-N7, ours: kept without an event.
#[test]
fn a_participant_of_unknown_status_is_kept_quietly() {
    let mut conversation = seen(&state(Dialect::Consumer, 10, "C:carol"));
    let listed = json!([{"id": "carol", "role": "CONSUMER", "state": "ACTIVE"}, {"id": "x", "role": "WIZARD", "state": "HIDDEN"}]);
    let after = state(Dialect::Consumer, 20, "C:carol").with_main("participantsDetails", listed);
    assert_eq!(told(&mut conversation, &after), [""; 0]);
    assert_eq!(conversation.main_dialog().map(|main| main.participants().len()), Some(2));
}

/// DG-N8, ours: whoever returns has the role of now.
#[test]
fn a_participant_who_returns_has_the_new_role() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol A:anna M:max"));
    told(&mut conversation, &state(Dialect::Brand, 20, "C:carol A:anna"));
    assert_eq!(
        told(&mut conversation, &state(Dialect::Brand, 30, "C:carol A:anna R:max")),
        ["participant-added(max, false)"]
    );
    let max = conversation.main_dialog().and_then(|main| main.participant("max"));
    assert_eq!(max.map(|max| max.role.clone()), Some(ParticipantRole::Reader));
}

/// DG-N10: a suggested agent that is in the details only is known by agent id, and is the same one when the maps name
/// its public id.
#[test]
fn a_suggested_agent_known_by_agent_id_pairs_with_its_public_id() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
    let suggested = state(Dialect::Brand, 20, "C:carol S:sven")
        .with("participants", json!({"CONSUMER": ["carol"]}))
        .with("participantsPId", json!({"CONSUMER": ["carol"]}));
    let agent_id = format!("{ACCOUNT}.sven");
    assert_eq!(
        told(&mut conversation, &suggested),
        [format!("participant-suggested({agent_id})"), format!("transfer-agent({agent_id})"),]
    );
    assert_eq!(
        told(&mut conversation, &state(Dialect::Brand, 30, "C:carol A:sven")),
        ["participant-added(sven, true)"]
    );
}

/// DG-N10, Q18: maps that do not pair are not paired wrongly.
#[test]
fn public_ids_that_lack_a_role_or_a_member_are_not_paired() {
    let unpaired = state(Dialect::Brand, 10, "C:carol A:anna R:rita R:rolf")
        .with("participantsPId", json!({"CONSUMER": ["carol"], "READER": ["rolf"]}));
    let conversation = seen(&unpaired);
    let users: Vec<_> = conversation.main_dialog().into_iter().flat_map(|main| main.participants()).collect();
    let users: Vec<_> = users.iter().map(|participant| participant.user_id.as_str()).collect();
    assert_eq!(users, ["carol", "12345678.anna", "12345678.rita", "12345678.rolf"]);
}

#[test]
fn an_old_conversation_without_details_has_the_people_of_its_roster() {
    let mut old = state(Dialect::Brand, 10, "C:carol A:anna");
    old = old.with_main("participantsDetails", serde_json::Value::Null);
    let conversation = seen(&old);
    assert_eq!(conversation.consumer().map(|consumer| consumer.user_id.as_str()), Some("carol"));
    assert_eq!(conversation.assigned_agent().map(|agent| agent.user_id.as_str()), Some("anna"));
}

/// DG-N10: of an agent listed under two roles the first counts.
#[test]
fn somebody_listed_twice_takes_part_once() {
    for listed in [json!(null), super::details("C:carol A:anna M:anna", Dialect::Brand)] {
        let twice = state(Dialect::Brand, 10, "C:carol A:anna M:anna").with_main("participantsDetails", listed);
        let conversation = seen(&twice);
        assert_eq!(conversation.main_dialog().map(|main| main.participants().len()), Some(2));
        assert_eq!(conversation.assigned_agent().map(|agent| agent.user_id.as_str()), Some("anna"));
    }
}

#[test]
fn a_dialog_that_a_newer_state_does_not_tell_of_stays_known() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol").with_survey("CLOSE"));
    told(&mut conversation, &state(Dialect::Brand, 20, "C:carol"));
    assert!(conversation.dialog(&SURVEY.into()).is_some());
}

/// Promise 6.
#[test]
fn dialogs_beyond_the_limit_are_forgotten_once_no_state_tells_of_them() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
    for time in 20..20 + 3 * i64::try_from(DIALOG_LIMIT).expect("small") {
        let dialog = json!({"dialogId": format!("d{time}"), "dialogType": "OTHER", "state": "CLOSE"});
        told(&mut conversation, &state(Dialect::Brand, time, "C:carol").with_dialog(dialog));
        assert!(conversation.dialogs().len() <= DIALOG_LIMIT);
    }
    assert!(conversation.main_dialog().is_some());
}
