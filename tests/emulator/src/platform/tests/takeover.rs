//! Step-up: one person, a new id, the same conversations.

use serde_json::json;

use super::desk;
use crate::platform::ConsumerId;

const CHANGE_V3: &str = "cqm.ExConversationChangeNotification";

#[test]
fn a_stepped_up_consumer_sees_takes_over_and_continues_the_conversations_of_its_earlier_self() {
    let mut desk = desk();
    let (anonymous, agent) = (desk.consumer("anon"), desk.agent(1));
    let id = desk.open(anonymous, json!({}));
    desk.join(agent, &id, "ASSIGNED_AGENT");
    desk.platform.link_consumers(&ConsumerId::new("anon"), &ConsumerId::new("ann"));
    let ann = desk.consumer("ann");
    desk.ask(ann, "cqm.SubscribeExConversations", json!({"stage": ["OPEN", "CLOSE"]}));
    assert_eq!(desk.changes(ann, CHANGE_V3)[0].1["convId"], json!(id));
    desk.ask(agent, ".ams.aam.SubscribeExConversations", json!({}));
    desk.drain(agent);
    let takeover = json!([
        {"field": "ParticipantsChange", "userId": "anon", "role": "CONSUMER", "type": "REMOVE"},
        {"field": "ParticipantsChange", "userId": "ann", "role": "CONSUMER", "type": "ADD"}]);
    assert_eq!(desk.change(ann, &id, takeover).0, 200);
    let changes = desk.changes(agent, ".ams.aam.ExConversationChangeNotification");
    assert_eq!(changes.len(), 1, "both halves in one notification");
    assert_eq!(changes[0].1["conversationDetails"]["participants"]["CONSUMER"], json!(["ann"]));
    assert_eq!(desk.say(ann, &id, "me again").0, 200);
    assert_eq!(desk.say(anonymous, &id, "ghost").0, 400);
}

#[test]
fn a_stranger_cannot_take_over_a_conversation() {
    let mut desk = desk();
    let (ann, eve) = (desk.consumer("ann"), desk.consumer("eve"));
    let id = desk.open(ann, json!({}));
    let takeover = json!([
        {"field": "ParticipantsChange", "userId": "ann", "role": "CONSUMER", "type": "REMOVE"},
        {"field": "ParticipantsChange", "userId": "eve", "role": "CONSUMER", "type": "ADD"}]);
    assert_eq!(desk.change(eve, &id, takeover).0, 400);
}
