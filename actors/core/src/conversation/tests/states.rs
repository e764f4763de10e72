//! How states are compared and ordered (CV-N1 to CV-N10).

use serde_json::{Value, json};

use super::{
    super::{Conversation, HistoryStart, Outcome, StateError},
    Dialect, ID, content, seen, state, told, unseen,
};

/// (processed, ignored, out of order)
fn counters(conversation: &Conversation) -> (u64, u64, u64) {
    (
        conversation.notification_count(),
        conversation.notification_ignored_count(),
        conversation.notification_out_of_order_count(),
    )
}

/// The same value with the members of every object in reverse order, and white space.
pub(super) fn respelled(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members: Vec<String> =
                members.iter().rev().map(|(name, value)| format!("{} : {}", json!(name), respelled(value))).collect();
            format!("{{\n {} }}", members.join(" ,\t"))
        }
        Value::Array(elements) => {
            format!("[ {} ]", elements.iter().map(respelled).collect::<Vec<_>>().join(" , "))
        }
        other => other.to_string(),
    }
}

/// CV-N2, CV-M8 (ignored states are counted). Unlike in the SDK, the newest content is compared from the first state
/// on.
#[test]
fn an_exact_repetition_is_ignored_from_the_first_state_on() {
    for dialect in Dialect::ALL {
        let first = state(dialect, 10, "C:carol A:anna").with_top("lastContentEventNotification", content(0));
        let mut conversation = seen(&first);
        for _ in 0..3 {
            assert_eq!(told(&mut conversation, &first), ["notification-ignored"]);
        }
        assert_eq!(counters(&conversation), (1, 3, 0));
    }
}

/// CV-N2.
#[test]
fn a_repetition_in_another_spelling_is_ignored() {
    let first = state(Dialect::Brand, 10, "C:carol A:anna").with("note", "a \"note\" of märz");
    let mut conversation = seen(&first);
    for _ in 0..2 {
        let reception = conversation.receive_state(&respelled(&first.value())).expect("a state");
        assert_eq!(reception.outcome, Outcome::Ignored);
    }
    assert_eq!(told(&mut conversation, &first), ["notification-ignored"]);
    assert_eq!(counters(&conversation), (1, 3, 0));
}

/// CV-N2: every member counts, even an unknown one.
#[test]
fn a_difference_in_any_member_is_no_repetition() {
    let first = state(Dialect::Brand, 10, "C:carol").with_top("lastUpdateTime", 1);
    let mut conversation = seen(&first);
    let nothing: &[&str] = &[];
    for (changed, expected) in [
        (
            first.clone().with_top("numberOfunreadMessages", json!({"carol": 1})),
            &["update(numberOfunreadMessages)"][..],
        ),
        (first.clone().with("topic", "unread"), &["update(numberOfunreadMessages)"]),
        (first.clone().with("context", json!({"type": "SharkContext", "list": [1, 2]})), &["update(context)"]),
        (first.clone().with("context", json!({"type": "SharkContext", "list": [2, 1]})), nothing),
        (first.clone().with_top("lastContentEventNotification", content(0)), nothing),
        (first.clone().with_top("lastUpdateTime", 2), nothing),
    ] {
        assert_eq!(told(&mut conversation, &changed), expected);
    }
    assert_eq!(counters(&conversation), (7, 0, 0));
}

/// CV-N3.
#[test]
fn a_malformed_state_changes_nothing() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol A:anna"));
    let before = conversation.members();
    let foreign = state(Dialect::Brand, 20, "").with_top("convId", "another").text();
    let no_details = json!({"convId": ID, "effectiveTTR": 5}).to_string();
    assert!(matches!(conversation.receive_state("{"), Err(StateError::Malformed { .. })));
    assert!(matches!(conversation.receive_state(&no_details), Err(StateError::NoDetails { .. })));
    assert!(matches!(conversation.receive_state(&foreign), Err(StateError::Foreign { .. })));
    assert_eq!(conversation.members(), before);
    assert_eq!(counters(&conversation), (1, 0, 0));
}

/// CV-N4, CV-N5, CV-M7 and CV-M9: each state moves one counter.
#[test]
fn an_older_state_is_out_of_order_and_an_equally_old_one_is_processed() {
    let mut conversation = seen(&state(Dialect::Consumer, 10, "C:carol").with("skillId", "s2"));
    assert_eq!(told(&mut conversation, &state(Dialect::Consumer, 9, "C:carol")), ["notification-out-of-order"]);
    assert_eq!(conversation.skill_id().map(|id| id.as_str()), Some("s2"));
    assert_eq!(
        told(&mut conversation, &state(Dialect::Consumer, 10, "C:carol A:anna").with("skillId", "s2")),
        ["participant-added(anna, false)", "update(assignedAgent participants)"]
    );
    assert_eq!(counters(&conversation), (2, 0, 1));
}

/// CV-N4: without an update time there is nothing to be older than.
#[test]
fn a_state_without_an_update_time_is_processed() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
    let timeless = state(Dialect::Brand, 0, "C:carol A:anna")
        .without("metaDataLastUpdateTs")
        .with_main("metaDataLastUpdateTs", Value::Null);
    assert_eq!(
        told(&mut conversation, &timeless),
        ["participant-added(anna, false)", "update(assignedAgent participants)"]
    );
    assert_eq!(conversation.update_time().map(|time| time.0), Some(10));
}

/// CV-N8.
#[test]
fn the_three_counters_sum_up_to_the_states_received() {
    let mut conversation = unseen(Dialect::Brand);
    let times = [10, 30, 20, 30, 10, 40, 40, 15];
    for time in times {
        told(&mut conversation, &state(Dialect::Brand, time, "C:carol"));
    }
    assert_eq!(counters(&conversation), (3, 2, 3));
}

/// CV-N6.
#[test]
fn one_state_that_changes_everything_speaks_in_the_promised_order() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol A:anna"));
    let after = state(Dialect::Brand, 20, "C:carol M:max")
        .with("groupId", "g2")
        .with("skillId", "s2")
        .with("stage", "CLOSE")
        .with("endTs", 19)
        .with("closeReason", "AGENT")
        .with("ttr", json!({"ttrType": "CUSTOM", "value": 60}))
        .with("manualETTR", 99)
        .with_main("state", "CLOSE")
        .with_survey("OPEN")
        .with_top("effectiveTTR", 77);
    assert_eq!(
        told(&mut conversation, &after),
        [
            "group-change(none -> g2)",
            "skill-change(s1 -> s2)",
            "close",
            "ttr-change",
            "manual-ettr-change",
            "dialog(survey-1)",
            "dialog.close(main)",
            "participant-added(max, false)",
            "participant-removed(anna)",
            "update(assignedAgent consumer dialogs participants stage)",
        ]
    );
}

/// CV-N6.7 and CV-N9: the stage closes the conversation, each dialog closes itself.
#[test]
fn a_closed_stage_leaves_a_dialog_open_that_no_state_has_closed() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol A:anna"));
    let closed = state(Dialect::Brand, 20, "C:carol A:anna").with("stage", "CLOSE").with("endTs", 19);
    assert_eq!(told(&mut conversation, &closed), ["close", "update(assignedAgent consumer stage)"]);
    assert!(conversation.open_dialog().is_some());
    assert_eq!((conversation.assigned_agent(), conversation.consumer()), (None, None));
    let locked = state(Dialect::Brand, 30, "C:carol A:anna").with("stage", "LOCKED").with("endTs", 19);
    let locked = locked.with_main("state", "CLOSE");
    assert_eq!(told(&mut conversation, &locked), ["dialog.close(main)", "update(stage)"]);
    assert!(conversation.open_dialog().is_none());
    assert_eq!(conversation.close_time().map(|time| time.0), Some(19));
}

/// CV-N7, Q11.
#[test]
fn null_empty_and_absent_all_clear_a_member() {
    let full = |time| {
        state(Dialect::Brand, time, "C:carol")
            .with("groupId", "g1")
            .with("note", "n")
            .with("manualETTR", 50)
            .with("csatRate", 4)
            .with_top("effectiveTTR", 60)
    };
    let held = |conversation: &Conversation| {
        (
            conversation.group_id().map(str::to_owned),
            conversation.note().map(str::to_owned),
            conversation.ttr_effective_manual().map(|time| time.0),
            conversation.csat().and_then(|csat| csat.csat_rate),
            conversation.ttr_effective().map(|time| time.0),
        )
    };
    let everything = (Some("g1".to_owned()), Some("n".to_owned()), Some(50), Some(4), Some(60));
    let mut conversation = seen(&full(10));
    assert_eq!(held(&conversation), everything);

    let empty = |time| full(time).with("groupId", "").with("note", "").with("csatRate", 0).with("manualETTR", -1);
    let null = |time| full(time).with("groupId", Value::Null).with("note", Value::Null).with("manualETTR", Value::Null);
    let absent = |time| {
        let mut absent = state(Dialect::Brand, time, "C:carol");
        absent.top.remove("effectiveTTR");
        absent
    };
    let no_time = Value::Null;
    for (time, cleared) in [
        (30, empty(30).with_top("effectiveTTR", no_time.clone())),
        (50, null(50).with("csatRate", 0).with_top("effectiveTTR", no_time)),
        (70, absent(70)),
    ] {
        let expected = ["group-change(g1 -> none)", "manual-ettr-change", "update(csat note)"];
        assert_eq!(told(&mut conversation, &cleared), expected);
        assert_eq!(held(&conversation), (None, None, None, None, None));
        told(&mut conversation, &full(time + 10));
        assert_eq!(held(&conversation), everything);
    }
}

/// CV-N4.
#[test]
fn of_two_states_with_the_same_update_time_the_one_of_the_later_content_counts() {
    let content = |last: i64, unread: u64| {
        state(Dialect::Brand, 10, "C:carol")
            .with_top("lastUpdateTime", last)
            .with_top("numberOfunreadMessages", json!({"carol": unread}))
            .with_top("effectiveTTR", last)
    };
    let mut conversation = seen(&content(20, 1));
    assert_eq!(told(&mut conversation, &content(40, 3)), ["update(numberOfunreadMessages ttrEffective)"]);
    assert_eq!(told(&mut conversation, &content(30, 2)), ["notification-out-of-order"]);
    assert_eq!(conversation.members()["numberOfunreadMessages"], json!({"carol": 3}));
    assert_eq!(conversation.ttr_effective().map(|time| time.0), Some(40));
    assert_eq!(counters(&conversation), (2, 0, 1));
}

/// Otherwise an update time in the far future would make every later state out of order forever.
#[test]
fn an_update_time_years_ahead_is_taken_once_and_the_next_states_win() {
    const NOW: i64 = 1_735_689_600_000;
    let skill = |time, skill: &str| state(Dialect::Brand, time, "C:carol").with("skillId", skill);
    let absurd = skill(NOW * 2, "s2");
    let mut conversation = seen(&skill(NOW, "s1"));
    assert_eq!(told(&mut conversation, &absurd), ["skill-change(s1 -> s2)", "transfer-skill(s2)"]);
    let next = conversation.receive_state(&skill(NOW + 1, "s3").text()).expect("a state");
    assert_eq!(next.outcome, Outcome::Processed);
    assert_eq!(next.disbelieved.map(|time| time.0), Some(NOW * 2));
    assert_eq!(told(&mut conversation, &absurd), ["notification-out-of-order"]);
    assert_eq!(told(&mut conversation, &skill(NOW, "s1")), ["notification-out-of-order"]);
    let next = conversation.receive_state(&skill(NOW + 2, "s4").text()).expect("a state");
    assert_eq!((next.outcome, next.disbelieved), (Outcome::Processed, None));
    assert_eq!(conversation.skill_id().map(|id| id.as_str()), Some("s4"));
    assert_eq!(conversation.update_time().map(|time| time.0), Some(NOW + 2));
}

/// A first state of the far future is the same.
#[test]
fn a_first_state_of_years_ahead_does_not_silence_a_conversation() {
    let mut conversation = seen(&state(Dialect::Consumer, i64::MAX, "C:carol"));
    assert_eq!(
        told(&mut conversation, &state(Dialect::Consumer, 1_735_689_600_000, "C:carol A:anna")),
        ["participant-added(anna, false)", "update(assignedAgent participants)"]
    );
}

/// CV-N10.
#[test]
fn repetitions_are_recognised_after_a_reload() {
    let first = state(Dialect::Brand, 10, "C:carol A:anna").with_survey("OPEN").with("context", json!({"type": "x"}));
    let mut conversation = seen(&first);
    told(&mut conversation, &first);
    let snapshot = serde_json::to_string(&conversation).expect("a snapshot");
    let mut reloaded: Conversation = serde_json::from_str(&snapshot).expect("a conversation");
    assert_eq!(reloaded.members(), conversation.members());
    assert_eq!(told(&mut reloaded, &first), ["notification-ignored"]);
    assert_eq!(counters(&reloaded), (1, 2, 0));
}

/// Snapshots of earlier versions must stay readable, so the names in them do not follow the names in the code.
#[test]
fn the_names_in_a_snapshot_are_those_of_earlier_versions() {
    let mut conversation = Conversation::new("c".into(), Dialect::Brand, HistoryStart::Beginning);
    let state = json!({
        "convId": "c",
        "conversationDetails": {
            "state": "OPEN", "stage": "OPEN", "startTs": 1, "metaDataLastUpdateTs": 2,
            "participants": [{ "id": "u1", "role": "CONSUMER" }],
            "dialogs": [{
                "dialogId": "c", "dialogType": "MAIN", "channelType": "MESSAGING", "state": "OPEN",
                "participantsDetails": [{ "id": "u1", "role": "CONSUMER", "state": "ACTIVE" }],
            }],
        },
    });
    conversation.receive_state(&state.to_string()).expect("a state");
    let snapshot = serde_json::to_value(&conversation).expect("a snapshot");
    assert_eq!((&snapshot["isTold"], &snapshot["dialogs"][0]["isTold"]), (&true.into(), &true.into()));
    assert_eq!(snapshot["dialogs"][0]["participantsTold"], 2);
    assert!(snapshot["earliestTold"].is_array(), "{snapshot}");
}
