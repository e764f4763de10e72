//! How a command continues when its link is lost, with a real actor.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix::Addr;
use serde_json::json;
use tertulia_core::{
    command::{Command, Identity, SendText},
    ums::Request,
};
use tokio::sync::{mpsc::UnboundedReceiver, oneshot};
use tracing::Span;

use super::{
    super::{
        CatchUp, Conversation, ConversationError, Done, HandleRequest, HistoryProgress, LinkLost, LinkReady, Perform,
    },
    Progress, asked, assigned_to, assigned_with_content, conversation, empty_history,
};
use crate::{
    request::{Answer, Ask, RequestError},
    supervision::Depth,
};

/// Lets the conversation know that it is open, with the bot in it, and that the link is ready.
async fn open(conversation: &Addr<Conversation>, asks: &mut UnboundedReceiver<Ask>) {
    assigned_to(conversation, "bot", 1).await;
    asked(asks).await.reply.send(empty_history()).unwrap();
    link(conversation, asks, empty_history()).await;
}

/// Makes the link ready after the history was read, which is `said`.
async fn link(
    conversation: &Addr<Conversation>,
    asks: &mut UnboundedReceiver<Ask>,
    said: Result<Answer, RequestError>,
) {
    conversation.do_send(CatchUp);
    let history = asked(asks).await;
    assert!(matches!(history.request, Request::QueryMessages(_)), "{:?}", history.request);
    history.reply.send(said).unwrap();
    ready(conversation);
}

fn ready(conversation: &Addr<Conversation>) {
    let (account, agent_id, user_id) = ("12345678".into(), "bot".into(), "bot".into());
    let identity = Arc::new(Identity::Brand { account, agent_id, user_id, name: None });
    conversation.do_send(LinkReady { identity });
}

fn say(conversation: &Addr<Conversation>, key: &str) -> oneshot::Receiver<Result<Done, ConversationError>> {
    let (reply, outcome) = oneshot::channel();
    let text = SendText { text: "hello".to_owned(), ..SendText::default() };
    conversation.do_send(HandleRequest::Perform(Perform {
        command: Command::SendText(text),
        key: key.into(),
        caller: None,
        deadline: Instant::now() + Duration::from_secs(30),
        durable: None,
        reply: reply.into(),
        claim: None,
        span: Span::none(),
        place: Depth::new(1).try_enter().unwrap(),
    }));
    outcome
}

/// Waits until the conversation has handled all earlier messages.
async fn settled(conversation: &Addr<Conversation>) {
    for _ in 0..2 {
        let (reply, listed) = oneshot::channel();
        conversation.do_send(HandleRequest::ListCommands(reply));
        listed.await.unwrap();
    }
}

/// Publishes, and loses the link before the response. `is_told_first` says whether the conversation learns of the lost
/// link before the lost response; the two arrive by different ways.
async fn lose_while_in_flight(
    is_told_first: bool,
) -> (Addr<Conversation>, UnboundedReceiver<Ask>, Ask, oneshot::Receiver<Result<Done, ConversationError>>) {
    let (conversation, mut asks, _progress) = conversation();
    open(&conversation, &mut asks).await;
    let outcome = say(&conversation, "key-1");
    let mut publish = asked(&mut asks).await;
    assert!(matches!(publish.request, Request::Publish(_)), "{:?}", publish.request);
    let reply = std::mem::replace(&mut publish.reply, oneshot::channel().0);
    if is_told_first {
        conversation.do_send(LinkLost);
        settled(&conversation).await;
    }
    reply.send(Err(RequestError::ConnectionLost)).unwrap();
    settled(&conversation).await;
    assert!(asks.try_recv().is_err(), "nothing is sent before the history was read on the next link");
    if !is_told_first {
        conversation.do_send(LinkLost);
    }
    (conversation, asks, publish, outcome)
}

#[actix_rt::test]
async fn a_command_that_had_its_effect_on_a_lost_link_is_not_sent_again() {
    for is_told_first in [true, false] {
        let (conversation, mut asks, publish, mut outcome) = lose_while_in_flight(is_told_first).await;
        let record = json!({ "sequence": 4, "dialogId": "c1", "conversationId": "c1", "originatorId": "bot",
            "originatorMetadata": { "id": "bot", "role": "ASSIGNED_AGENT" }, "metadata": publish.metadata,
            "event": { "type": "ContentEvent", "contentType": "text/plain", "message": "hello" } });
        let said = json!({ "kind": "resp", "reqId": "1", "code": 200, "body": [record] }).to_string();
        link(&conversation, &mut asks, Ok(Answer::new(said.into()))).await;
        let sequence = loop {
            tokio::select! {
                outcome = &mut outcome => break outcome.unwrap().unwrap().sequence,
                // The state names no last content, so more history is requested.
                Some(ask) = asks.recv() => {
                    assert!(matches!(ask.request, Request::QueryMessages(_)), "{:?}", ask.request);
                    ask.reply.send(empty_history()).unwrap();
                }
            }
        };
        assert_eq!(sequence, Some(4));
    }
}

#[actix_rt::test]
async fn a_command_that_had_no_effect_on_a_lost_link_is_sent_again_on_the_next() {
    for is_told_first in [true, false] {
        let (conversation, mut asks, publish, _outcome) = lose_while_in_flight(is_told_first).await;
        link(&conversation, &mut asks, empty_history()).await;
        assert_eq!(asked(&mut asks).await.metadata, publish.metadata);
    }
}

/// Returns the next request, in real time, because the pause of the login is real.
async fn soon(asks: &mut UnboundedReceiver<Ask>) -> Ask {
    tokio::time::timeout(Duration::from_secs(10), asks.recv()).await.expect("nothing was asked").unwrap()
}

/// The end of a pause is known, so the command is sent then and its caller sees no error.
#[actix_rt::test]
async fn a_command_that_meets_a_pause_of_its_login_is_sent_after_the_pause() {
    let (conversation, mut asks, _progress) = conversation();
    open(&conversation, &mut asks).await;
    let outcome = say(&conversation, "key-1");
    let wait = Duration::from_millis(20);
    let begun = Instant::now();
    let first = soon(&mut asks).await;
    first.reply.send(Err(RequestError::Paused { wait })).unwrap();
    let again = soon(&mut asks).await;
    assert!(begun.elapsed() >= wait && again.metadata == first.metadata);
    let published = json!({ "kind": "resp", "reqId": "2", "code": 200, "body": { "sequence": 7 } });
    again.reply.send(Ok(Answer::new(published.to_string().into()))).unwrap();
    assert_eq!(outcome.await.unwrap().unwrap().sequence, Some(7));
}

/// The refused send may be the first sign of a lost link. Nothing more is sent until the next link is ready.
#[actix_rt::test]
async fn a_command_that_the_link_did_not_take_is_sent_once_on_the_next_link() {
    let (conversation, mut asks, _progress) = conversation();
    open(&conversation, &mut asks).await;
    let _outcome = say(&conversation, "key-1");
    asked(&mut asks).await.reply.send(Err(RequestError::NotConnected)).unwrap();
    settled(&conversation).await;
    assert!(asks.try_recv().is_err());
    conversation.do_send(LinkLost);
    link(&conversation, &mut asks, empty_history()).await;
    assert!(matches!(asked(&mut asks).await.request, Request::Publish(_)));
}

/// A conversation that missed nothing, as its newest state shows: its only message is `sequence` 0.
async fn up_to_date() -> (Addr<Conversation>, UnboundedReceiver<Ask>, Progress) {
    let (conversation, mut asks, progress) = conversation();
    assigned_to(&conversation, "bot", 1).await;
    let said = json!({ "kind": "resp", "reqId": "1", "code": 200, "body": [{ "sequence": 0, "dialogId": "c1",
        "conversationId": "c1", "originatorId": "anna", "originatorMetadata": { "id": "anna", "role": "CONSUMER" },
        "event": { "type": "ContentEvent", "contentType": "text/plain", "message": "hello" } }] });
    asked(&mut asks).await.reply.send(Ok(Answer::new(said.to_string().into()))).unwrap();
    asked(&mut asks).await.reply.send(empty_history()).unwrap();
    assigned_with_content(&conversation, "bot", 2, Some(0)).await;
    settled(&conversation).await;
    conversation.do_send(LinkLost);
    (conversation, asks, progress)
}

/// A command with an uncertain outcome needs the history; a command that only waits for the link is sent before it is
/// read.
#[actix_rt::test]
async fn a_history_is_urgent_where_a_command_is_in_doubt() {
    let (conversation, mut asks, _progress) = up_to_date().await;
    let _outcome = say(&conversation, "key-1");
    conversation.do_send(CatchUp);
    let history = asked(&mut asks).await;
    assert!(!history.urgent, "{:?}", history.request);
    ready(&conversation);
    let publish = asked(&mut asks).await;
    assert!(matches!(publish.request, Request::Publish(_)), "{:?}", publish.request);
    conversation.do_send(LinkLost);
    drop(publish.reply);
    settled(&conversation).await;
    conversation.do_send(CatchUp);
    let history = asked(&mut asks).await;
    assert!(history.urgent, "{:?}", history.request);
}

/// A state may show only later that something was missed.
#[actix_rt::test]
async fn a_command_that_is_held_has_the_history_read_before_others_once() {
    let (conversation, mut asks, mut progress) = up_to_date().await;
    conversation.do_send(CatchUp);
    let history = asked(&mut asks).await;
    assert!(!history.urgent, "{:?}", history.request);
    ready(&conversation);
    assigned_with_content(&conversation, "bot", 3, Some(1)).await;
    for key in ["key-1", "key-2"] {
        let _outcome = say(&conversation, key);
    }
    settled(&conversation).await;
    let told = std::iter::from_fn(|| progress.try_recv().ok());
    assert_eq!(told.filter(|told| *told == HistoryProgress::Awaited).count(), 1);
    assert!(asks.try_recv().is_err(), "a command went out");
}
