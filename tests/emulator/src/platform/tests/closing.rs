//! How conversations end.

use serde_json::{Value, json};

use super::{Desk, desk_with};
use crate::config::StateCloseSurvey;
use crate::platform::SocketId;

fn talk(desk: &mut Desk) -> (SocketId, SocketId, String) {
    let (consumer, agent) = (desk.consumer("ann"), desk.agent(1));
    let id = desk.open(consumer, json!({}));
    desk.join(agent, &id, "ASSIGNED_AGENT");
    (consumer, agent, id)
}

fn close_dialog(id: &Value) -> Value {
    json!([{"field": "DialogChange", "type": "UPDATE",
        "dialog": {"dialogId": id, "state": "CLOSE", "closedBy": "AGENT", "closedCause": "done"}}])
}

fn survey() -> Desk {
    desk_with(|settings| settings.survey = true)
}

#[test]
fn closing_the_main_dialog_opens_the_survey_and_closing_that_ends_the_conversation() {
    let mut desk = survey();
    let (consumer, agent, id) = talk(&mut desk);
    assert_eq!(
        desk.change(agent, &id, close_dialog(&json!(id))),
        (200, json!("OK Conversation resolved successfully"))
    );
    let details = desk.state(&id)["conversationDetails"].clone();
    assert_eq!((&details["state"], &details["stage"]), (&json!("CLOSE"), &json!("OPEN")));
    assert_eq!(
        (&details["dialogs"][0]["dialogType"], &details["dialogs"][0]["state"]),
        (&json!("POST_SURVEY"), &json!("OPEN"))
    );
    assert_eq!(details["dialogs"][0]["metaData"]["appInstallId"], "survey-bot");
    assert_eq!(
        (&details["dialogs"][1]["closedBy"], &details["dialogs"][1]["closedCause"]),
        (&json!("AGENT"), &json!("done"))
    );
    let survey = details["dialogs"][0]["dialogId"].clone();

    let question = json!({"dialogId": survey, "conversationId": id,
        "event": {"type": "ContentEvent", "contentType": "text/plain", "message": "how was it?"}});
    let bot = desk.agent(2);
    let add = json!([{"field": "ParticipantsChange", "type": "ADD", "role": "AGENT", "dialogId": survey}]);
    assert_eq!(desk.change(bot, &id, add).0, 200);
    assert_eq!(desk.ask(bot, ".ams.ms.PublishEvent", question), json!({"sequence": 0}), "a counter of its own");
    let typing = json!({"dialogId": survey, "event": {"type": "ChatStateEvent", "chatState": "COMPOSING"}});
    assert_eq!(desk.request(bot, ".ams.ms.PublishEvent", typing).0, 400);
    assert_eq!(desk.say(agent, &id, "too late").0, 400);
    assert_eq!(desk.say(consumer, &id, "too late").0, 400);

    desk.change(bot, &id, close_dialog(&survey));
    let details = desk.state(&id)["conversationDetails"].clone();
    assert_eq!((&details["stage"], details["endTs"].is_u64()), (&json!("CLOSE"), true));
}

#[test]
fn a_state_close_opens_the_survey_for_consumers_only_unless_switched() {
    let close = json!([{"field": "ConversationStateField", "conversationState": "CLOSE"}]);
    for (rule, by_consumer, by_agent) in [
        (StateCloseSurvey::ByConsumer, "OPEN", "CLOSE"),
        (StateCloseSurvey::Always, "OPEN", "OPEN"),
        (StateCloseSurvey::Never, "CLOSE", "CLOSE"),
    ] {
        let mut desk = survey();
        desk.platform.settings.switches.state_close_survey = rule;
        let (consumer, _, id) = talk(&mut desk);
        desk.change(consumer, &id, close.clone());
        assert_eq!(desk.state(&id)["conversationDetails"]["stage"], by_consumer, "{rule:?}");
        let (_, agent, id) = talk(&mut desk);
        desk.change(agent, &id, close.clone());
        assert_eq!(desk.state(&id)["conversationDetails"]["stage"], by_agent, "{rule:?}");
    }
}

#[test]
fn a_stage_close_ends_everything_at_once_and_frees_the_agent() {
    let mut desk = survey();
    let (_, agent, id) = talk(&mut desk);
    desk.change(agent, &id, json!([{"field": "Stage", "conversationState": "CLOSE"}]));
    let details = desk.state(&id)["conversationDetails"].clone();
    assert_eq!((&details["stage"], &details["closeReason"]), (&json!("CLOSE"), &json!("AGENT")));
    assert_eq!(desk.state(&id)["effectiveTTR"], -1);
    assert_eq!(desk.platform.directory.agent(crate::platform::AgentIndex(0)).unwrap().load(), 0);
    assert_eq!(desk.change(agent, &id, json!([{"field": "Stage", "conversationState": "CLOSE"}])).0, 400);
}

#[test]
fn a_closed_dialog_still_takes_receipts() {
    let mut desk = survey();
    let (consumer, agent, id) = talk(&mut desk);
    desk.say(agent, &id, "bye");
    desk.change(agent, &id, json!([{"field": "Stage", "conversationState": "CLOSE"}]));
    let read = json!({"type": "AcceptStatusEvent", "status": "READ", "sequenceList": [0]});
    assert_eq!(desk.publish(consumer, &id, &read), (200, json!({"sequence": 1})));
}
