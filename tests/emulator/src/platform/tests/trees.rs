//! The shape of the conversation tree in each dialect.

use serde_json::{Value, json};

use super::{desk, desk_with};
use crate::dialect::Dialect;
use crate::platform::{AgentIndex, ConsumerId, NewConversation, Party};

#[test]
fn the_brand_gets_both_participant_maps_with_the_same_keys_and_the_consumer_a_list() {
    let mut desk = desk();
    let (agent, consumer) = (desk.agent(1), desk.consumer("ann"));
    let id = desk.open(consumer, json!({"campaignInfo": {"campaignId": 7, "engagementId": "8"}}));
    desk.join(agent, &id, "MANAGER");
    let tree = desk.state(&id);
    let details = &tree["conversationDetails"];
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&details["participants"]), keys(&details["participantsPId"]));
    assert_eq!(
        (&details["participants"]["MANAGER"], &details["participantsPId"]["MANAGER"]),
        (&json!(["42.901"]), &json!(["pid-1"]))
    );
    assert_eq!((&details["convId"], &tree["convId"]), (&json!(id), &json!(id)));
    assert_eq!(details["dialogs"][0]["dialogId"], json!(id), "the main dialog is called like its conversation");
    assert_eq!(details["ttr"], json!({"ttrType": "PRIORITIZED", "value": 600}));
    assert_eq!(details["campaignInfo"], json!({"campaignId": 7, "engagementId": "8"}));
    assert_eq!(details["conversationHandlerDetails"], json!({"accountId": "42", "skillId": "-1"}));

    desk.ask(consumer, "cqm.SubscribeExConversations", json!({}));
    let (_, tree) = desk.changes(consumer, "cqm.ExConversationChangeNotification").remove(0);
    let expected = json!([{"id": "ann", "role": "CONSUMER"}, {"id": "pid-1", "role": "MANAGER"}]);
    assert_eq!(tree["conversationDetails"]["participants"], expected);
    assert!(tree["conversationDetails"].get("participantsPId").is_none());
    let members = &tree["conversationDetails"]["dialogs"][0]["participantsDetails"];
    assert_eq!(members[1], json!({"id": "pid-1", "role": "MANAGER", "state": "ACTIVE"}));
}

#[test]
fn a_suggestion_is_announced_to_newer_brand_sockets_only_and_the_maps_can_be_spared_it() {
    for in_maps in [true, false] {
        let mut desk = desk_with(|settings| settings.switches.suggested_in_maps = in_maps);
        let (agent, consumer) = (desk.agent(1), desk.consumer("ann"));
        let old = desk.socket(Party::Agent(AgentIndex(1)), Dialect::V2);
        let id = desk.open(consumer, json!({}));
        desk.join(agent, &id, "MANAGER");
        for socket in [agent, old] {
            desk.ask(socket, ".ams.aam.SubscribeExConversations", json!({}));
            desk.drain(socket);
        }
        let suggest =
            json!([{"field": "ParticipantsChange", "type": "SUGGEST", "role": "ASSIGNED_AGENT", "userId": "42.902"}]);
        desk.change(agent, &id, suggest);
        let mut details = |socket| {
            let (_, tree) = desk.changes(socket, ".ams.aam.ExConversationChangeNotification").remove(0);
            tree["conversationDetails"].clone()
        };
        let (new, old) = (details(agent), details(old));
        let listed = |tree: &Value| tree["dialogs"][0]["participantsDetails"].to_string().contains("SUGGESTED");
        assert_eq!((listed(&new), listed(&old)), (true, false));
        let expected = if in_maps { json!(["42.902"]) } else { json!([]) };
        assert_eq!(new["participants"]["ASSIGNED_AGENT"], expected);
        assert_eq!(old["participants"]["ASSIGNED_AGENT"], json!([]));
    }
}

#[test]
fn the_last_content_event_is_in_the_tree_unless_the_platform_loses_it() {
    let mut desk = desk();
    let consumer = desk.consumer("ann");
    let id = desk.open(consumer, json!({}));
    desk.say(consumer, &id, "hi");
    let last = desk.state(&id)["lastContentEventNotification"].clone();
    assert_eq!((&last["sequence"], &last["event"]["message"]), (&json!(0), &json!("hi")));
    assert_eq!(last["originatorMetadata"], json!({"id": "ann", "role": "CONSUMER"}));
    desk.platform.omit_last_content(true);
    assert!(desk.state(&id).get("lastContentEventNotification").is_none());
}

#[test]
fn a_conversation_names_the_application_that_opened_it_and_the_group_that_has_it() {
    let mut desk = desk();
    let by_app = NewConversation { app: Some("app-1".into()), ..NewConversation::default() };
    let id = desk.platform.open_conversation(&ConsumerId::new("ann"), by_app, desk.now).to_string();
    assert_eq!(desk.state(&id)["conversationDetails"]["appInstId"], "app-1");
    assert!(desk.state(&id)["conversationDetails"].get("groupId").is_none());
    desk.platform.change_group(&id, "7", desk.now).unwrap();
    assert_eq!(desk.state(&id)["conversationDetails"]["groupId"], "7");
    assert!(desk.platform.change_group("none", "7", desk.now).is_err());
}
