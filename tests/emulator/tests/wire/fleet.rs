//! Many at once: a fleet of agents and consumers on one emulator, everything heard exactly once and in order.

use futures_util::future::join_all;
use serde_json::{Value, json};
use tertulia_emulator::{Emulator, EmulatorConfig};

use crate::client::{Socket, signup};

const CONSUMERS: usize = 40;
const MESSAGES: u64 = 10;

fn event(id: &Value, text: &str) -> Value {
    json!({"conversationId": id, "dialogId": id,
        "event": {"type": "ContentEvent", "contentType": "text/plain", "message": text}})
}

async fn ready(emulator: &Emulator, user: &str) -> Socket {
    let mut agent = Socket::agent(emulator, user).await;
    agent.ask(".ams.routing.SubscribeRoutingTasks", json!({})).await;
    agent.ask(".ams.routing.SetAgentState", json!({"availability": "ONLINE"})).await;
    agent
}

/// Accepts every ring and answers every message of a consumer, until all have been answered.
async fn echo(mut agent: Socket, share: u64) -> u64 {
    let mut answered = 0;
    let mut number = 0;
    let mut send = async |agent: &mut Socket, kind: &str, body: Value| {
        number += 1;
        agent.raw(json!({"kind": "req", "id": format!("e{number}"), "type": kind, "body": body}).to_string()).await;
    };
    while answered < share {
        let frame = agent.next().await.unwrap();
        let ring = &frame["body"]["changes"][0]["result"]["ringsDetails"][0];
        if ring["ringState"] == "WAITING" {
            let accept = json!({"ringId": ring["ringId"], "ringState": "ACCEPTED"});
            send(&mut agent, ".ams.routing.UpdateRingState", accept).await;
        } else if frame["body"]["originatorMetadata"]["role"] == "CONSUMER" {
            answered += 1;
            let text = frame["body"]["event"]["message"].as_str().unwrap();
            let body = event(&frame["body"]["dialogId"], text);
            send(&mut agent, ".ams.ms.PublishEvent", body).await;
        }
    }
    // Answered after all that was sent before it, so that nothing is lost when this socket goes.
    agent.ask(".GetClock", json!({})).await;
    answered
}

/// Opens a conversation, waits for its agent, then says each message after the echo of the one before.
async fn talk(emulator: &Emulator) -> Vec<u64> {
    let mut consumer = Socket::consumer(emulator, &signup(emulator).await).await;
    consumer.ask("cqm.SubscribeExConversations", json!({"stage": ["OPEN"]})).await;
    let id = consumer.ask("cm.ConsumerRequestConversation", json!({})).await["conversationId"].clone();
    consumer.ask("ms.SubscribeMessagingEvents", json!({"dialogId": id, "fromSeq": 0})).await;
    consumer
        .notification("cqm.ExConversationChangeNotification", |body| body.to_string().contains("ASSIGNED_AGENT"))
        .await;
    let mut sequences = Vec::new();
    for number in 0..MESSAGES {
        consumer.ask("ms.PublishEvent", event(&id, &number.to_string())).await;
        let echoed = |body: &Value| body["changes"][0]["originatorMetadata"]["role"] == "ASSIGNED_AGENT";
        let echo = consumer.notification("ms.MessagingEventNotification", echoed).await;
        assert_eq!(echo["changes"][0]["event"]["message"], number.to_string());
        sequences.push(echo["changes"][0]["sequence"].as_u64().unwrap());
    }
    sequences
}

#[actix_web::test]
async fn forty_consumers_and_four_agents_hear_each_other_exactly_once_and_in_order() {
    let emulator = Emulator::start(EmulatorConfig { threads: 2, ..EmulatorConfig::default() }).unwrap();
    let agents = join_all(["bot1", "bot2", "bot3", "bot4"].map(|user| ready(&emulator, user))).await;
    let share = CONSUMERS as u64 * MESSAGES / 4;
    let (answered, sequences) = tokio::join!(
        join_all(agents.into_iter().map(|agent| echo(agent, share))),
        join_all((0..CONSUMERS).map(|_| talk(&emulator))),
    );
    assert_eq!(answered, [share; 4], "the load is even");
    let expected: Vec<u64> = (0..MESSAGES).map(|number| number * 2 + 1).collect();
    assert!(sequences.iter().all(|one| *one == expected));
    let summary = emulator.summary();
    let all = CONSUMERS as u64 * MESSAGES;
    assert_eq!((summary.consumer_messages, summary.agent_messages), (all, all));
    assert_eq!((summary.delivered_to_agents, summary.delivered_to_consumers), (all, all));
}
