//! Publishing, receiving, reading again.

use serde_json::{Value, json};

use super::{Desk, desk, desk_with};
use crate::config::HistoryBound;
use crate::platform::SocketId;

const MESSAGE: &str = ".ams.ms.OnlineEventDistribution";

fn texts(frames: &[Value]) -> Vec<String> {
    let records = frames.iter().flat_map(|frame| match frame["body"]["changes"].as_array() {
        Some(changes) => changes.clone(),
        None => vec![frame["body"].clone()],
    });
    records.filter_map(|record| record["event"]["message"].as_str().map(str::to_owned)).collect()
}

fn talk(desk: &mut Desk) -> (SocketId, SocketId, String) {
    let consumer = desk.consumer("ann");
    let agent = desk.agent(1);
    let id = desk.open(consumer, json!({}));
    desk.join(agent, &id, "ASSIGNED_AGENT");
    desk.ask(consumer, "ms.SubscribeMessagingEvents", json!({"dialogId": id, "fromSeq": 0}));
    desk.drain(consumer);
    desk.drain(agent);
    (consumer, agent, id)
}

#[test]
fn content_and_receipts_share_one_counter_that_starts_at_zero() {
    let mut desk = desk();
    let (consumer, agent, id) = talk(&mut desk);
    let read = json!({"type": "AcceptStatusEvent", "status": "READ", "sequenceList": [0]});
    assert_eq!(desk.say(consumer, &id, "hi"), (200, json!({"sequence": 0})));
    assert_eq!(desk.publish(agent, &id, &read), (200, json!({"sequence": 1})));
    assert_eq!(desk.say(agent, &id, "hello"), (200, json!({"sequence": 2})));
}

#[test]
fn a_chat_state_has_no_sequence_is_delivered_and_never_stored() {
    let mut desk = desk();
    let (consumer, agent, id) = talk(&mut desk);
    let typing = json!({"type": "ChatStateEvent", "chatState": "COMPOSING"});
    assert_eq!(desk.publish(consumer, &id, &typing), (200, json!({"sequence": 0})));
    let frames = desk.drain(agent);
    assert_eq!(frames[0]["type"], MESSAGE);
    assert!(frames[0]["body"].get("sequence").is_none() && frames[0]["body"].get("serverTimestamp").is_none());
    assert!(desk.history(agent, json!({"dialogId": id})).is_empty());
    assert!(desk.platform.ledger().is_empty());
}

#[test]
fn every_agent_in_the_dialog_hears_a_message_on_every_socket_and_nobody_outside_does() {
    let mut desk = desk();
    let (consumer, agent, id) = talk(&mut desk);
    let second_socket = desk.agent(1);
    let outsider = desk.agent(2);
    desk.say(consumer, &id, "hi");
    assert_eq!(texts(&desk.drain(agent)), ["hi"]);
    assert_eq!(texts(&desk.drain(second_socket)), ["hi"]);
    assert!(desk.drain(outsider).is_empty());
    desk.say(agent, &id, "own");
    assert_eq!(texts(&desk.drain(agent)), ["own"], "the sender hears itself");
    assert_eq!(texts(&desk.drain(consumer)), ["hi", "own"]);
}

#[test]
fn a_private_message_never_reaches_a_consumer_live_or_replayed() {
    let mut desk = desk();
    let (consumer, agent, id) = talk(&mut desk);
    let event = json!({"type": "ContentEvent", "contentType": "text/plain", "message": "between us"});
    let body = json!({"dialogId": id, "messageAudience": "AGENTS_AND_MANAGERS", "event": event});
    desk.ask(agent, ".ams.ms.PublishEvent", body);
    assert_eq!(texts(&desk.drain(agent)), ["between us"]);
    desk.ask(consumer, "ms.SubscribeMessagingEvents", json!({"dialogId": id, "fromSeq": 0}));
    assert!(texts(&desk.drain(consumer)).is_empty());
    assert_eq!(desk.history(agent, json!({"dialogId": id})).len(), 1);
}

#[test]
fn history_is_ordered_and_begins_with_the_record_that_its_lower_bound_names() {
    let mut desk = desk();
    let (consumer, agent, id) = talk(&mut desk);
    for text in ["0", "1", "2", "3", "4"] {
        desk.say(consumer, &id, text);
    }
    let mut sequences = |body: Value| -> Vec<u64> {
        desk.history(agent, body).iter().map(|record| record["sequence"].as_u64().unwrap()).collect()
    };
    assert_eq!(sequences(json!({"dialogId": id, "newerThanSequence": -1})), [0, 1, 2, 3, 4]);
    assert_eq!(sequences(json!({"dialogId": id, "newerThanSequence": 0, "olderThanSequence": 3})), [0, 1, 2]);
    assert_eq!(sequences(json!({"dialogId": id, "newerThanSequence": "1", "maxQuantity": "2"})), [1, 2]);
    assert_eq!(sequences(json!({"dialogId": id})), [0, 1, 2, 3, 4]);
}

#[test]
fn a_switch_makes_the_lower_bound_of_history_exclusive() {
    let mut desk = desk_with(|settings| settings.switches.history_bound = HistoryBound::Exclusive);
    let (consumer, agent, id) = talk(&mut desk);
    desk.say(consumer, &id, "0");
    assert_eq!(desk.history(agent, json!({"dialogId": id, "newerThanSequence": 0})).len(), 0);
    assert_eq!(desk.history(agent, json!({"dialogId": id, "newerThanSequence": -1})).len(), 1);
}

#[test]
fn who_takes_no_part_may_neither_publish_nor_read() {
    let mut desk = desk();
    let (_, _, id) = talk(&mut desk);
    let outsider = desk.agent(2);
    let stranger = desk.consumer("eve");
    let refusal = (400, json!("Agent does not exist in conversation"));
    assert_eq!(desk.say(outsider, &id, "hi"), refusal);
    assert_eq!(desk.request(outsider, ".ams.ms.QueryMessages", json!({"dialogId": id})), refusal);
    assert_eq!(desk.say(stranger, &id, "hi").0, 400);
    assert_eq!(desk.request(stranger, "ms.SubscribeMessagingEvents", json!({"dialogId": id})).0, 400);
}

#[test]
fn texts_contents_and_notes_that_are_too_long_are_refused() {
    let mut desk = desk();
    let (consumer, agent, id) = talk(&mut desk);
    assert_eq!(desk.say(consumer, &id, &"ä".repeat(8_000)).0, 200);
    assert_eq!(desk.say(consumer, &id, &"ä".repeat(8_001)).0, 400);
    let rich = json!({"type": "RichContentEvent", "content": {"type": "text", "text": "x".repeat(15_000)}});
    assert_eq!(desk.publish(agent, &id, &rich).0, 400);
    assert_eq!(desk.change(agent, &id, json!({"field": "Note", "note": "x".repeat(5_001)})).0, 400);
}

#[test]
fn a_message_subscription_replays_from_its_sequence_and_answers_even_when_there_is_nothing() {
    let mut desk = desk();
    let (consumer, _, id) = talk(&mut desk);
    desk.say(consumer, &id, "0");
    desk.say(consumer, &id, "1");
    let again = desk.consumer("ann");
    desk.ask(again, "ms.SubscribeMessagingEvents", json!({"dialogId": id, "fromSeq": 1}));
    let frames = desk.drain(again);
    assert_eq!((frames.len(), &frames[0]["type"]), (1, &json!("ms.MessagingEventNotification")));
    assert_eq!(texts(&frames), ["1"]);
    desk.ask(again, "ms.SubscribeMessagingEvents", json!({"dialogId": id, "fromSeq": 2}));
    let frames = desk.drain(again);
    assert_eq!(frames[0]["body"]["changes"], json!([]));
    desk.say(consumer, &id, "2");
    assert_eq!(texts(&desk.drain(again)), ["2"], "one live copy, however often it subscribed");
}

#[test]
fn metadata_comes_back_with_the_message() {
    let mut desk = desk();
    let (consumer, agent, id) = talk(&mut desk);
    let event = json!({"type": "ContentEvent", "contentType": "text/plain", "message": "hi"});
    let frame = json!({"kind": "req", "id": 7, "type": "ms.PublishEvent",
        "body": {"dialogId": id, "event": event}, "metadata": [{"type": "ExternalId", "id": "key-1"}]});
    let request = crate::dialect::Request::read(frame.to_string().as_bytes()).unwrap();
    desk.platform.handle(consumer, &request, desk.now);
    let answer = desk.drain(consumer);
    assert_eq!(answer[0]["reqId"], "7", "a number comes back as a text");
    assert_eq!(desk.drain(agent)[0]["body"]["metadata"], json!([{"type": "ExternalId", "id": "key-1"}]));
    assert_eq!(desk.history(agent, json!({"dialogId": id}))[0]["metadata"][0]["id"], "key-1");
}

#[test]
fn unread_counts_grow_with_others_messages_and_reading_clears_them() {
    let mut desk = desk();
    let (consumer, agent, id) = talk(&mut desk);
    desk.say(consumer, &id, "0");
    desk.say(consumer, &id, "1");
    let unread = |tree: Value| tree["numberOfunreadMessages"].clone();
    assert_eq!(unread(desk.state(&id)), json!({"ann": 0, "42.901": 2}));
    desk.publish(agent, &id, &json!({"type": "AcceptStatusEvent", "status": "ACCEPT", "sequenceList": [0, 1]}));
    assert_eq!(unread(desk.state(&id)), json!({"ann": 0, "42.901": 2}));
    desk.publish(agent, &id, &json!({"type": "AcceptStatusEvent", "status": "READ", "sequenceList": 1}));
    assert_eq!(unread(desk.state(&id)), json!({"ann": 0, "42.901": 0}));
    desk.say(agent, &id, "3");
    assert_eq!(unread(desk.state(&id)), json!({"ann": 1, "42.901": 0}));
}

#[test]
fn an_assigned_agents_answer_ends_the_waiting_and_the_next_message_begins_it_again() {
    let mut desk = desk();
    let consumer = desk.consumer("ann");
    let agent = desk.agent(1);
    let id = desk.open(consumer, json!({"ttrDefName": "URGENT"}));
    let began = desk.now;
    desk.join(agent, &id, "ASSIGNED_AGENT");
    assert_eq!(desk.state(&id)["effectiveTTR"], began + 300_000);
    desk.say(consumer, &id, "hi");
    assert_eq!(desk.state(&id)["effectiveTTR"], began + 300_000);
    desk.say(agent, &id, "hello");
    assert_eq!(desk.state(&id)["effectiveTTR"], -1);
    desk.say(consumer, &id, "and");
    assert_eq!(desk.state(&id)["effectiveTTR"], desk.now + 300_000 - 1, "from the publish, one request before");
}
