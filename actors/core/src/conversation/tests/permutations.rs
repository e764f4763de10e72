//! Any order, repetition and delay of the same states has the same result, and every state is counted (promise 3).

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{super::Member, Conversation, Dialect, State, details, state, states::respelled, unseen};

/// The differences between two states of one conversation.
#[derive(Clone, Debug)]
pub(super) struct Change {
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

/// The states that result from the changes, in the order of their update times. Each is complete; a survey stays once
/// it has begun.
pub(super) fn states(changes: &[Change], dialect: Dialect) -> Vec<State> {
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
                .with("delay", json!({"type": "NIGHT", "tillWhen": 1 + change.ttr}))
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
            // The dialog's own time may run backwards; the conversation's time decides.
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

/// The whole conversation except the counters.
fn held(conversation: &Conversation) -> Value {
    let mut members = conversation.members();
    for counter in ["notificationCount", "notificationIgnoredCount", "notificationOutOfOrderCount"] {
        members[counter] = Value::Null;
    }
    // Dialogs, and participants in a roster by role, have no reliable order.
    let by_id = |list: &mut Value, id: &str| {
        if let Some(list) = list.as_array_mut() {
            list.sort_by_key(|element| element[id].to_string());
        }
    };
    by_id(&mut members["dialogs"], "dialogId");
    by_id(&mut members["participants"], "userId");
    for dialog in members["dialogs"].as_array_mut().into_iter().flatten() {
        by_id(&mut dialog["participants"], "userId");
        for one_of_several in ["assignedAgent", "consumer"] {
            dialog[one_of_several] = Value::Null;
        }
    }
    for one_of_several in ["assignedAgent", "consumer"] {
        members[one_of_several] = Value::Null;
    }
    members
}

/// Which of the states arrives next, and in which spelling.
fn deliveries(states: usize) -> impl Strategy<Value = Vec<(usize, bool)>> {
    let repeated = prop::collection::vec((0..states, any::<bool>()), 0..3 * states);
    let each_once = Just((0..states).map(|state| (state, false)).collect::<Vec<_>>());
    (each_once, repeated).prop_flat_map(|(once, repeated)| Just([once, repeated].concat()).prop_shuffle())
}

/// How a member is missing in a state.
#[derive(Clone, Copy, Debug)]
pub(super) enum Omission {
    Absent,
    Null,
    /// An empty text, list or object, or a time that means not set.
    Empty,
}

/// Every member that a state may lack, by its path. The update time stays, because it shows which state is newer.
const MEMBERS: &[&str] = &[
    "/effectiveTTR",
    "/numberOfunreadMessages",
    "/conversationDetails/skillId",
    "/conversationDetails/brandId",
    "/conversationDetails/stage",
    "/conversationDetails/state",
    "/conversationDetails/startTs",
    "/conversationDetails/endTs",
    "/conversationDetails/closeReason",
    "/conversationDetails/firstConversation",
    "/conversationDetails/ttr",
    "/conversationDetails/delay",
    "/conversationDetails/manualETTR",
    "/conversationDetails/csat",
    "/conversationDetails/csatRate",
    "/conversationDetails/groupId",
    "/conversationDetails/note",
    "/conversationDetails/context",
    "/conversationDetails/appInstId",
    "/conversationDetails/campaignInfo",
    "/conversationDetails/conversationHandlerDetails",
    "/conversationDetails/participants",
    "/conversationDetails/participantsPId",
    "/conversationDetails/dialogs",
    "/conversationDetails/dialogs/0",
    "/conversationDetails/dialogs/1",
    "/conversationDetails/dialogs/0/participantsDetails",
    "/conversationDetails/dialogs/0/dialogType",
    "/conversationDetails/dialogs/0/channelType",
    "/conversationDetails/dialogs/0/metaData",
    "/conversationDetails/dialogs/0/state",
    "/conversationDetails/dialogs/0/creationTs",
    "/conversationDetails/dialogs/0/endTs",
    "/conversationDetails/dialogs/0/metaDataLastUpdateTs",
    "/conversationDetails/dialogs/0/closedBy",
    "/conversationDetails/dialogs/0/closedCause",
    "/conversationDetails/dialogs/1/participantsDetails",
    "/conversationDetails/dialogs/1/channelType",
    "/conversationDetails/dialogs/1/state",
    "/conversationDetails/dialogs/1/endTs",
    "/conversationDetails/dialogs/1/closedBy",
    "/conversationDetails/dialogs/1/closedCause",
];

/// What each state leaves out.
fn omissions(states: usize) -> impl Strategy<Value = Vec<Vec<(&'static str, Omission)>>> {
    let how = prop::sample::select(vec![Omission::Absent, Omission::Null, Omission::Empty]);
    let omission = (prop::sample::select(MEMBERS), how);
    // Few or many of them.
    let of_one = prop_oneof![prop::collection::vec(omission.clone(), 0..4), prop::collection::vec(omission, 0..60)];
    prop::collection::vec(of_one, states)
}

pub(super) fn omit(state: &mut Value, pointer: &str, how: Omission) {
    let Some((parent, member)) = pointer.rsplit_once('/') else { return };
    let Some(parent) = state.pointer_mut(parent) else { return };
    match (how, parent) {
        (Omission::Absent, Value::Object(members)) => drop(members.remove(member)),
        (_, Value::Object(members)) => {
            let Some(value) = members.get_mut(member) else { return };
            *value = match (how, &*value) {
                (Omission::Null, _) => Value::Null,
                (_, Value::Array(_)) => json!([]),
                (_, Value::Object(_)) => json!({}),
                (_, Value::Number(_)) => json!(-1),
                _ => json!(""),
            };
        }
        (_, Value::Array(elements)) => {
            let at = member.parse().unwrap_or(usize::MAX);
            if at < elements.len() {
                elements.remove(at);
            }
        }
        _ => {}
    }
}

/// A conversation without a known state, in one of the three forms.
pub(super) fn unseen_in(dialect: Dialect, is_by_webhook: bool) -> Conversation {
    if is_by_webhook { unseen(dialect).by_webhook() } else { unseen(dialect) }
}

pub(super) type Scenario = (Vec<Change>, Vec<Vec<(&'static str, Omission)>>, Vec<(usize, bool)>, Dialect, bool);

pub(super) fn scenario() -> impl Strategy<Value = Scenario> {
    let flavour =
        prop::sample::select(vec![(Dialect::Brand, false), (Dialect::Consumer, false), (Dialect::Consumer, true)]);
    (changes(), flavour).prop_flat_map(|(changes, (dialect, is_by_webhook))| {
        let (omissions, deliveries) = (omissions(changes.len()), deliveries(changes.len()));
        (Just(changes), omissions, deliveries, Just(dialect), Just(is_by_webhook))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    /// Whichever members the states lack, or have as null or empty.
    #[test]
    fn the_end_depends_on_the_states_and_not_on_their_arrival(
        (changes, omissions, deliveries, dialect, is_by_webhook) in scenario(),
    ) {
        let states: Vec<Value> = states(&changes, dialect).iter().zip(&omissions).map(|(state, omissions)| {
            let mut state = state.value();
            omissions.iter().for_each(|(pointer, how)| omit(&mut state, pointer, *how));
            state
        }).collect();
        let mut in_order = unseen_in(dialect, is_by_webhook);
        for state in &states {
            in_order.receive_state(&state.to_string()).expect("a state");
        }
        let (mut shuffled, mut newest) = (unseen_in(dialect, is_by_webhook), None);
        let (mut processed, mut ignored, mut out_of_order) = (0, 0, 0);
        for (state, is_respelled) in deliveries {
            let text = if is_respelled { respelled(&states[state]) } else { states[state].to_string() };
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

/// As captured from the platform: a member that is not set is not sent.
#[test]
fn what_the_newest_state_leaves_out_is_unset_in_every_order() {
    let first = state(Dialect::Brand, 10, "C:carol").with("groupId", "g1").with("manualETTR", 5_000);
    let second = state(Dialect::Brand, 20, "C:carol");
    let mut in_order = unseen(Dialect::Brand);
    super::told(&mut in_order, &first);
    let reception = in_order.receive_state(&second.text()).expect("a state");
    assert_eq!(super::labels(&reception), ["group-change(g1 -> none)", "manual-ettr-change"]);
    assert_eq!(reception.unset.to_vec(), [Member::GroupId, Member::ManualEttr]);
    let mut reversed = unseen(Dialect::Brand);
    super::told(&mut reversed, &second);
    super::told(&mut reversed, &first);
    assert_eq!(held(&in_order), held(&reversed));
    assert_eq!((in_order.group_id(), in_order.ttr_effective_manual()), (None, None));
}

/// Every member that becomes unset emits its event, if it has one.
#[test]
fn each_member_that_a_state_leaves_out_is_unset_with_its_event() {
    let full = state(Dialect::Brand, 10, "C:carol A:anna")
        .with("groupId", "g1")
        .with("manualETTR", 5_000)
        .with("delay", json!({"type": "NIGHT", "tillWhen": 70}))
        .with("csatRate", 4)
        .with("note", "n")
        .with("campaignInfo", json!({"campaignId": 1, "engagementId": 2}))
        .with("conversationHandlerDetails", json!({"accountId": "a", "skillId": "s"}))
        .with_survey("OPEN")
        .with_top("numberOfunreadMessages", json!({"carol": 1}));
    let mut bare = state(Dialect::Brand, 20, "C:carol A:anna").without("skillId").without("ttr");
    bare.top.remove("effectiveTTR");
    let mut conversation = unseen(Dialect::Brand);
    super::told(&mut conversation, &full);
    let reception = conversation.receive_state(&bare.text()).expect("a state");
    assert_eq!(
        super::labels(&reception),
        [
            "group-change(g1 -> none)",
            "skill-change(s1 -> none)",
            "ttr-change",
            "manual-ettr-change",
            "dialog.close(survey-1)",
            "update(campaignId csat delay dialogs engagementId handlerAccountId handlerSkillId note numberOfunreadMessages)",
        ]
    );
    assert_eq!(
        reception.unset.to_vec(),
        [
            Member::UnreadMessages,
            Member::GroupId,
            Member::SkillId,
            Member::Csat,
            Member::Note,
            Member::Delay,
            Member::Ttr,
            Member::ManualEttr,
            Member::CampaignInfo,
            Member::HandlerDetails,
            Member::Dialog,
        ]
    );
}

/// The newest content may be missing at any time.
#[test]
fn a_state_without_its_newest_content_unsets_nothing() {
    let with_content = state(Dialect::Brand, 10, "C:carol").with_top("lastContentEventNotification", super::content(3));
    let mut conversation = unseen(Dialect::Brand);
    super::told(&mut conversation, &with_content);
    let reception = conversation.receive_state(&state(Dialect::Brand, 20, "C:carol").text()).expect("a state");
    assert!(reception.unset.is_empty() && reception.events.is_empty());
}
