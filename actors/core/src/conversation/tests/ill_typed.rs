//! A member of another type than its own costs itself: not the state, and nothing silently.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Conversation, Dialect, ID, Outcome, StateError, content, seen, state, told};

/// A state with every member that a state may have.
fn full(time: i64) -> Value {
    let participants = |people: &str| super::details(people, Dialect::Brand);
    state(Dialect::Brand, time, "C:carol A:anna")
        .with("endTs", 9)
        .with("closeReason", "AGENT")
        .with("groupId", "g1")
        .with("manualETTR", 50)
        .with("csatRate", 4)
        .with("csat", json!({"csatRate": 4, "csatResolutionConfirmation": true, "status": "FILLED"}))
        .with("note", "n")
        .with("firstConversation", true)
        .with("delay", json!({"type": "NIGHT", "tillWhen": 70}))
        .with("context", json!({"type": "SharkContext"}))
        .with("campaignInfo", json!({"campaignId": 1, "engagementId": "2"}))
        .with("conversationHandlerDetails", json!({"accountId": "a", "skillId": "s"}))
        .with("appInstId", "i1")
        .with_main("participantsDetails", participants("C:carol A:anna"))
        .with_main("endTs", 8)
        .with_main("closedBy", "AGENT")
        .with_main("closedCause", "done")
        .with_top("lastUpdateTime", time)
        .with_top("numberOfunreadMessages", json!({"carol": 1, "12345678.anna": 2}))
        .with_top("lastContentEventNotification", content(0))
        .value()
}

/// Where the values within `value` are.
fn pointers(value: &Value) -> Vec<String> {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(elements) => elements.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    let all = inner.into_iter().flat_map(|(step, value)| {
        let deeper = pointers(value).into_iter().map(|pointer| format!("/{step}{pointer}"));
        [format!("/{step}")].into_iter().chain(deeper.collect::<Vec<_>>())
    });
    all.collect()
}

fn odd_values() -> Vec<Value> {
    vec![
        json!(null),
        json!(""),
        json!("true"),
        json!("x"),
        json!(7),
        json!(-1),
        json!(1.5),
        json!(true),
        json!([]),
        json!([7, null]),
        json!({}),
        json!({"a": {"b": 1}}),
    ]
}

/// Members by which a state is refused or placed before others, which other tests are for.
fn identifies(pointer: &str) -> bool {
    matches!(pointer, "/convId" | "/conversationDetails" | "/conversationDetails/metaDataLastUpdateTs")
}

#[test]
fn any_odd_value_in_any_optional_member_leaves_a_state_that_is_taken() {
    let first = state(Dialect::Brand, 10, "C:carol A:anna");
    for pointer in pointers(&full(20)).iter().filter(|pointer| !identifies(pointer)) {
        for odd in odd_values() {
            let mut state = full(20);
            *state.pointer_mut(pointer).expect("a place") = odd.clone();
            let mut conversation = seen(&first);
            let reception = conversation.receive_state(&state.to_string());
            let outcome = reception.map(|reception| reception.outcome);
            assert!(matches!(outcome, Ok(Outcome::Processed)), "{pointer} {odd}: {outcome:?}");
            if !pointer.contains("note") {
                assert_eq!(conversation.note(), Some("n"), "{pointer} {odd}");
            }
        }
    }
}

#[test]
fn what_is_dropped_is_counted_and_named() {
    let mut odd = full(20);
    odd["effectiveTTR"] = json!("soon");
    odd["conversationDetails"]["firstConversation"] = json!("true");
    odd["conversationDetails"]["ttr"]["value"] = json!({});
    odd["conversationDetails"]["stage"] = json!(1);
    odd["conversationDetails"]["metaDataLastUpdateTs"] = json!("");
    odd["conversationDetails"]["dialogs"][0]["endTs"] = json!("");
    odd["conversationDetails"]["dialogs"][0]["participantsDetails"][1]["state"] = json!(1);
    odd["numberOfunreadMessages"]["carol"] = json!([]);
    odd["lastContentEventNotification"] = json!({});
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
    let dropped = conversation.receive_state(&odd.to_string()).expect("a state").dropped.expect("dropped members");
    assert_eq!(dropped.count, 9);
    let mut paths = dropped.paths.clone();
    paths.sort_unstable();
    assert_eq!(
        paths,
        [
            "conversationDetails.dialogs[0].endTs",
            "conversationDetails.dialogs[0].participantsDetails[1].state",
            "conversationDetails.firstConversation",
            "conversationDetails.metaDataLastUpdateTs",
            "conversationDetails.stage",
            "conversationDetails.ttr.value",
            "effectiveTTR",
            "lastContentEventNotification",
            "numberOfunreadMessages.carol",
        ]
    );
    assert_eq!(conversation.ttr_type().map(|ttr| ttr.as_str()), Some("NORMAL"));
    assert_eq!(conversation.members()["numberOfunreadMessages"], json!({"anna": 2}));
}

#[test]
fn a_state_that_is_read_as_it_stands_has_dropped_nothing() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
    assert!(conversation.receive_state(&full(20).to_string()).expect("a state").dropped.is_none());
}

#[test]
fn a_missing_role_is_taken_from_the_roster() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol A:anna"));
    for role in [json!(null), json!(5)] {
        let mut odd = full(20);
        odd["conversationDetails"]["dialogs"][0]["participantsDetails"][1]["role"] = role;
        conversation.receive_state(&odd.to_string()).expect("a state");
        assert_eq!(conversation.assigned_agent().map(|agent| agent.user_id.as_str()), Some("anna"));
    }
}

#[test]
fn a_repetition_of_an_odd_state_is_ignored() {
    let mut odd = full(20);
    odd["conversationDetails"]["stage"] = json!(1);
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
    conversation.receive_state(&odd.to_string()).expect("a state");
    let again = conversation.receive_state(&super::states::respelled(&odd)).expect("a state");
    assert_eq!(again.outcome, Outcome::Ignored);
}

/// CV-N3.
#[test]
fn what_identifies_a_state_cannot_be_dropped() {
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
    for odd in [json!(null), json!([]), json!({})] {
        let mut state = full(20);
        state["convId"] = odd.clone();
        assert!(matches!(conversation.receive_state(&state.to_string()), Err(StateError::Malformed { .. })), "{odd}");
    }
    for odd in [json!(""), json!(true), json!(5)] {
        let mut state = full(20);
        state["conversationDetails"] = odd.clone();
        assert!(matches!(conversation.receive_state(&state.to_string()), Err(StateError::NoDetails { .. })), "{odd}");
    }
    assert_eq!(told(&mut conversation, &state(Dialect::Brand, 10, "C:carol")), ["notification-ignored"]);
}

#[test]
fn a_member_that_is_there_twice_counts_once_the_last_time() {
    let text = full(20).to_string().replacen(r#""note":"n""#, r#""note":"first","note":"n""#, 1);
    let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
    conversation.receive_state(&text).expect("a state");
    assert_eq!(conversation.note(), Some("n"));
}

fn any_odd_value() -> impl Strategy<Value = Value> {
    prop::sample::select(odd_values())
}

proptest! {
    /// However many members are odd, the others are taken.
    #[test]
    fn several_odd_members_cost_themselves(odd in prop::collection::vec((any::<prop::sample::Index>(), any_odd_value()), 1..12)) {
        let mut state = full(20);
        for (at, odd) in odd {
            let places: Vec<String> = pointers(&state).into_iter().filter(|pointer| !identifies(pointer)).collect();
            if let Some(place) = state.pointer_mut(at.get(&places).as_str()) {
                *place = odd;
            }
        }
        let mut conversation: Conversation = seen(&super::state(Dialect::Brand, 10, "C:carol A:anna"));
        prop_assert_eq!(conversation.receive_state(&state.to_string()).expect("a state").outcome, Outcome::Processed);
        prop_assert_eq!(conversation.id().as_str(), ID);
    }
}
