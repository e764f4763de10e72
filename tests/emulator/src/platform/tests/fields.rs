//! Changes of a conversation: their exact answers, their shapes, their atomicity.

use serde_json::json;

use super::desk;

const CHANGE: &str = ".ams.aam.ExConversationChangeNotification";

#[test]
fn the_success_texts_are_exactly_those_clients_compare() {
    let mut desk = desk();
    let (agent, consumer) = (desk.agent(1), desk.consumer("ann"));
    let id = desk.open(consumer, json!({}));
    let add = json!([{"field": "ParticipantsChange", "type": "ADD", "role": "ASSIGNED_AGENT"}]);
    let note = json!({"field": "Note", "note": "n"});
    let ttr = json!({"field": "TTRField", "ttrType": "URGENT", "value": 0});
    let ettr = json!({"field": "ManualETTR", "time": 1_735_689_600_000_u64});
    let skill = json!([{"field": "Skill", "type": "UPDATE", "skill": "502"}]);
    let remove = json!([{"field": "ParticipantsChange", "type": "REMOVE", "role": "ASSIGNED_AGENT"}]);
    let csat = json!({"field": "CSATRate", "csatRate": "5", "csatResolutionConfirmation": true, "status": "FILLED"});
    let close = json!([{"field": "ConversationStateField", "conversationState": "CLOSE"}]);
    for (socket, field, text) in [
        (agent, add, "OK Agent added successfully"),
        (agent, note, "OK Update note success"),
        (agent, ttr, "Update TTR ended successfully"),
        (agent, ettr, "Update manual Ettr ended successfully"),
        (agent, skill, "Skill changed successfully"),
        (agent, remove, "OK Agent removed successfully"),
        (consumer, csat, "OK CSAT processed successfully"),
        (consumer, close, "OK Conversation resolved successfully"),
    ] {
        assert_eq!(desk.change(socket, &id, field), (200, json!(text)));
    }
    let profile = desk.ask(consumer, "userprofile.SetUserProfile", json!({"firstName": "Ann"}));
    assert_eq!(profile, "OK User Profile set successfully");
}

#[test]
fn one_request_is_one_change_however_many_fields_it_has_and_an_empty_one_is_none() {
    let mut desk = desk();
    let (agent, consumer) = (desk.agent(1), desk.consumer("ann"));
    let id = desk.open(consumer, json!({}));
    desk.join(agent, &id, "MANAGER");
    desk.ask(agent, ".ams.aam.SubscribeExConversations", json!({}));
    desk.drain(agent);
    let fields = json!([{"field": "Skill", "type": "UPDATE", "skill": "502"}, {"field": "Note", "note": "n"}]);
    desk.change(agent, &id, fields);
    let changes = desk.changes(agent, CHANGE);
    assert_eq!(changes.len(), 1);
    let details = &changes[0].1["conversationDetails"];
    assert_eq!((&details["skillId"], &details["note"]), (&json!("502"), &json!("n")));
    assert_eq!(desk.change(agent, &id, json!([])).0, 200);
    assert!(desk.changes(agent, CHANGE).is_empty());
}

#[test]
fn a_request_that_fails_in_one_field_changes_nothing() {
    let mut desk = desk();
    let (agent, consumer) = (desk.agent(1), desk.consumer("ann"));
    let id = desk.open(consumer, json!({}));
    desk.join(agent, &id, "MANAGER");
    let before = desk.state(&id);
    let fields = json!([{"field": "Skill", "type": "UPDATE", "skill": "502"},
        {"field": "ParticipantsChange", "type": "REMOVE", "role": "ASSIGNED_AGENT"}]);
    assert_eq!(desk.change(agent, &id, fields), (400, json!("Agent does not exist in conversation")));
    assert_eq!(desk.change(agent, &id, json!({"field": "CSATRate", "csatRate": 9})).0, 400);
    assert_eq!(desk.change(agent, &id, json!({"field": "Nonsense"})).0, 400);
    assert_eq!(desk.state(&id), before);
}

#[test]
fn a_rating_is_taken_as_a_number_or_its_text_from_consumers_also_after_the_close() {
    let mut desk = desk();
    let (agent, consumer) = (desk.agent(1), desk.consumer("ann"));
    let id = desk.open(consumer, json!({}));
    desk.change(consumer, &id, json!({"field": "Stage", "conversationState": "CLOSE"}));
    assert_eq!(desk.change(consumer, &id, json!([{"field": "CSATRate", "csatRate": 4}])).0, 200);
    let tree = desk.state(&id);
    assert_eq!(tree["conversationDetails"]["csatRate"], 4);
    assert_eq!(tree["conversationDetails"]["csat"]["status"], "FILLED");
    assert_eq!(desk.change(agent, &id, json!({"field": "CSATRate", "csatRate": "1"})).0, 403);
    assert_eq!(desk.change(consumer, &id, json!({"field": "Note", "note": "n"})).0, 403);
    assert_eq!(
        desk.change(agent, &id, json!({"field": "Note", "note": "n"})).0,
        200,
        "notes are written after the close"
    );
}

#[test]
fn who_joins_twice_or_takes_what_is_taken_is_refused() {
    let mut desk = desk();
    let (one, two, consumer) = (desk.agent(1), desk.agent(2), desk.consumer("ann"));
    let id = desk.open(consumer, json!({}));
    desk.join(one, &id, "ASSIGNED_AGENT");
    let add = |role| json!([{"field": "ParticipantsChange", "type": "ADD", "role": role}]);
    assert_eq!(desk.change(one, &id, add("READER")).0, 400);
    assert_eq!(desk.change(two, &id, add("ASSIGNED_AGENT")).0, 400);
    assert_eq!(desk.change(two, &id, add("READER")).0, 200);
    let update = json!([{"field": "ParticipantsChange", "type": "UPDATE", "role": "MANAGER"}]);
    assert_eq!(desk.change(two, &id, update).0, 200);
    assert_eq!(desk.state(&id)["conversationDetails"]["participants"]["MANAGER"], json!(["42.902"]));
}

#[test]
fn unknown_requests_and_broken_bodies_are_refused_and_both_dialects_names_are_taken() {
    let mut desk = desk();
    let (agent, consumer) = (desk.agent(1), desk.consumer("ann"));
    assert_eq!(desk.request(agent, ".ams.nothing.Known", json!({})).0, 400);
    assert_eq!(desk.request(agent, ".ams.ms.PublishEvent", json!({"dialogId": 7})).0, 400);
    assert_eq!(desk.request(agent, "cm.UpdateConversationField", json!({"conversationId": "none"})).0, 404);
    for kind in [".GetClock", "GetClock"] {
        assert!(desk.ask(consumer, kind, json!({}))["currentTime"].is_u64());
    }
    assert_eq!(
        desk.ask(agent, "userprofile.GetUserProfile", json!({})),
        json!({"userId": "42.901", "nickName": "bot1", "role": "AGENT"})
    );
    desk.ask(consumer, ".ams.userprofile.SetUserProfile", json!({"firstName": "Ann"}));
    for body in [json!("ann"), json!({"userId": "ann"})] {
        assert_eq!(
            desk.ask(agent, ".ams.userprofile.GetUserProfile", body),
            json!({"firstName": "Ann", "userId": "ann"})
        );
    }
}
