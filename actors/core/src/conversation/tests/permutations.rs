//! Any order, repetition and delay of the same states ends the same, and every one is counted (promise 3).

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Conversation, Dialect, State, details, state, states::respelled, unseen};

/// What may differ between two states of one conversation; each is complete in itself.
#[derive(Clone, Debug)]
struct Change {
    people: Vec<&'static str>,
    skill: &'static str,
    group: Option<&'static str>,
    note: &'static str,
    stage: &'static str,
    ttr: i64,
    manual_ettr: Option<i64>,
    effective_ttr: i64,
    unread: u64,
    csat: u64,
    is_main_open: bool,
    survey: Option<(bool, i64)>,
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let people = prop::sample::subsequence(
        vec!["C:carol", "C:cora", "A:anna", "S:anna", "A:bert", "S:bert", "M:max", "R:max", "r:rita"],
        0..6,
    );
    let change = (
        (
            people,
            prop::sample::select(vec!["s1", "s2", "-1"]),
            prop::option::of(prop::sample::select(vec!["g1", "g2", ""])),
        ),
        (prop::sample::select(vec!["", "n1", "n2"]), prop::sample::select(vec!["OPEN", "CLOSE", "LOCKED"])),
        (0..3_i64, prop::option::of(-1..3_i64), -1..3_i64, 0..3_u64, 0..3_u64),
        (any::<bool>(), prop::option::of((any::<bool>(), 0..50_i64))),
    );
    let change = change.prop_map(|((people, skill, group), (note, stage), numbers, (is_main_open, survey))| {
        let (ttr, manual_ettr, effective_ttr, unread, csat) = numbers;
        Change {
            people,
            skill,
            group,
            note,
            stage,
            ttr,
            manual_ettr,
            effective_ttr,
            unread,
            csat,
            is_main_open,
            survey,
        }
    });
    prop::collection::vec(change, 1..7)
}

/// The states that the changes make, in the order of their update times. A dialog once begun stays in every later one.
fn states(changes: &[Change], dialect: Dialect) -> Vec<State> {
    let mut survey = None;
    let complete = |(index, change): (usize, &Change)| {
        let time = 100 + i64::try_from(index).unwrap_or_default();
        let open = |is_open| if is_open { "OPEN" } else { "CLOSE" };
        let mut state = state(dialect, time, &change.people.join(" "))
            .with("skillId", change.skill)
            .with("stage", change.stage)
            .with("ttr", json!({"ttrType": "CUSTOM", "value": change.ttr}))
            .with("manualETTR", change.manual_ettr)
            .with("context", json!({"type": "SharkContext"}))
            .with("appInstId", "i1")
            .with("campaignInfo", json!({"campaignId": change.ttr, "engagementId": change.csat}))
            .with_main("state", open(change.is_main_open))
            .with_top("effectiveTTR", change.effective_ttr);
        if change.stage != "OPEN" {
            state = state.with("endTs", time).with("closeReason", "AGENT");
        }
        if !change.is_main_open {
            state = state.with_main("endTs", time).with_main("closedBy", "AGENT").with_main("closedCause", change.note);
        }
        state = match dialect {
            Dialect::Brand => state
                .with("groupId", change.group)
                .with("note", change.note)
                .with("csatRate", change.csat)
                .with("firstConversation", true)
                .with_top("numberOfunreadMessages", json!({"carol": change.unread, "12345678.anna": 1})),
            Dialect::Consumer => state
                .with("csat", json!({"csatRate": change.csat, "status": "FILLED"}))
                .with("conversationHandlerDetails", json!({"accountId": change.skill, "skillId": change.skill})),
        };
        survey = change.survey.or(survey);
        if let Some((is_open, update_time)) = survey {
            // Its own time may run backwards; the conversation's decides.
            state = state.with_dialog(
                json!({"dialogId": "survey", "dialogType": "POST_SURVEY", "channelType": "MESSAGING",
                "state": open(is_open), "creationTs": 1, "metaDataLastUpdateTs": update_time, "endTs": time,
                "closedBy": "SYSTEM", "closedCause": "Completed",
                "participantsDetails": details(&change.people.join(" "), dialect)}),
            );
        }
        state
    };
    changes.iter().enumerate().map(complete).collect()
}

/// All that is held but the counters.
fn held(conversation: &Conversation) -> Value {
    let mut members = conversation.members();
    for counter in ["notificationCount", "notificationIgnoredCount", "notificationOutOfOrderCount"] {
        members[counter] = Value::Null;
    }
    if let Some(dialogs) = members["dialogs"].as_array_mut() {
        dialogs.sort_by_key(|dialog| dialog["dialogId"].to_string());
    }
    members
}

/// Which of the states arrives next, and in which spelling.
fn deliveries(states: usize) -> impl Strategy<Value = Vec<(usize, bool)>> {
    let repeated = prop::collection::vec((0..states, any::<bool>()), 0..3 * states);
    let each_once = Just((0..states).map(|state| (state, false)).collect::<Vec<_>>());
    (each_once, repeated).prop_flat_map(|(once, repeated)| Just([once, repeated].concat()).prop_shuffle())
}

fn scenario() -> impl Strategy<Value = (Vec<Change>, Vec<(usize, bool)>, Dialect)> {
    let dialect = prop::sample::select(Dialect::ALL.to_vec());
    changes().prop_flat_map(move |changes| (Just(changes.clone()), deliveries(changes.len()), dialect.clone()))
}

proptest! {
    #[test]
    fn the_end_depends_on_the_states_and_not_on_their_arrival((changes, deliveries, dialect) in scenario()) {
        let states = states(&changes, dialect);
        let mut in_order = unseen(dialect);
        for state in &states {
            in_order.receive_state(&state.text()).expect("a state");
        }
        let (mut shuffled, mut newest) = (unseen(dialect), None);
        let (mut processed, mut ignored, mut out_of_order) = (0, 0, 0);
        for (state, is_respelled) in deliveries {
            let text = if is_respelled { respelled(&states[state].value()) } else { states[state].text() };
            shuffled.receive_state(&text).expect("a state");
            if newest == Some(state) {
                ignored += 1;
            } else if newest.is_some_and(|newest| state < newest) {
                out_of_order += 1;
            } else {
                processed += 1;
                newest = Some(state);
            }
        }
        prop_assert_eq!(held(&shuffled), held(&in_order));
        prop_assert_eq!(shuffled.notification_count(), processed);
        prop_assert_eq!(shuffled.notification_ignored_count(), ignored);
        prop_assert_eq!(shuffled.notification_out_of_order_count(), out_of_order);
    }
}
