//! Rings: who gets one, and what becomes of it.

use serde_json::{Value, json};

use super::{Desk, agent, desk, desk_with};
use crate::platform::{NewAgent, SocketId};

fn answer(desk: &mut Desk, agent: SocketId, ring: &str, state: &str) -> (u64, Value) {
    desk.request(agent, ".ams.routing.UpdateRingState", json!({"ringId": ring, "ringState": state}))
}

fn assigned(desk: &mut Desk, id: &str) -> Value {
    desk.state(id)["conversationDetails"]["participants"]["ASSIGNED_AGENT"].clone()
}

#[test]
fn a_new_conversation_rings_at_one_ready_agent_and_acceptance_assigns_it() {
    let mut desk = desk();
    let agents = [desk.ready_agent(1), desk.ready_agent(2)];
    let consumer = desk.consumer("ann");
    let id = desk.open(consumer, json!({}));
    let rings = agents.map(|agent| desk.rings(agent));
    assert_eq!(rings.iter().map(Vec::len).sum::<usize>(), 1);
    let (ring, state) = rings[0].first().expect("the first of equals").clone();
    assert_eq!((state.as_str(), ring.starts_with(&format!("{id}_42_"))), ("WAITING", true));
    assert_eq!(answer(&mut desk, agents[0], &ring, "ACCEPTED"), (202, json!("Ring state updated successfully")));
    assert_eq!(desk.rings(agents[0]), [(ring.clone(), "ACCEPTED".to_owned())]);
    assert_eq!(assigned(&mut desk, &id), json!(["42.901"]));
    assert_eq!(answer(&mut desk, agents[0], &ring, "ACCEPTED").0, 400, "a ring is answered once");
}

#[test]
fn rings_spread_evenly_over_a_fleet() {
    let mut desk = desk();
    let agents = [desk.ready_agent(1), desk.ready_agent(2), desk.ready_agent(3)];
    let consumer = desk.consumer("ann");
    for _ in 0..9 {
        desk.open(consumer, json!({}));
    }
    assert_eq!(agents.map(|agent| desk.rings(agent).len()), [3, 3, 3]);
}

#[test]
fn nobody_is_rung_who_is_not_online_or_has_no_room_and_the_conversation_waits() {
    let mut desk = desk_with(|settings| settings.agent_capacity = 1);
    let agent = desk.ready_agent(1);
    let consumer = desk.consumer("ann");
    let first = desk.open(consumer, json!({}));
    desk.open(consumer, json!({}));
    assert_eq!(desk.rings(agent).len(), 1, "one at a time");
    desk.change(consumer, &first, json!([{"field": "Stage", "conversationState": "CLOSE"}]));
    let states: Vec<String> = desk.rings(agent).into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, ["CANCELLED", "WAITING"], "the next one comes when there is room");
    desk.ask(agent, ".ams.routing.SetAgentState", json!({"availability": "AWAY"}));
    desk.open(consumer, json!({}));
    let other = desk.agent(2);
    desk.ask(other, ".ams.routing.SubscribeRoutingTasks", json!({}));
    desk.drain(other);
    desk.ask(other, ".ams.routing.SetAgentState", json!({"availability": "ONLINE"}));
    assert_eq!(desk.rings(other).len(), 1, "going online releases what waits");
}

#[test]
fn a_rejected_or_expired_ring_goes_to_the_next_agent_and_comes_back_when_all_refused() {
    let mut desk = desk();
    let agents = [desk.ready_agent(1), desk.ready_agent(2)];
    let consumer = desk.consumer("ann");
    desk.open(consumer, json!({}));
    let (ring, _) = desk.rings(agents[0]).remove(0);
    answer(&mut desk, agents[0], &ring, "REJECTED");
    assert_eq!(desk.rings(agents[0])[0].1, "REJECTED");
    let (second, _) = desk.rings(agents[1]).remove(0);
    assert_ne!(ring, second);
    desk.wait(72_010);
    assert_eq!(desk.rings(agents[1])[0].1, "EXPIRED");
    assert!(desk.rings(agents[0]).is_empty());
    desk.wait(5_010);
    assert_eq!(agents.map(|agent| desk.rings(agent).len()).iter().sum::<usize>(), 1);
}

#[test]
fn a_ring_that_waits_is_in_the_first_notification_of_a_new_subscription() {
    let mut desk = desk();
    let agent = desk.ready_agent(1);
    let consumer = desk.consumer("ann");
    desk.open(consumer, json!({}));
    let (ring, _) = desk.rings(agent).remove(0);
    desk.platform.close_socket(agent);
    let again = desk.agent(1);
    desk.ask(again, ".ams.routing.SubscribeRoutingTasks", json!({}));
    assert_eq!(desk.rings(again), [(ring, "WAITING".to_owned())]);
}

#[test]
fn skills_decide_who_is_rung() {
    let mut desk = desk();
    let fourth = NewAgent { skills: vec!["501".to_owned()], ..agent(4) };
    desk.platform.add_agent(fourth, 0);
    let specialist = desk.ready_agent(4);
    let consumer = desk.consumer("ann");
    desk.open(consumer, json!({"skillId": "502"}));
    assert!(desk.rings(specialist).is_empty());
    desk.open(consumer, json!({"skillId": 501}));
    assert_eq!(desk.rings(specialist).len(), 1);
}

#[test]
fn back_to_queue_rings_again_and_a_transfer_to_a_skill_routes_by_the_new_one() {
    let mut desk = desk();
    let (one, two) = (desk.ready_agent(1), desk.agent(2));
    let consumer = desk.consumer("ann");
    let id = desk.open(consumer, json!({}));
    let (ring, _) = desk.rings(one).remove(0);
    answer(&mut desk, one, &ring, "ACCEPTED");
    desk.drain(one);
    let transfer = json!([{"field": "Skill", "type": "UPDATE", "skill": "502"},
        {"field": "ParticipantsChange", "type": "REMOVE", "role": "ASSIGNED_AGENT"}]);
    assert_eq!(desk.change(two, &id, transfer.clone()).0, 400, "only a participant may transfer");
    assert_eq!(desk.change(one, &id, transfer.clone()), (200, json!("OK Agent removed successfully")));
    let result = desk.changes(one, ".ams.routing.RoutingTaskNotification").remove(0).1;
    assert_eq!((&result["skillId"], &result["ringsDetails"][0]["ringState"]), (&json!("502"), &json!("WAITING")));
    assert_eq!(desk.change(one, &id, transfer).0, 400, "removing an agent who is not assigned fails the whole");
    assert_eq!(desk.state(&id)["conversationDetails"]["skillId"], "502");
}

#[test]
fn a_suggested_agent_is_rung_even_when_occupied_and_is_listed_as_suggested_until_it_accepts() {
    let mut desk = desk();
    let (one, two) = (desk.ready_agent(1), desk.ready_agent(2));
    let consumer = desk.consumer("ann");
    let id = desk.open(consumer, json!({}));
    let (ring, _) = desk.rings(one).remove(0);
    answer(&mut desk, one, &ring, "ACCEPTED");
    desk.ask(two, ".ams.routing.SetAgentState", json!({"availability": "OCCUPIED"}));
    desk.ask(two, ".ams.aam.SubscribeExConversations", json!({"agentIds": ["42.902"]}));
    desk.drain(two);
    let transfer = json!([
        {"field": "ParticipantsChange", "type": "SUGGEST", "role": "ASSIGNED_AGENT", "userId": "42.902"},
        {"field": "ParticipantsChange", "type": "REMOVE", "role": "ASSIGNED_AGENT", "userId": "42.901"}]);
    desk.change(one, &id, transfer);
    let frames = desk.drain(two);
    let tree = &frames.iter().find(|frame| frame["type"] == ".ams.aam.ExConversationChangeNotification").unwrap()["body"]
        ["changes"][0]["result"]["conversationDetails"];
    assert_eq!(tree["participants"]["ASSIGNED_AGENT"], json!(["42.902"]));
    assert_eq!(tree["participantsPId"]["ASSIGNED_AGENT"], json!(["pid-2"]));
    let member = json!({"id": "42.902", "role": "ASSIGNED_AGENT", "state": "SUGGESTED"});
    assert!(tree["dialogs"][0]["participantsDetails"].as_array().unwrap().contains(&member));
    let ring = frames.iter().find(|frame| frame["type"] == ".ams.routing.RoutingTaskNotification").unwrap();
    let ring = ring["body"]["changes"][0]["result"]["ringsDetails"][0]["ringId"].as_str().unwrap().to_owned();
    answer(&mut desk, two, &ring, "ACCEPTED");
    let details = desk.state(&id)["conversationDetails"]["dialogs"][0]["participantsDetails"].clone();
    assert!(
        details.as_array().unwrap().contains(&json!({"id": "42.902", "role": "ASSIGNED_AGENT", "state": "ACTIVE"}))
    );
}

#[test]
fn a_suggested_agent_who_rejects_is_removed_and_the_skills_agents_are_rung() {
    let mut desk = desk();
    let (one, two) = (desk.ready_agent(1), desk.ready_agent(2));
    let consumer = desk.consumer("ann");
    let id = desk.open(consumer, json!({}));
    let (ring, _) = desk.rings(one).remove(0);
    answer(&mut desk, one, &ring, "ACCEPTED");
    let transfer = json!([
        {"field": "ParticipantsChange", "type": "REMOVE", "role": "ASSIGNED_AGENT"},
        {"field": "ParticipantsChange", "type": "SUGGEST", "role": "ASSIGNED_AGENT", "userId": "pid-2"}]);
    desk.change(one, &id, transfer);
    desk.drain(one);
    let (ring, _) = desk.rings(two).remove(0);
    answer(&mut desk, two, &ring, "REJECTED");
    assert_eq!(assigned(&mut desk, &id), json!([]));
    assert_eq!(desk.rings(one)[0].1, "WAITING");
}

#[test]
fn an_agents_state_is_told_to_all_its_sockets_that_asked() {
    let mut desk = desk();
    let (first, second) = (desk.agent(1), desk.agent(1));
    desk.ask(second, ".ams.routing.SubscribeAgentsState", json!({}));
    desk.drain(second);
    let answer =
        desk.request(first, ".ams.routing.SetAgentState", json!({"availability": "AWAY", "description": "tea"}));
    assert_eq!(answer, (202, json!("Agent state updated successfully")));
    let (_, result) = desk.changes(second, ".ams.routing.AgentStateNotification").remove(0);
    assert_eq!((&result["availability"], &result["agentUserId"]), (&json!("AWAY"), &json!("42.901")));
}
