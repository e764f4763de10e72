//! Dialogs within a conversation (DG-N1 to DG-N10, CV-F2, CV-P2, CV-E1).

use serde_json::json;

use super::{
    super::{
        Member,
        conversation::{DIALOG_LIMIT, DIALOGS_PER_STATE},
    },
    ACCOUNT, Dialect, ID, SURVEY, content, labels, main_id, receive, seen, state, told, unseen,
};
use crate::ums::{DialogType, ParticipantRole};

/// DG-N1.
#[test]
fn a_dialog_not_seen_before_tells_of_itself_only() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol A:anna"));
    assert_eq!(
        told(&mut conversation, &state(Dialect::Brand, 20, "C:carol A:anna").with_survey("OPEN")),
        ["dialog(survey-1)", "update(dialogs)"]
    );
    assert_eq!(conversation.dialog(&SURVEY.into()).map(|survey| survey.participants().len()), Some(1));
}

/// DG-N2, where the conversation's own update time does not decide.
#[test]
fn an_older_dialog_in_an_equally_old_state_is_out_of_order() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
    let stale = state(Dialect::Brand, 10, "C:carol A:anna").with_main("metaDataLastUpdateTs", 9).with("note", "taken");
    assert_eq!(told(&mut conversation, &stale), ["notification-out-of-order", "update(note)"]);
    assert_eq!((conversation.assigned_agent(), conversation.note()), (None, Some("taken")));
    assert_eq!((conversation.notification_count(), conversation.notification_out_of_order_count()), (2, 0));
}

/// DG-N2 and promise 3: the newer state is the truth, whatever its dialogs' times.
#[test]
fn a_newer_state_overrules_the_times_of_its_dialogs() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
    let newer = state(Dialect::Brand, 20, "C:carol A:anna").with_main("metaDataLastUpdateTs", 9);
    assert_eq!(
        told(&mut conversation, &newer),
        ["participant-added(anna, false)", "update(assignedAgent participants)"]
    );
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

/// DG-N3, ours: a newer state is the truth, so a dialog can reopen.
#[test]
fn a_dialog_that_opens_again_is_reported_again() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol").with_main("state", "CLOSE"));
    assert_eq!(told(&mut conversation, &state(Dialect::Brand, 20, "C:carol")), ["dialog(main)", "update(consumer)"]);
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
            "update(assignedAgent participants)",
        ]
    );
}

/// DG-N6: the event has the new role and the previous role, and is neither an addition nor a removal.
#[test]
fn a_change_of_role_alone_tells_the_participant_as_it_is_now_and_the_role_before() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol A:anna M:max"));
    let reception = conversation.receive_state(&state(Dialect::Brand, 20, "C:carol A:anna R:max").text());
    let events = reception.expect("a state").events;
    let [event, update] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((event.name(), update.name()), ("participant-role-change", "update"));
    let max = json!({"userId": "max", "agentId": format!("{ACCOUNT}.max"), "role": "READER", "state": "ACTIVE",
        "chatState": "ACTIVE"});
    assert_eq!(json!(event), json!({"dialogId": ID, "participant": max, "previousRole": "MANAGER"}));
    let max = conversation.main_dialog().and_then(|main| main.participant("max"));
    assert_eq!(max.map(|max| max.role.clone()), Some(ParticipantRole::Reader));
}

/// DG-N6: an unchanged role in a state with other changes emits nothing.
#[test]
fn unchanged_roles_are_not_reported() {
    let mut conversation = seen(&state(Dialect::Consumer, 10, "C:carol S:anna M:max"));
    assert_eq!(
        told(&mut conversation, &state(Dialect::Consumer, 20, "C:carol A:anna M:max R:rita")),
        ["participant-added(anna, true)", "participant-added(rita, false)", "update(assignedAgent participants)"]
    );
}

/// DG-N7, ours: kept without an event of its own.
#[test]
fn a_participant_of_unknown_status_is_kept_quietly() {
    let mut conversation = seen(&state(Dialect::Consumer, 10, "C:carol"));
    let listed = json!([{"id": "carol", "role": "CONSUMER", "state": "ACTIVE"}, {"id": "x", "role": "WIZARD", "state": "HIDDEN"}]);
    let after = state(Dialect::Consumer, 20, "C:carol").with_main("participantsDetails", listed);
    assert_eq!(told(&mut conversation, &after), ["update(dialogs participants)"]);
    assert_eq!(conversation.main_dialog().map(|main| main.participants().len()), Some(2));
}

/// DG-N8, ours: a participant who returns has the present role.
#[test]
fn a_participant_who_returns_has_the_new_role() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol A:anna M:max"));
    told(&mut conversation, &state(Dialect::Brand, 20, "C:carol A:anna"));
    assert_eq!(
        told(&mut conversation, &state(Dialect::Brand, 30, "C:carol A:anna R:max")),
        ["participant-added(max, false)", "update(participants)"]
    );
    let max = conversation.main_dialog().and_then(|main| main.participant("max"));
    assert_eq!(max.map(|max| max.role.clone()), Some(ParticipantRole::Reader));
}

/// DG-N10: a suggested agent that is only in the details is known by agent id, and stays the same participant when the
/// maps name its public id.
#[test]
fn a_suggested_agent_known_by_agent_id_pairs_with_its_public_id() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
    let suggested = state(Dialect::Brand, 20, "C:carol S:sven")
        .with("participants", json!({"CONSUMER": ["carol"]}))
        .with("participantsPId", json!({"CONSUMER": ["carol"]}));
    let agent_id = format!("{ACCOUNT}.sven");
    assert_eq!(
        told(&mut conversation, &suggested),
        [
            format!("participant-suggested({agent_id})"),
            format!("transfer-agent({agent_id})"),
            "update(assignedAgent participants)".to_owned(),
        ]
    );
    assert_eq!(
        told(&mut conversation, &state(Dialect::Brand, 30, "C:carol A:sven")),
        ["participant-added(sven, true)", "update(assignedAgent participants)"]
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

/// DG-N10: for an agent listed under two roles the first one counts.
#[test]
fn somebody_listed_twice_takes_part_once() {
    for listed in [json!(null), super::details("C:carol A:anna M:anna", Dialect::Brand)] {
        let twice = state(Dialect::Brand, 10, "C:carol A:anna M:anna").with_main("participantsDetails", listed);
        let conversation = seen(&twice);
        assert_eq!(conversation.main_dialog().map(|main| main.participants().len()), Some(2));
        assert_eq!(conversation.assigned_agent().map(|agent| agent.user_id.as_str()), Some("anna"));
    }
}

/// CV-N7: the newest state is the truth.
#[test]
fn a_dialog_that_a_newer_state_does_not_tell_of_ends() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol").with_survey("OPEN"));
    let reception = conversation.receive_state(&state(Dialect::Brand, 20, "C:carol").text()).expect("a state");
    assert_eq!(labels(&reception), ["dialog.close(survey-1)", "update(dialogs)"]);
    assert_eq!(reception.unset.to_vec(), [Member::Dialog]);
    assert_eq!(conversation.members()["dialogs"].as_array().map(Vec::len), Some(1));
    assert!(conversation.get_dialog(&DialogType::PostSurvey).is_none());
    assert_eq!(told(&mut conversation, &state(Dialect::Brand, 30, "C:carol")), [""; 0]);
    let back = state(Dialect::Brand, 40, "C:carol").with_survey("OPEN");
    assert_eq!(
        told(&mut conversation, &back),
        ["dialog(survey-1)", "participant-added(carol, false)", "update(dialogs)"]
    );
}

#[test]
fn a_closed_dialog_disappears_without_another_close_event() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol").with_survey("CLOSE"));
    assert_eq!(told(&mut conversation, &state(Dialect::Brand, 20, "C:carol")), ["update(dialogs)"]);
}

/// Promise 3: a late state, older than two states without the dialog, changes nothing.
#[test]
fn nobody_takes_part_in_a_dialog_that_is_gone_whatever_comes_late() {
    let mut with_survey = state(Dialect::Brand, 30, "C:carol").with_survey("CLOSE");
    let mut conversation = seen(&with_survey);
    for time in [40, 60] {
        told(&mut conversation, &state(Dialect::Brand, time, "C:carol"));
    }
    with_survey.details["metaDataLastUpdateTs"] = json!(50);
    assert_eq!(told(&mut conversation, &with_survey), ["notification-out-of-order"]);
    assert!(conversation.dialog(&SURVEY.into()).is_some_and(|survey| survey.participants().is_empty()));
}

/// Promise 2: what was delivered is not delivered again.
#[test]
fn the_messages_of_a_dialog_that_comes_back_go_on_where_they_ended() {
    let survey = |sequence| {
        let mut record = content(sequence);
        record["dialogId"] = json!(SURVEY);
        record
    };
    let with_survey = |time| state(Dialect::Brand, time, "C:carol").with_survey("OPEN");
    let mut conversation = seen(&with_survey(10));
    assert_eq!(labels(&receive(&mut conversation, &survey(0))), ["message(0)"]);
    told(&mut conversation, &state(Dialect::Brand, 20, "C:carol"));
    assert_eq!(labels(&receive(&mut conversation, &survey(0))), [""; 0]);
    told(&mut conversation, &with_survey(30));
    assert_eq!(labels(&receive(&mut conversation, &survey(0))), [""; 0]);
    assert_eq!(labels(&receive(&mut conversation, &survey(1))), ["message(1)"]);
}

/// CV-N7: members of a dialog that a state lacks are unset, including its cause.
#[test]
fn members_that_a_newer_state_lacks_are_unset_in_dialogs_too() {
    let closed = |time| state(Dialect::Brand, time, "C:carol").with_main("state", "CLOSE");
    let mut conversation =
        seen(&closed(10).with_main("closedCause", "done").with_main("closedBy", "AGENT").with_main("endTs", 9));
    let reception = conversation.receive_state(&closed(20).text()).expect("a state");
    let main = conversation.main_dialog().expect("MAIN");
    assert_eq!((&main.closed_cause, &main.closed_by, main.end_time), (&None, &None, None));
    assert_eq!(reception.unset.to_vec(), [Member::DialogEndTime, Member::DialogClosedBy, Member::DialogClosedCause]);
}

/// Published states without dialogs, from the oldest webhooks.
#[test]
fn a_state_without_dialogs_tells_by_its_roster_who_takes_part_in_main() {
    for dialogs in [json!(null), json!([])] {
        let bare = |time, people: &str| {
            let mut bare = state(Dialect::Consumer, time, people).value();
            bare["conversationDetails"]["dialogs"] = dialogs.clone();
            bare.to_string()
        };
        let mut conversation = unseen(Dialect::Consumer);
        conversation.receive_state(&bare(10, "C:carol")).expect("a state");
        assert_eq!(conversation.consumer().map(|consumer| consumer.user_id.as_str()), Some("carol"));
        let reception = conversation.receive_state(&bare(20, "A:anna C:carol")).expect("a state");
        assert_eq!(labels(&reception), ["participant-added(anna, false)", "update(assignedAgent participants)"]);
        assert_eq!(conversation.assigned_agent().map(|agent| agent.user_id.as_str()), Some("anna"));
        let mut closed: serde_json::Value = serde_json::from_str(&bare(30, "C:carol")).expect("a state");
        closed["conversationDetails"]["state"] = json!("CLOSE");
        closed["conversationDetails"]["stage"] = json!("CLOSE");
        let reception = conversation.receive_state(&closed.to_string()).expect("a state");
        let update = "update(assignedAgent consumer participants stage)";
        let expected = ["close", "dialog.close(main)", "participant-removed(anna)", update];
        assert_eq!(labels(&reception), expected);
    }
}

#[test]
fn an_empty_list_says_that_nobody_takes_part_and_an_absent_one_says_nothing() {
    let empty = state(Dialect::Brand, 10, "C:carol A:anna").with_main("participantsDetails", json!([]));
    assert_eq!(seen(&empty).main_dialog().map(|main| main.participants().len()), Some(0));

    let survey = |time, listed: serde_json::Value| {
        let survey =
            json!({"dialogId": SURVEY, "dialogType": "POST_SURVEY", "state": "OPEN", "participantsDetails": listed});
        state(Dialect::Brand, time, "C:carol").with_dialog(survey)
    };
    let mut conversation = seen(&survey(10, super::details("C:carol", Dialect::Brand)));
    assert_eq!(told(&mut conversation, &survey(20, json!(null))), [""; 0]);
    assert_eq!(conversation.dialog(&SURVEY.into()).map(|survey| survey.participants().len()), Some(1));
    assert_eq!(told(&mut conversation, &survey(30, json!([]))), ["participant-removed(carol)"]);
}

/// CV-M2.
#[test]
fn an_agent_who_takes_part_is_assigned_before_one_who_is_suggested() {
    let conversation = seen(&state(Dialect::Brand, 10, "C:carol S:bert A:anna"));
    assert_eq!(conversation.assigned_agent().map(|agent| agent.user_id.as_str()), Some("anna"));
    let conversation = seen(&state(Dialect::Brand, 10, "C:carol S:bert"));
    assert_eq!(conversation.assigned_agent().map(|agent| agent.user_id.as_str()), Some("bert"));
}

/// DG-N10: and never sends a conversation back to its queue.
#[test]
fn of_somebody_listed_twice_the_assignment_counts() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol A:anna M:max"));
    assert_eq!(
        told(&mut conversation, &state(Dialect::Brand, 20, "C:carol M:max S:max")),
        [
            "participant-suggested(max)",
            "transfer-agent(max)",
            "participant-removed(anna)",
            "participant-role-change(max, MANAGER -> ASSIGNED_AGENT)",
            "update(assignedAgent participants)",
        ]
    );
    assert_eq!(conversation.assigned_agent().map(|agent| agent.user_id.as_str()), Some("max"));
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

/// Promise 7: for any number of dialogs in one state.
#[test]
fn of_a_state_with_thousands_of_dialogs_some_are_taken_and_main_is() {
    let mut many = state(Dialect::Brand, 20, "C:carol A:anna");
    let dialog = |number: usize| json!({"dialogId": format!("d{number}"), "dialogType": "OTHER", "state": "CLOSE"});
    let main = state(Dialect::Brand, 20, "").dialogs.remove(0);
    many.dialogs = (0..10_000).map(dialog).chain([main]).collect();
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
    let reception = conversation.receive_state(&many.text()).expect("a state");
    assert_eq!(conversation.dialogs().len(), DIALOGS_PER_STATE + 1);
    assert_eq!(reception.dropped.map(|dropped| dropped.count), Some(10_001 - DIALOGS_PER_STATE as u64));
    assert_eq!(conversation.assigned_agent().map(|agent| agent.user_id.as_str()), Some("anna"));
}

/// Promise 7: in a debug build the square of this number takes minutes.
#[test]
fn thousands_of_participants_are_replaced_by_others() {
    const MANY: usize = 8_000;
    let crowd = |time: i64, kind: &str| {
        let ids: Vec<String> = (0..MANY).map(|number| format!("{kind}{number}")).collect();
        let listed: Vec<_> = ids.iter().map(|id| json!({"id": id, "role": "READER", "state": "ACTIVE"})).collect();
        let unread: serde_json::Map<_, _> = ids.iter().map(|id| (id.clone(), json!(1))).collect();
        state(Dialect::Consumer, time, "")
            .with("participants", json!(listed))
            .with_main("participantsDetails", json!(listed))
            .with_top("numberOfunreadMessages", unread)
    };
    let mut conversation = seen(&crowd(10, "r"));
    let reception = conversation.receive_state(&crowd(20, "s").text()).expect("a state");
    assert_eq!(reception.events.len(), 2 * MANY + 1, "the last is the update");
    assert_eq!(conversation.main_dialog().map(|main| main.participants().len()), Some(MANY));
}
