//! The main road over real sockets: log in, subscribe, be rung, accept, talk, close.

use serde_json::json;
use tertulia_emulator::{Emulator, EmulatorConfig};

use crate::client::{Socket, signup};

#[actix_web::test]
async fn a_consumer_and_an_agent_hold_a_conversation_from_ring_to_close() {
    let emulator = Emulator::start(EmulatorConfig::default()).unwrap();
    let mut agent = Socket::agent(&emulator, "bot1").await;
    let own = agent.ask(".ams.userprofile.GetUserProfile", json!({})).await["userId"].clone();
    agent.ask(".ams.routing.SetAgentState", json!({"availability": "ONLINE", "channels": ["MESSAGING"]})).await;
    let subscribed = agent.ask(".ams.aam.SubscribeExConversations", json!({"stage": ["OPEN"]})).await;
    let snapshot = agent.notification(".ams.aam.ExConversationChangeNotification", |_| true).await;
    assert_eq!(snapshot["subscriptionId"], subscribed["subscriptionId"]);
    assert_eq!(snapshot["changes"], json!([]));
    agent.ask(".ams.routing.SubscribeRoutingTasks", json!({"channelType": "MESSAGING"})).await;
    let rings = agent.notification(".ams.routing.RoutingTaskNotification", |_| true).await;
    assert_eq!(rings["changes"], json!([]));

    let mut consumer = Socket::consumer(&emulator, &signup(&emulator).await).await;
    consumer.ask("cqm.SubscribeExConversations", json!({"stage": ["OPEN", "CLOSE"]})).await;
    let profile = consumer.ask("userprofile.GetUserProfile", json!({})).await;
    assert!(profile["userId"].is_string());
    let created = consumer
        .ask("cm.ConsumerRequestConversation", json!({"ttrDefName": "NORMAL", "skillId": null, "campaignInfo": null}))
        .await;
    let id = created["conversationId"].as_str().unwrap().to_owned();
    consumer.ask("ms.SubscribeMessagingEvents", json!({"conversationId": id, "dialogId": id, "fromSeq": 0})).await;
    let first = consumer.notification("ms.MessagingEventNotification", |_| true).await;
    assert_eq!(first["changes"], json!([]));

    let ring = agent.notification(".ams.routing.RoutingTaskNotification", |_| true).await;
    let details = &ring["changes"][0]["result"]["ringsDetails"];
    assert_eq!((details.as_array().unwrap().len(), &details[0]["ringState"]), (1, &json!("WAITING")));
    let accept = json!({"ringId": details[0]["ringId"], "ringState": "ACCEPTED"});
    let answer = agent.request(".ams.routing.UpdateRingState", accept).await;
    assert_eq!((&answer["code"], &answer["type"]), (&json!(202), &json!(".ReqBody$StringResp")));
    let upsert = agent
        .notification(".ams.aam.ExConversationChangeNotification", |body| {
            body["changes"][0]["result"]["conversationDetails"]["participants"]["ASSIGNED_AGENT"][0] == own
        })
        .await;
    assert_eq!(upsert["changes"][0]["type"], "UPSERT");

    let hello = json!({"conversationId": id, "dialogId": id, "messageAudience": "ALL",
        "event": {"type": "ContentEvent", "contentType": "text/plain", "message": "hello"}});
    assert_eq!(consumer.ask("ms.PublishEvent", hello.clone()).await, json!({"sequence": 0}));
    let heard = agent.notification(".ams.ms.OnlineEventDistribution", |_| true).await;
    assert_eq!((&heard["event"]["message"], &heard["sequence"]), (&json!("hello"), &json!(0)));
    assert_eq!(agent.ask(".ams.ms.PublishEvent", hello).await, json!({"sequence": 1}));
    let heard =
        consumer.notification("ms.MessagingEventNotification", |body| body["changes"][0]["sequence"] == 1).await;
    assert_eq!(heard["changes"][0]["originatorMetadata"]["role"], "ASSIGNED_AGENT");
    assert!(heard["changes"][0].get("originatorPId").is_none());

    let history = agent.ask(".ams.ms.QueryMessages", json!({"dialogId": id, "newerThanSequence": 1})).await;
    assert_eq!((history.as_array().unwrap().len(), &history[0]["sequence"]), (1, &json!(1)));

    let close = json!({"conversationId": id,
        "conversationField": [{"field": "ConversationStateField", "conversationState": "CLOSE"}]});
    let text = agent.ask(".ams.cm.UpdateConversationField", close).await;
    assert_eq!(text, "OK Conversation resolved successfully");
    let gone = agent
        .notification(".ams.aam.ExConversationChangeNotification", |body| body["changes"][0]["type"] == "DELETE")
        .await;
    assert_eq!(gone["changes"][0]["result"]["conversationDetails"]["state"], "CLOSE");

    let summary = emulator.summary();
    assert_eq!((summary.consumer_messages, summary.agent_messages), (1, 1));
    assert_eq!((summary.delivered_to_agents, summary.delivered_to_consumers), (1, 1));
    let texts: Vec<_> = emulator.ledger().iter().map(|entry| (entry.role, entry.text.unwrap())).collect();
    let expected = [("CONSUMER", "hello"), ("ASSIGNED_AGENT", "hello")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(texts, expected);
}
