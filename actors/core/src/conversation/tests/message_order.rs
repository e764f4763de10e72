//! Messages arrive in any order, twice or never; they are delivered in order, once (promise 2).

use std::collections::{BTreeSet, VecDeque};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    super::{BackFill, Conversation, ConversationEvent, Reception},
    Dialect, ID, content, main_id, receive, seen, state,
};

/// What happens on the way from the platform.
#[derive(Clone, Debug)]
enum Step {
    Publish,
    /// One of the records published arrives.
    Arrive(prop::sample::Index),
    /// The oldest question is answered.
    Answer,
    /// A question goes down with its socket.
    Lose,
}

/// A platform that has published some records, has lost some of them for good, and owes answers.
struct Platform {
    published: u64,
    lost: BTreeSet<u64>,
    questions: VecDeque<BackFill>,
}

/// What was delivered, each sequence as message or as part of a gap.
#[derive(Default)]
struct Delivered {
    messages: Vec<u64>,
    gaps: Vec<u64>,
}

impl Delivered {
    fn take(&mut self, reception: Reception, questions: &mut VecDeque<BackFill>) {
        for event in reception.events {
            match event {
                ConversationEvent::Message(message) => self.messages.push(message.sequence),
                ConversationEvent::MessageDelivery(delivery) => self.messages.push(delivery.sequence),
                ConversationEvent::Gap { from, to, .. } => self.gaps.extend(from..=to),
                other => panic!("unexpected {other:?}"),
            }
        }
        questions.extend(reception.back_fill);
    }
}

fn record(sequence: u64) -> Value {
    let mut record = content(sequence);
    if sequence % 3 == 2 {
        record["event"] = json!({"type": "AcceptStatusEvent", "status": "READ", "sequenceList": [sequence - 1]});
    }
    record
}

impl Platform {
    fn answer(&mut self, conversation: &mut Conversation, delivered: &mut Delivered) {
        let Some(BackFill { newer_than, older_than, .. }) = self.questions.pop_front() else { return };
        let from = newer_than.map_or(0, |newer_than| newer_than + 1);
        let to = older_than.unwrap_or(self.published).min(self.published);
        let given: Vec<u64> = (from..to).filter(|sequence| !self.lost.contains(sequence)).collect();
        for &sequence in &given {
            delivered.take(receive(conversation, &record(sequence)), &mut self.questions);
        }
        let through = older_than.map(|older_than| older_than - 1).or(given.last().copied());
        delivered.take(conversation.history_exhausted(&main_id(), newer_than, through), &mut self.questions);
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => Just(Step::Publish),
        3 => any::<prop::sample::Index>().prop_map(Step::Arrive),
        1 => Just(Step::Answer),
        1 => Just(Step::Lose),
    ];
    prop::collection::vec(step, 1..120)
}

proptest! {
    #[test]
    fn messages_are_delivered_in_order_once_and_gaps_stand_for_what_is_lost(
        steps in steps(),
        lost in prop::collection::btree_set(0..60_u64, 0..6),
    ) {
        let mut conversation = seen(&state(Dialect::Brand, 10, "C:carol"));
        let mut platform = Platform { published: 0, lost, questions: VecDeque::new() };
        platform.questions.push_back(BackFill { dialog_id: ID.into(), newer_than: None, older_than: None });
        let mut delivered = Delivered::default();
        for step in steps {
            match step {
                Step::Publish => platform.published += 1,
                Step::Arrive(index) if platform.published > 0 => {
                    let sequence = index.index(usize::try_from(platform.published).unwrap_or(1)) as u64;
                    if !platform.lost.contains(&sequence) {
                        let reception = receive(&mut conversation, &record(sequence));
                        delivered.take(reception, &mut platform.questions);
                    }
                }
                Step::Arrive(_) => {}
                Step::Answer => platform.answer(&mut conversation, &mut delivered),
                Step::Lose => drop(platform.questions.pop_front()),
            }
        }
        while !platform.questions.is_empty() {
            platform.answer(&mut conversation, &mut delivered);
        }
        // A reconnect finds the rest.
        platform.questions.extend(conversation.holes());
        while !platform.questions.is_empty() {
            platform.answer(&mut conversation, &mut delivered);
        }
        let available: Vec<u64> = (0..platform.published).filter(|sequence| !platform.lost.contains(sequence)).collect();
        prop_assert_eq!(&delivered.messages, &available, "every record that there is, in order, once");
        let last = available.last().copied().unwrap_or(0);
        let missing: Vec<u64> = (0..last).filter(|sequence| platform.lost.contains(sequence)).collect();
        prop_assert_eq!(delivered.gaps, missing, "a gap for every record that there is not");
    }

    /// Promise 3 for messages: without loss any order and repetition delivers all.
    #[test]
    fn any_order_and_repetition_of_all_messages_delivers_each_once(
        order in prop::collection::vec(0..30_u64, 0..60).prop_flat_map(|repeated| {
            Just((0..30).chain(repeated).collect::<Vec<u64>>()).prop_shuffle()
        }),
    ) {
        let mut conversation = seen(&state(Dialect::Consumer, 10, "C:carol"));
        let mut delivered = Delivered::default();
        for sequence in order {
            delivered.take(receive(&mut conversation, &record(sequence)), &mut VecDeque::new());
        }
        prop_assert_eq!(delivered.messages, (0..30).collect::<Vec<u64>>());
        prop_assert_eq!(conversation.main_dialog().and_then(|main| main.next_sequence()), Some(30));
    }
}
