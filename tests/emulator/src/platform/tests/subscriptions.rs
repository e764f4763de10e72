//! Snapshots, UPSERT and DELETE, filters, pages.

use serde_json::{Value, json};

use super::{desk, desk_with};

const CHANGE: &str = ".ams.aam.ExConversationChangeNotification";
const CHANGE_V3: &str = "cqm.ExConversationChangeNotification";

fn ids(changes: &[(String, Value)]) -> Vec<&str> {
    changes.iter().map(|(_, tree)| tree["convId"].as_str().unwrap()).collect()
}

#[test]
fn a_snapshot_always_follows_its_answer_even_when_it_is_empty() {
    let mut desk = desk();
    let agent = desk.agent(1);
    let subscription = desk.ask(agent, ".ams.aam.SubscribeExConversations", json!({"stage": ["OPEN"]}));
    let frames = desk.drain(agent);
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0]["body"]["subscriptionId"], subscription["subscriptionId"]);
    assert_eq!(frames[0]["body"]["changes"], json!([]));
}

#[test]
fn an_open_only_filter_hears_one_delete_with_the_full_closed_tree() {
    let mut desk = desk();
    let (agent, consumer) = (desk.agent(1), desk.consumer("ann"));
    desk.ask(agent, ".ams.aam.SubscribeExConversations", json!({"stage": "OPEN"}));
    let id = desk.open(consumer, json!({}));
    assert_eq!(desk.changes(agent, CHANGE).len(), 1);
    desk.change(consumer, &id, json!([{"field": "Stage", "conversationState": "CLOSE"}]));
    let changes = desk.changes(agent, CHANGE);
    assert_eq!((changes.len(), changes[0].0.as_str()), (1, "DELETE"));
    let details = &changes[0].1["conversationDetails"];
    assert_eq!((&details["stage"], &details["closeReason"]), (&json!("CLOSE"), &json!("CONSUMER")));
    assert_eq!(details["participants"]["CONSUMER"], json!(["ann"]));
    assert_eq!(details["dialogs"][0]["state"], "CLOSE");
    desk.change(agent, &id, json!({"field": "Note", "note": "late"}));
    assert!(desk.changes(agent, CHANGE).is_empty(), "what was deleted is not heard of again");
}

#[test]
fn a_filter_that_includes_closed_ones_hears_an_upsert_of_the_close() {
    let mut desk = desk();
    let consumer = desk.consumer("ann");
    desk.ask(consumer, "cqm.SubscribeExConversations", json!({"stage": ["OPEN", "CLOSE"]}));
    let id = desk.open(consumer, json!({}));
    desk.drain(consumer);
    desk.change(consumer, &id, json!([{"field": "ConversationStateField", "conversationState": "CLOSE"}]));
    let changes = desk.changes(consumer, CHANGE_V3);
    assert_eq!((changes.len(), changes[0].0.as_str()), (1, "UPSERT"));
}

#[test]
fn a_switch_sends_the_closing_upsert_before_the_delete() {
    let mut desk = desk_with(|settings| settings.switches.close_upsert_before_delete = true);
    let (agent, consumer) = (desk.agent(1), desk.consumer("ann"));
    desk.ask(agent, ".ams.aam.SubscribeExConversations", json!({"convState": ["OPEN"]}));
    let id = desk.open(consumer, json!({}));
    desk.drain(agent);
    desk.change(consumer, &id, json!([{"field": "Stage", "conversationState": "CLOSE"}]));
    let kinds: Vec<String> = desk.changes(agent, CHANGE).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["UPSERT", "DELETE"]);
}

#[test]
fn a_subscription_by_agent_holds_its_conversations_until_the_agent_leaves() {
    let mut desk = desk();
    let (agent, consumer) = (desk.agent(1), desk.consumer("ann"));
    desk.ask(agent, ".ams.aam.SubscribeExConversations", json!({"agentIds": ["42.901"], "stage": ["OPEN"]}));
    let id = desk.open(consumer, json!({}));
    desk.drain(agent);
    desk.join(agent, &id, "MANAGER");
    assert_eq!(desk.changes(agent, CHANGE)[0].0, "UPSERT");
    let leave = json!([{"field": "ParticipantsChange", "type": "REMOVE", "role": "MANAGER"}]);
    assert_eq!(desk.change(agent, &id, leave), (200, json!("OK Agent removed successfully")));
    assert_eq!(desk.changes(agent, CHANGE)[0].0, "DELETE");
}

#[test]
fn a_consumer_sees_its_own_conversations_only() {
    let mut desk = desk();
    let (ann, bob) = (desk.consumer("ann"), desk.consumer("bob"));
    let own = desk.open(ann, json!({}));
    desk.open(bob, json!({}));
    desk.ask(ann, "cqm.SubscribeExConversations", json!({}));
    assert_eq!(ids(&desk.changes(ann, CHANGE_V3)), [own]);
}

#[test]
fn update_times_grow_strictly_even_within_one_millisecond() {
    let mut desk = desk();
    let (agent, consumer) = (desk.agent(1), desk.consumer("ann"));
    desk.ask(agent, ".ams.aam.SubscribeExConversations", json!({}));
    let id = desk.open(consumer, json!({}));
    for text in ["0", "1", "2", "3"] {
        desk.now -= 1;
        desk.say(consumer, &id, text);
    }
    let times: Vec<u64> = desk
        .changes(agent, CHANGE)
        .iter()
        .map(|(_, tree)| tree["conversationDetails"]["metaDataLastUpdateTs"].as_u64().unwrap())
        .collect();
    assert_eq!(times.len(), 5);
    assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
}

#[test]
fn a_page_holds_the_newest_oldest_first_and_a_bound_reaches_the_rest() {
    let mut desk = desk_with(|settings| settings.page_limit = 3);
    let consumer = desk.consumer("ann");
    let opened: Vec<String> = (0..5).map(|_| desk.open(consumer, json!({}))).collect();
    let agent = desk.agent(1);
    desk.ask(agent, ".ams.aam.SubscribeExConversations", json!({}));
    let page = desk.changes(agent, CHANGE);
    assert_eq!(ids(&page), opened[2..]);
    let smallest = page[0].1["conversationDetails"]["metaDataLastUpdateTs"].as_u64().unwrap();
    let body = json!({"minLastUpdatedTime": 0, "maxLastUpdatedTime": smallest - 1});
    desk.ask(agent, ".ams.aam.SubscribeExConversations", body);
    assert_eq!(ids(&desk.changes(agent, CHANGE)), opened[..2]);
}

#[test]
fn an_ended_subscription_hears_nothing_and_cannot_be_ended_twice() {
    let mut desk = desk();
    let (agent, consumer) = (desk.agent(1), desk.consumer("ann"));
    let subscription = desk.ask(agent, ".ams.aam.SubscribeExConversations", json!({}));
    desk.ask(agent, ".ams.aam.UnsubscribeExConversations", subscription.clone());
    desk.drain(agent);
    desk.open(consumer, json!({}));
    assert!(desk.drain(agent).is_empty());
    assert_eq!(desk.request(agent, ".ams.aam.UnsubscribeExConversations", subscription).0, 400);
}

#[test]
fn a_filter_of_stage_tells_a_conversation_in_survey_from_an_ended_one() {
    let mut desk = desk_with(|settings| settings.survey = true);
    let (agent, consumer) = (desk.agent(1), desk.consumer("ann"));
    desk.ask(agent, ".ams.aam.SubscribeExConversations", json!({"stage": ["OPEN"]}));
    let id = desk.open(consumer, json!({}));
    desk.drain(agent);
    let close = json!({"field": "DialogChange", "type": "UPDATE", "dialog": {"dialogId": id, "state": "CLOSE"}});
    desk.change(agent, &id, close);
    let (kind, tree) = desk.changes(agent, CHANGE).remove(0);
    let details = &tree["conversationDetails"];
    assert_eq!((kind.as_str(), &details["state"], &details["stage"]), ("UPSERT", &json!("CLOSE"), &json!("OPEN")));
}
