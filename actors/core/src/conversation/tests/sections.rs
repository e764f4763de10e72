//! A state of which only the changed sections are decoded has the same effect as one that is decoded as a whole.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    super::{Outcome, Reception, conversation::Hashes},
    Conversation, Dialect, ID, content, details,
    permutations::{omit, scenario, states, unseen_in},
    receive, state,
    states::respelled,
    unseen,
};
use crate::{
    conversation::StateError,
    time::Timestamp,
    ums::{SectionMeanings, meaning},
};

/// What happens between two states, and can change what the next one means.
#[derive(Clone, Copy, Debug)]
enum Between {
    Nothing,
    Record(u64),
    ChatState,
    Gap,
    End,
}

fn between() -> impl Strategy<Value = Between> {
    prop_oneof![
        4 => Just(Between::Nothing),
        2 => (0..6_u64).prop_map(Between::Record),
        1 => Just(Between::ChatState),
        1 => Just(Between::Gap),
        1 => Just(Between::End),
    ]
}

impl Between {
    fn happen(self, conversation: &mut Conversation) {
        match self {
            Self::Nothing => {}
            Self::Record(sequence) => drop(receive(conversation, &content(sequence))),
            Self::ChatState => {
                let event = json!({"type": "ChatStateEvent", "chatState": "COMPOSING"});
                let record = json!({"originatorMetadata": {"id": "anna"}, "dialogId": ID, "event": event});
                receive(conversation, &record);
            }
            Self::Gap => drop(conversation.history_exhausted(&ID.into(), None, Some(3))),
            Self::End => drop(conversation.end_here(Timestamp(99))),
        }
    }
}

/// The newest content that a state names, if any.
fn named() -> impl Strategy<Value = Option<(u64, &'static str)>> {
    prop::option::of((0..4_u64, prop::sample::select(vec![ID, "survey", "unknown"])))
}

/// Everything that is known, except how the next state is recognized.
fn known(conversation: &Conversation) -> String {
    let mut conversation = conversation.clone();
    conversation.hashes = Hashes::default();
    format!("{conversation:?}")
}

fn result(received: Result<Reception, StateError>) -> String {
    match received {
        // A repeated state may be recognized before its ill-typed members are found.
        Ok(reception) if reception.outcome == Outcome::Ignored => {
            format!("{:?}", Reception { dropped: None, ..reception })
        }
        Ok(reception) => format!("{reception:?}"),
        Err(error) => error.to_string(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, ..ProptestConfig::default() })]

    #[test]
    fn what_a_state_does_does_not_depend_on_how_it_is_decoded(
        (changes, omissions, deliveries, dialect, is_by_webhook) in scenario(),
        named in prop::collection::vec(named(), 7),
        between in prop::collection::vec(between(), 30),
    ) {
        let mut texts = Vec::new();
        for (at, state) in states(&changes, dialect).iter().enumerate() {
            let mut state = state.value();
            omissions[at].iter().for_each(|(pointer, how)| omit(&mut state, pointer, *how));
            if let Some((sequence, dialog)) = named[at] {
                let mut record = content(sequence);
                record["dialogId"] = dialog.into();
                state["lastContentEventNotification"] = record;
            }
            texts.push([state.to_string(), respelled(&state)]);
        }
        let mut by_sections = unseen_in(dialect, is_by_webhook);
        let mut as_a_whole = by_sections.clone();
        // Also in the usual order, in which most sections are unchanged.
        let in_order = (0..texts.len()).map(|state| (state, false));
        for ((state, is_respelled), between) in in_order.chain(deliveries).zip(between.iter().cycle()) {
            let text = &texts[state][usize::from(is_respelled)];
            let hash = meaning::of_text(text);
            let expected = if as_a_whole.repeats_text(hash) {
                as_a_whole.receive_state(text)
            } else {
                as_a_whole.receive_whole(text, hash)
            };
            prop_assert_eq!(result(by_sections.receive_state(text)), result(expected));
            prop_assert_eq!(known(&by_sections), known(&as_a_whole));
            for conversation in [&mut by_sections, &mut as_a_whole] {
                between.happen(conversation);
            }
        }
    }
}

fn full() -> super::State {
    state(Dialect::Brand, 10, "C:carol A:anna")
        .with("context", json!({"type": "SharkContext"}))
        .with("campaignInfo", json!({"campaignId": 1, "engagementId": 2}))
        .with_top("numberOfunreadMessages", json!({"carol": 1}))
        .with_top("lastContentEventNotification", content(3))
}

/// The sections of `next` that would not be decoded after `first`.
fn unchanged(first: &Value, next: &Value) -> Vec<&'static str> {
    let sections = |state: &Value| {
        let mut conversation = unseen(Dialect::Brand);
        conversation.receive_state(&state.to_string()).expect("a state");
        conversation.hashes.sections
    };
    let same = sections(next).same_as(&sections(first));
    let names = [
        ("people", same.people),
        ("unread", same.unread),
        ("last content", same.last_content),
        ("ttr", same.ttr),
        ("context", same.context),
        ("provenance", same.provenance),
    ];
    names.into_iter().filter(|(_, is_same)| *is_same).map(|(name, _)| name).collect()
}

#[test]
fn only_the_section_that_changed_is_decoded() {
    const ALL: [&str; 6] = ["people", "unread", "last content", "ttr", "context", "provenance"];
    let first = full().value();
    assert_eq!(unchanged(&first, &first), ALL);
    assert_eq!(unchanged(&first, &serde_json::from_str(&respelled(&first)).unwrap()), ALL);
    for (pointer, value, section) in [
        ("/conversationDetails/ttr/value", json!(601), "ttr"),
        ("/conversationDetails/context/type", json!("Other"), "context"),
        ("/conversationDetails/campaignInfo/campaignId", json!(3), "provenance"),
        ("/conversationDetails/participants", json!({"CONSUMER": ["carol"]}), "people"),
        ("/conversationDetails/dialogs/0/participantsDetails", details("C:carol", Dialect::Brand), "people"),
        ("/numberOfunreadMessages/carol", json!(2), "unread"),
        ("/lastContentEventNotification", content(4), "last content"),
    ] {
        let mut next = first.clone();
        *next.pointer_mut(pointer).expect("a member") = value;
        let expected: Vec<&str> = ALL.into_iter().filter(|name| *name != section).collect();
        assert_eq!(unchanged(&first, &next), expected, "{pointer}");
    }
}

#[test]
fn a_conversation_whose_members_may_differ_from_the_last_state_forgets_its_sections() {
    let first = full();
    let mut conversation = super::seen(&first);
    assert_ne!(conversation.hashes.sections, SectionMeanings::default());
    let older = state(Dialect::Brand, 5, "C:carol").text();
    conversation.receive_state(&older).expect("a state");
    assert_eq!(conversation.hashes.sections, SectionMeanings::default(), "an older state may fill members");
    let mut conversation = super::seen(&first);
    conversation.end_here(Timestamp(99));
    assert_eq!(conversation.hashes.sections, SectionMeanings::default(), "the end is not the platform's");
    let kept = serde_json::to_string(&super::seen(&first)).expect("a snapshot");
    let again: Conversation = serde_json::from_str(&kept).expect("a conversation");
    assert_eq!(again.hashes.sections, SectionMeanings::default(), "a snapshot does not have them");
}
