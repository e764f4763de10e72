//! The identity of a connection in its status, and how a connection recognizes its own messages.

use serde_json::{Value, json};
use tertulia_actors::{
    connection::{ConnectionSettings, ConnectionStatus, Login, Role},
    core::{id::ConnectionId, ums::AgentState},
    intake::IntakeSettings,
    platform::{AgentLogin, AppCredentials},
    subscriber::Event,
};
use tertulia_emulator::{AppInstall, EmulatorConfig, Fault, FaultKind};

use crate::{
    class_page::side::Side,
    stage::{Stage, bot, consumer},
};

fn status(stage: &Stage, id: &ConnectionId) -> ConnectionStatus {
    stage.tertulia.connection(id).status().unwrap()
}

/// Connects, and returns the data of the event `connection.resumed`.
async fn resumed(stage: &mut Stage, settings: ConnectionSettings) -> Value {
    let id = settings.id.clone();
    stage.tertulia.connect(settings).unwrap();
    let is_resumed = |event: &Event| event.data.name() == "connection.resumed" && event.origin.connection == id;
    json!(stage.until(is_resumed).await.data)
}

/// On every connection, a message has the user id of its author.
#[actix_rt::test]
async fn own_messages_have_the_user_id_of_the_connection() {
    let stage = Stage::set(EmulatorConfig::default());
    let mut agent = Side::connect(&stage, bot(1)).await;
    let (mut ann, opened) = Side::consumer(&stage, "ann").await;
    let taken = agent.meets(&stage, opened.id().as_str()).await;
    let (agents, consumers) = (status(&stage, &agent.id), status(&stage, &ann.id));
    assert_eq!((agents.role, consumers.role), (Role::Agent, Role::Consumer));
    assert_ne!(agents.user_id.as_ref().unwrap().as_str(), agents.agent_id.as_ref().unwrap().as_str());
    assert_eq!((consumers.agent_id, consumers.agent_state), (None, None));
    opened.send_text("hi").await.unwrap();
    for side in [&mut agent, &mut ann] {
        let message = side.hears("message").await;
        assert_eq!((&message["role"], &message["originatorId"]), (&json!("CONSUMER"), &json!(consumers.user_id)));
    }
    taken.send_text("hello").await.unwrap();
    for side in [&mut agent, &mut ann] {
        let message = side.hears("message").await;
        assert_eq!((&message["role"], &message["originatorId"]), (&json!("ASSIGNED_AGENT"), &json!(agents.user_id)));
    }
}

/// A connector sends the messages of its consumers, who have ids of their own on the platform.
#[actix_rt::test]
async fn a_connector_has_no_user_id_and_its_messages_have_the_ids_of_its_consumers() {
    let app = AppInstall::new("c", "s");
    let stage = Stage::set(EmulatorConfig { app: Some(app), ..EmulatorConfig::default() });
    let mut agent = Side::connect(&stage, bot(1)).await;
    let app = AppCredentials { client_id: "c".to_owned(), secret: "s".into() };
    let mut hook = Side::of(&stage, "hook".into());
    stage.tertulia.connect_intake(IntakeSettings::connector("hook", "12345678", app)).unwrap();
    let resumed = hook.hears("connection.resumed").await;
    assert_eq!(
        (&resumed["role"], &resumed["userId"], &resumed["agentId"]),
        (&json!("connector"), &json!(null), &json!(null))
    );
    let hook = stage.tertulia.connection(&hook.id);
    let opened = hook.create_conversation_for("whatsapp:1".into(), Default::default(), Default::default());
    let opened = opened.await.unwrap();
    let taken = agent.meets(&stage, opened.id().as_str()).await;
    opened.send_text("hi").await.unwrap();
    let message = agent.hears("message").await;
    let consumer = taken.members().await.unwrap()["consumer"]["userId"].clone();
    assert_eq!((&message["role"], &message["originatorId"]), (&json!("CONSUMER"), &consumer));
    assert_ne!(consumer, "whatsapp:1");
}

#[actix_rt::test]
async fn the_event_of_a_resumed_connection_has_its_identity() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let event = resumed(&mut stage, bot(1)).await;
    let status = status(&stage, &bot(1).id);
    assert_eq!(
        event,
        json!({
            "account": "12345678", "role": "brand", "userId": status.user_id, "agentId": status.agent_id,
            "agentState": "ONLINE", "conversations": 0, "filled": 0, "incomplete": 0,
        })
    );
    assert!(event["agentId"].as_str().unwrap().starts_with("12345678."));
    let event = resumed(&mut stage, consumer("ann")).await;
    assert_eq!(
        (&event["role"], &event["agentId"], &event["agentState"]),
        (&json!("consumer"), &json!(null), &json!(null))
    );
    assert!(event["userId"].is_string());
}

/// The status has the state that the platform confirmed, and no state without a socket.
#[actix_rt::test]
async fn the_agents_state_is_the_confirmed_one() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let agent = stage.bot().await;
    assert_eq!(status(&stage, &agent).agent_state, Some(AgentState::Online));
    stage.tertulia.connection(&agent).set_agent_state(AgentState::Away).await.unwrap();
    assert_eq!(status(&stage, &agent).agent_state, Some(AgentState::Away));
    stage.emulator.inject(Fault::new(FaultKind::SlowLogin).user("bot1"));
    stage.emulator.inject(Fault::new(FaultKind::ExpireToken).user("bot1"));
    stage.event("connection.disconnected").await;
    assert_eq!(json!(stage.event("connection.resumed").await.data)["agentState"], "AWAY");
}

/// A login by bearer does not report the agent's public id, so the connection has no user id.
#[actix_rt::test]
async fn an_agent_whose_public_id_is_unknown_has_its_agent_id_only() {
    let mut stage = Stage::set(EmulatorConfig::default());
    let agent = stage.bot().await;
    let known = status(&stage, &agent).agent_id.unwrap();
    let bearer = stage.tertulia.connection(&agent).bearer().await.unwrap();
    stage.tertulia.connection(&agent).disconnect().await;
    let user_id = known.as_str().rsplit_once('.').unwrap().1.to_owned();
    let login = Login::Agent(AgentLogin::Bearer { bearer, user_id });
    let event = resumed(&mut stage, ConnectionSettings { login, ..bot(2) }).await;
    assert_eq!((&event["agentId"], &event["userId"]), (&json!(known), &json!(null)));
}
