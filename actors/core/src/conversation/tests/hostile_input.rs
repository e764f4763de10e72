//! Whatever comes from the network ends in an answer, never in a panic (promise 7).

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{super::PARKED_LIMIT, Dialect, ID, content, main_id, receive, seen, state, unseen};
use crate::ums::MessageRecord;

fn any_json() -> impl Strategy<Value = Value> {
    let names = "convId|dialogs|participants|participantsDetails|id|role|state|conversationDetails|dialogId|x";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-zA-Z0-9\\\\\"\u{0}-\u{1f}é]{0,8}".prop_map(Value::from),
        Just(json!(ID)),
        Just(json!("CONSUMER")),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(names, inner, 0..5).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn any_text_is_answered(text in ".*") {
        prop_assert!(unseen(Dialect::Brand).receive_state(&text).is_err());
    }

    #[test]
    fn any_member_of_any_value_is_answered(
        member in "skillId|dialogs|participants|participantsPId|ttr|delay|note|context|csat|stage|campaignInfo",
        value in any_json(),
        other in any_json(),
    ) {
        for dialect in Dialect::ALL {
            let mut conversation = seen(&state(dialect, 10, "C:carol A:anna"));
            let before = conversation.members();
            let mut odd = state(dialect, 20, "C:carol").with_top("lastContentEventNotification", other.clone()).value();
            odd["conversationDetails"][&member] = value.clone();
            if conversation.receive_state(&odd.to_string()).is_err() {
                prop_assert_eq!(conversation.members(), before);
            }
        }
    }

    #[test]
    fn any_record_is_answered(
        sequences in prop::collection::vec(prop_oneof![0..10_u64, any::<u64>()], 0..40),
        through in any::<u64>(),
        event in any_json(),
    ) {
        let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
        for sequence in sequences {
            receive(&mut conversation, &content(sequence));
            let text = json!({"sequence": sequence, "event": {"type": "ContentEvent", "message": event}}).to_string();
            if let Ok(mut record) = serde_json::from_str::<MessageRecord<'_>>(&text) {
                record.sequence = Some(sequence);
                conversation.receive_record(&record, None);
            }
            conversation.history_exhausted(&main_id(), None, Some(through));
            prop_assert!(conversation.holes().len() <= 1);
        }
    }
}

/// A text that nests too deep to be hashed by its meaning is still recognised by its text.
#[test]
fn a_state_of_great_depth_is_taken_and_recognised() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let first = state(Dialect::Brand, 10, "C:carol").text();
    let deep = first.replacen('{', &format!("{{\"unknown\":{deep},"), 1);
    let mut conversation = unseen(Dialect::Brand);
    conversation.receive_state(&deep).expect("a state");
    conversation.receive_state(&deep).expect("a state");
    assert_eq!((conversation.notification_count(), conversation.notification_ignored_count()), (1, 1));
}

/// Promise 6.
#[test]
fn records_of_invented_dialogs_do_not_grow_a_conversation() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
    for number in 0..10_000 {
        let mut record = content(5);
        record["dialogId"] = json!(format!("invented-{number}"));
        receive(&mut conversation, &record);
    }
    assert!(conversation.dialogs().len() <= super::super::conversation::DIALOG_LIMIT);
}

/// MS-11, Q14.
/// Promise 6: the park is bounded, and what it dropped is asked for again when there is room.
#[test]
fn records_beyond_the_park_are_dropped_and_asked_for_later() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
    conversation.history_exhausted(&main_id(), None, None);
    let limit = u64::try_from(PARKED_LIMIT).expect("small");
    let mut asked = Vec::new();
    for sequence in 1..=limit + 10 {
        asked.extend(receive(&mut conversation, &content(sequence)).back_fill);
    }
    assert_eq!(asked.len(), 1, "one hole, one question: {asked:?}");
    let reception = receive(&mut conversation, &content(0));
    assert_eq!(reception.events.len(), PARKED_LIMIT + 1);
    assert_eq!(reception.back_fill[0].newer_than, Some(limit));
}

/// Promise 6: the same when the hole is given up instead of filled.
#[test]
fn what_the_park_dropped_is_asked_for_when_a_gap_makes_room() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
    conversation.history_exhausted(&main_id(), None, None);
    let limit = u64::try_from(PARKED_LIMIT).expect("small");
    for sequence in 1..=limit + 10 {
        receive(&mut conversation, &content(sequence));
    }
    let reception = conversation.history_exhausted(&main_id(), None, Some(0));
    assert_eq!(reception.events.len(), PARKED_LIMIT + 1);
    assert_eq!(reception.back_fill[0].newer_than, Some(limit));
}
