//! A connector speaks for its consumers by the Send API and receives their messages by signed webhooks.

use std::time::Duration;

use serde_json::json;
use tertulia_actors::{
    connection::ConnectionError,
    conversation::ConversationError,
    core::{
        command::{Command, SendText},
        ums::{AnswerError, ClientProperties, ParticipantRole, Stage as ConversationStage},
        webhook::SignatureError,
    },
    files::{FileType, UploadSource},
    intake::IntakeSettings,
    platform::AppCredentials,
    subscriber::NotificationFilter,
};
use tertulia_emulator::{AppInstall, Fault, FaultKind, FaultRule, HowOften, Outcome, SignatureKind};
use tokio::time::timeout;

use super::{CONSUMER, Post, connect, connector, open, stage};
use crate::stage::PATIENCE;

/// Passes webhooks in as they arrive.
macro_rules! relay {
    ($stage:expr, $hook:expr, $posts:expr) => {
        async {
            while let Some(Post { signature, body }) = $posts.recv().await {
                $stage.tertulia.connection(&$hook).receive_webhook(Some(&signature), body).await.unwrap();
            }
        }
    };
}

#[actix_rt::test]
async fn a_connector_opens_speaks_hears_the_agent_and_closes() {
    let (mut stage, mut posts) = stage(|app| AppInstall { signature: SignatureKind::Sha256, ..app });
    let hook = connect(&stage, connector()).await;
    let bot = stage.bot().await;
    let conversation = open(&stage, &hook).await;
    assert_eq!(conversation.send_text("hi").await.unwrap().sequence, Some(0));
    let by_bot = stage.until(|event| event.data.name() == "message" && event.origin.connection == bot).await;
    let replying = stage.tertulia.connection(&bot).conversation(by_bot.conversation.as_ref().unwrap()).unwrap();
    replying.send_text("hello").await.unwrap();

    let events = &mut stage.events;
    let mut heard = Vec::new();
    let hearing = async {
        while heard.len() < 2 {
            let event = events.next().await.unwrap().unwrap();
            let Some(message) = event.message() else { continue };
            if event.origin.connection == hook {
                heard.push((message.role.clone().unwrap(), message.text().unwrap()));
            }
        }
    };
    tokio::select! {
        heard = timeout(PATIENCE, hearing) => heard.unwrap(),
        () = relay!(stage, hook, posts) => {}
    }
    let expected = [(ParticipantRole::Consumer, "hi"), (ParticipantRole::AssignedAgent, "hello")];
    assert_eq!(heard, expected.map(|(role, text)| (role, text.to_owned())));

    conversation.close_at_once().await.unwrap();
    let events = &mut stage.events;
    let closing = async {
        loop {
            let event = events.next().await.unwrap().unwrap();
            if event.origin.connection == hook && event.data.name() == "close" {
                break;
            }
        }
    };
    tokio::select! {
        closed = timeout(PATIENCE, closing) => closed.unwrap(),
        () = relay!(stage, hook, posts) => {}
    }
    let stage_told = conversation.members().await.unwrap()["stage"].clone();
    assert_eq!(stage_told, json!(ConversationStage::Close));
    stage.tertulia.stop(PATIENCE).await;
}

/// Every event of the conversation has the connector's own id of its consumer, from the first event on.
#[actix_rt::test]
async fn a_connector_s_consumer_is_reported_by_the_connector_s_own_id() {
    let (mut stage, mut posts) = stage(|app| app);
    let hook = connect(&stage, connector()).await;
    let conversation = open(&stage, &hook).await;
    let bot = stage.bot().await;
    conversation.send_text("hi").await.unwrap();
    let events = &mut stage.events;
    let mut told = Vec::new();
    let hearing = async {
        while told.len() < 2 {
            let event = events.next().await.unwrap().unwrap();
            if matches!(event.data.name(), "conversation" | "message") {
                let own = serde_json::to_value(&event.data).unwrap()["externalConsumerId"].clone();
                if event.origin.connection == hook {
                    told.push(own);
                } else {
                    assert_eq!((&event.origin.connection, own), (&bot, json!(null)));
                }
            }
        }
    };
    tokio::select! {
        heard = timeout(PATIENCE, hearing) => heard.unwrap(),
        () = relay!(stage, hook, posts) => {}
    }
    assert_eq!(told, [json!(CONSUMER), json!(CONSUMER)]);
    assert_eq!(conversation.members().await.unwrap()["externalConsumerId"], CONSUMER);
    assert_eq!(conversation.outline().external_consumer, Some(CONSUMER.into()));
    stage.tertulia.stop(PATIENCE).await;
}

/// WH-3 reversed: a webhook that the platform did not send is refused and counted.
#[actix_rt::test]
async fn a_wrong_signature_is_refused_and_counted_and_changes_nothing() {
    let (stage, mut posts) = stage(|app| app);
    let hook = connect(&stage, connector()).await;
    open(&stage, &hook).await;
    let Post { signature, body } = timeout(PATIENCE, posts.recv()).await.unwrap().unwrap();
    let forged = [
        (None, SignatureError::Missing),
        (Some("md5=abc"), SignatureError::Malformed),
        (Some("sha1=QXrgMO1TEp21Q1FWZOAsJ+uuMWw="), SignatureError::Wrong),
    ];
    for (signature, error) in forged {
        let refused = stage.tertulia.connection(&hook).receive_webhook(signature, body.clone()).await;
        assert_eq!(refused, Err(ConnectionError::BadSignature(error)));
    }
    assert_eq!(stage.tertulia.metrics().webhooks_refused.get(), 3);
    assert_eq!(stage.tertulia.metrics().state_notifications_processed.get(), 0);
    stage.tertulia.connection(&hook).receive_webhook(Some(&signature), body).await.unwrap();
    stage.tertulia.stop(PATIENCE).await;
}

#[actix_rt::test]
async fn what_is_signed_but_no_notification_is_refused_as_malformed() {
    let (stage, _posts) = stage(|app| app);
    let hook = connect(&stage, connector()).await;
    for body in ["", "[]", r#"{"kind":"resp","reqId":"1","code":200}"#, "\u{fffd}"] {
        let refused = stage.tertulia.connection(&hook).receive_notification(body.as_bytes().into()).await;
        assert!(matches!(refused, Err(ConnectionError::MalformedNotification(_))), "{body}");
    }
    assert_eq!(stage.tertulia.metrics().frames_malformed.get(), 4);
    stage.tertulia.stop(PATIENCE).await;
}

#[actix_rt::test]
async fn wrong_credentials_fail_at_once() {
    let (stage, _posts) = stage(|app| app);
    let app = AppCredentials { client_id: "c".to_owned(), secret: "wrong".into() };
    let settings = IntakeSettings { app, ..connector() };
    let hook = settings.id.clone();
    stage.tertulia.connect_intake(settings).unwrap();
    let failed = stage.tertulia.connection(&hook).ready(PATIENCE).await;
    assert!(matches!(failed, Err(ConnectionError::Failed { .. })), "{failed:?}");
    stage.tertulia.stop(PATIENCE).await;
}

#[actix_rt::test]
async fn a_token_that_the_platform_takes_back_is_renewed_once_and_the_message_goes_out_once() {
    let (stage, _posts) = stage(|app| app);
    let hook = connect(&stage, connector()).await;
    let conversation = open(&stage, &hook).await;
    assert_eq!(stage.emulator.inject(Fault::new(FaultKind::ExpireToken)), 1);
    assert_eq!(conversation.send_text("after").await.unwrap().sequence, Some(0));
    assert_eq!(stage.said(), ["after"]);
    stage.tertulia.stop(PATIENCE).await;
}

/// CV-F16, by the Send API.
#[actix_rt::test]
async fn a_connector_uploads_a_file_and_tells_of_it() {
    let (stage, _posts) = stage(|app| app);
    let hook = connect(&stage, connector()).await;
    let conversation = open(&stage, &hook).await;
    let picture = UploadSource::bytes(FileType::Png, b"\x89PNG\r\n\x1a\n".as_slice().into()).caption("a picture");
    let uploaded = conversation.upload_file(picture).await.unwrap();
    assert_eq!(uploaded.sequence, Some(0));
    stage.tertulia.stop(PATIENCE).await;
}

#[actix_rt::test]
async fn a_token_is_renewed_before_its_last_minute() {
    let (stage, _posts) = stage(|app| AppInstall { token_life: Duration::from_secs(30), ..app });
    let hook = connect(&stage, connector()).await;
    let conversation = open(&stage, &hook).await;
    for text in ["one", "two"] {
        conversation.send_text(text).await.unwrap();
    }
    assert_eq!(stage.said(), ["one", "two"]);
    stage.tertulia.stop(PATIENCE).await;
}

#[actix_rt::test]
async fn a_throttled_message_waits_and_goes_out_once() {
    let (stage, _posts) = stage(|app| app);
    let hook = connect(&stage, connector()).await;
    let conversation = open(&stage, &hook).await;
    assert_eq!(stage.emulator.inject(Fault::new(FaultKind::Throttle)), 1);
    assert_eq!(conversation.send_text("slowly").await.unwrap().sequence, Some(0));
    assert_eq!(stage.said(), ["slowly"]);
    stage.tertulia.stop(PATIENCE).await;
}

/// Promise 4: a message cannot be looked up here, but its own webhook shows it.
#[actix_rt::test]
async fn a_message_whose_answer_is_lost_is_found_by_its_webhook_and_not_repeated() {
    let (stage, mut posts) = stage(|app| app);
    let hook = connect(&stage, connector()).await;
    let conversation = open(&stage, &hook).await;
    assert_eq!(stage.emulator.inject(Fault::new(FaultKind::Drop)), 1);
    tokio::select! {
        done = conversation.send_text("once") => assert_eq!(done.unwrap().sequence, Some(0)),
        () = relay!(stage, hook, posts) => {}
    }
    assert_eq!(stage.said(), ["once"]);
    stage.tertulia.stop(PATIENCE).await;
}

/// Promise 4: a response of 429 says that nothing happened, but the message's own webhook shows that it was published.
#[actix_rt::test]
async fn a_message_that_was_taken_and_refused_is_found_by_its_webhook_and_not_repeated() {
    for code in [429, 500, 503] {
        for often in [HowOften::Times(1), HowOften::Times(3), HowOften::Always] {
            let (stage, mut posts) = stage(|app| app);
            let hook = connect(&stage, connector()).await;
            let conversation = open(&stage, &hook).await;
            let rule = FaultRule::new("PublishEvent", Outcome::Code(code)).carried_out();
            stage.emulator.add_rule(FaultRule { often, ..rule }).unwrap();
            tokio::select! {
                done = conversation.send_text("once") => assert_eq!(done.unwrap().sequence, Some(0)),
                () = relay!(stage, hook, posts) => {}
            }
            assert_eq!(stage.said(), ["once"], "{code} {often:?}");
            stage.tertulia.stop(PATIENCE).await;
        }
    }
}

/// Promise 4: without its webhook the outcome stays unknown, so the message is not sent again.
#[actix_rt::test]
async fn a_message_whose_answer_and_webhook_are_lost_is_reported_as_unknown_and_not_repeated() {
    let (stage, _posts) = stage(|app| app);
    let hook = connect(&stage, IntakeSettings { hold: Duration::from_millis(10), ..connector() }).await;
    let conversation = open(&stage, &hook).await;
    assert_eq!(stage.emulator.inject(Fault::new(FaultKind::Drop)), 1);
    let command = Command::SendText(SendText { text: "once".to_owned(), ..SendText::default() });
    let lost = conversation.perform_as("k1".into(), command, Duration::from_secs(3)).await;
    assert_eq!(lost.unwrap_err(), ConversationError::OutcomeUnknown { key: "k1".into() });
    assert_eq!(stage.said(), ["once"]);
    stage.tertulia.stop(PATIENCE).await;
}

#[actix_rt::test]
async fn what_there_is_no_room_for_is_refused_and_the_platform_may_come_again() {
    let (stage, mut posts) = stage(|app| app);
    let opener = connect(&stage, IntakeSettings { id: "opener".into(), ..connector() }).await;
    let hook = connect(&stage, IntakeSettings { max_conversations: 1, ..connector() }).await;
    let mut answers = Vec::new();
    for _ in 0..2 {
        open(&stage, &opener).await;
        let Post { signature, body } = timeout(PATIENCE, posts.recv()).await.unwrap().unwrap();
        answers.push(stage.tertulia.connection(&hook).receive_webhook(Some(&signature), body).await);
    }
    assert_eq!(answers, [Ok(()), Err(ConnectionError::Overloaded(hook.clone()))]);
    stage.tertulia.stop(PATIENCE).await;
}

/// The end of a conversation is known from its newest state, in whatever order the states arrive.
#[actix_rt::test]
async fn a_conversation_that_ended_leaves_memory_after_its_linger_also_when_an_older_state_comes_last() {
    let (stage, mut posts) = stage(|app| app);
    let opener = connect(&stage, IntakeSettings { id: "opener".into(), ..connector() }).await;
    let hook = connect(&stage, IntakeSettings { linger: Duration::ZERO, ..connector() }).await;
    let id = open(&stage, &opener).await.id().clone();
    stage.emulator.close_conversation(id.as_str()).unwrap();
    let mut states = Vec::new();
    while states.len() < 2 {
        states.push(timeout(PATIENCE, posts.recv()).await.unwrap().unwrap());
    }
    for Post { signature, body } in states.into_iter().rev() {
        stage.tertulia.connection(&hook).receive_webhook(Some(&signature), body).await.unwrap();
    }
    let gone = async {
        while stage.tertulia.connection(&hook).conversation(&id).is_some() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.unwrap();
    stage.tertulia.stop(PATIENCE).await;
}

/// ER-2.
#[actix_rt::test]
async fn a_refusal_of_the_platform_is_reported_with_its_words() {
    let (stage, _posts) = stage(|app| app);
    let hook = connect(&stage, connector()).await;
    let conversation = open(&stage, &hook).await;
    let joined = conversation.join(ParticipantRole::AssignedAgent).await;
    assert_eq!(joined.unwrap_err().code(), "not-supported");
    stage.emulator.close_conversation(conversation.id().as_str()).unwrap();
    let refused = conversation.send_text("too late").await;
    let Err(ConversationError::Refused(AnswerError::Refused { code: 400, text })) = refused else {
        panic!("{refused:?}")
    };
    assert!(text.contains("closed"), "{text}");
    stage.tertulia.stop(PATIENCE).await;
}

#[actix_rt::test]
async fn a_request_that_needs_a_socket_is_not_supported() {
    let (stage, _posts) = stage(|app| app);
    let hook = connect(&stage, connector()).await;
    let created = stage.tertulia.connection(&hook).create_conversation(Default::default()).await;
    assert!(matches!(created, Err(ConnectionError::NotSupported { .. })));
    stage.tertulia.stop(PATIENCE).await;
}

/// Protocol §10.3: every request describes the consumers' device; agents see this in the conversation and with each
/// message.
#[actix_rt::test]
async fn a_connector_tells_of_its_consumers_device_with_every_request() {
    let (mut stage, _posts) = stage(|app| app);
    let client_properties = ClientProperties {
        app_id: Some("Brücke".to_owned()),
        features: vec!["RICH_CONTENT".to_owned(), "QUICK_REPLIES".to_owned()],
        ..ClientProperties::default()
    };
    let hook = connect(&stage, IntakeSettings { client_properties, ..connector() }).await;
    let bot = stage.bot().await;
    let filter = NotificationFilter::everything().connection(bot.as_str()).kind("OnlineEventDistribution");
    let mut notifications = stage.tertulia.notifications(filter, 16);
    let conversation = open(&stage, &hook).await;
    conversation.send_text("hi").await.unwrap();
    stage.until(|event| event.data.name() == "message" && event.origin.connection == bot).await;
    let theirs = stage.tertulia.connection(&bot).conversation(conversation.id()).unwrap();
    let told = theirs.members().await.unwrap()["context"]["clientProperties"].clone();
    assert_eq!((&told["appId"], &told["features"]), (&json!("Brücke"), &json!(["RICH_CONTENT", "QUICK_REPLIES"])));
    // The first message may have been read from the history; this one arrives live.
    conversation.send_text("again").await.unwrap();
    let heard = timeout(PATIENCE, notifications.next()).await.unwrap().unwrap().unwrap();
    assert!(heard.body.to_value().to_string().contains("Brücke"));
    stage.tertulia.stop(PATIENCE).await;
}
