//! Which messages of a fetched history are new.

use serde_json::{Value, json};

use super::{
    super::{Arrival, Conversation, ConversationEvent},
    Dialect, ID, state, unseen,
};
use crate::ums::MessageRecord;

/// The conversation came with a state of this version.
const CAME: i64 = 100;

fn record(sequence: u64, role: &str, time: i64) -> Value {
    json!({"sequence": sequence, "dialogId": ID, "serverTimestamp": time,
        "originatorMetadata": {"id": "somebody", "role": role},
        "event": {"type": "ContentEvent", "message": "x", "contentType": "text/plain"}})
}

fn came(arrival: Arrival) -> Conversation {
    let mut conversation = unseen(Dialect::Brand);
    conversation.arrives(arrival);
    conversation.receive_state(&state(Dialect::Brand, CAME, "C:carol A:anna").text()).expect("a state");
    conversation
}

/// Whether each message of a history is marked as not new.
fn marks(conversation: &mut Conversation, history: &[Value]) -> Vec<bool> {
    let texts: Vec<String> = history.iter().map(Value::to_string).collect();
    let records: Vec<MessageRecord<'_>> =
        texts.iter().map(|text| serde_json::from_str(text).expect("a record")).collect();
    let answered = conversation.answered_through(&records);
    let mut marks = Vec::new();
    for record in &records {
        for event in conversation.receive_fetched(record, None, answered).events {
            let ConversationEvent::Message(message) = event else { continue };
            marks.push(message.back_filled);
        }
    }
    marks
}

#[test]
fn what_a_consumer_said_while_waiting_for_an_agent_is_news() {
    let history = [record(0, "CONSUMER", 10), record(1, "CONSUMER", CAME)];
    assert_eq!(marks(&mut came(Arrival::New), &history), [false, false]);
}

#[test]
fn what_was_answered_before_the_conversation_came_is_not_news_and_what_was_not_is() {
    let history = [record(0, "CONSUMER", 10), record(1, "ASSIGNED_AGENT", 20), record(2, "CONSUMER", 30)];
    assert_eq!(marks(&mut came(Arrival::New), &history), [true, true, false]);
}

#[test]
fn a_greeting_after_the_conversation_came_answers_nothing_that_was_said_before() {
    let history = [record(0, "CONSUMER", 10), record(1, "ASSIGNED_AGENT", CAME + 1)];
    assert_eq!(marks(&mut came(Arrival::New), &history), [false, false]);
}

#[test]
fn of_a_conversation_that_was_there_before_only_what_is_said_since_is_news() {
    let history = [record(0, "CONSUMER", 10), record(1, "CONSUMER", CAME), record(2, "CONSUMER", CAME + 1)];
    assert_eq!(marks(&mut came(Arrival::Before), &history), [true, true, false]);
}

#[test]
fn what_was_said_while_a_conversation_was_anothers_is_not_news() {
    let mut conversation = came(Arrival::New);
    assert_eq!(marks(&mut conversation, &[record(0, "CONSUMER", CAME + 1)]), [false]);
    conversation.arrives(Arrival::Before);
    conversation.receive_state(&state(Dialect::Brand, 200, "C:carol A:anna").text()).expect("a state");
    let history = [record(1, "CONSUMER", 150), record(2, "CONSUMER", 201)];
    assert_eq!(marks(&mut conversation, &history), [true, false]);
}

/// After a lost socket, or a restart with a store, the conversation did not leave and return.
#[test]
fn what_was_missed_for_a_while_is_news_and_a_snapshot_knows_what_is_not() {
    let conversation = came(Arrival::Before);
    let snapshot = serde_json::to_string(&conversation).expect("a snapshot");
    let mut conversation: Conversation = serde_json::from_str(&snapshot).expect("a conversation");
    let history = [record(0, "CONSUMER", 10), record(1, "ASSIGNED_AGENT", CAME + 5), record(2, "CONSUMER", CAME + 6)];
    assert_eq!(marks(&mut conversation, &history), [true, false, false]);
}

#[test]
fn a_mark_is_written_only_where_there_is_one() {
    let mut conversation = came(Arrival::Before);
    for (time, expected) in [(10, json!(true)), (CAME + 1, Value::Null)] {
        let text = record(u64::from(time != 10), "CONSUMER", time).to_string();
        let record: MessageRecord<'_> = serde_json::from_str(&text).expect("a record");
        let events = conversation.receive_fetched(&record, None, None).events;
        assert_eq!(json!(events)[0]["backFilled"], expected);
    }
}
