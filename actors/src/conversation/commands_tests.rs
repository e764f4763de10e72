//! How a command goes on when its link is lost, on a real actor.

use std::{sync::Arc, time::Duration};

use actix::Addr;
use serde_json::json;
use tertulia_core::{
    command::{Command, Identity, SendText},
    ums::Request,
};
use tokio::sync::{mpsc::UnboundedReceiver, oneshot};

use super::{
    super::{
        test_desk::{asked, assigned_to, conversation, empty_history},
        *,
    },
    *,
};
use crate::supervision::Depth;

/// Lets the conversation know that it is open, with the bot in it, and that the link is ready.
async fn open(conversation: &Addr<Conversation>, asks: &mut UnboundedReceiver<Ask>) {
    assigned_to(conversation, "bot", 1).await;
    asked(asks).await.reply.send(empty_history()).unwrap();
    link(conversation, asks, empty_history()).await;
}

/// Lets the link be ready after the history was read, which is `said`.
async fn link(
    conversation: &Addr<Conversation>,
    asks: &mut UnboundedReceiver<Ask>,
    said: Result<Answer, RequestFailure>,
) {
    conversation.do_send(CatchUp);
    let history = asked(asks).await;
    assert!(matches!(history.request, Request::QueryMessages(_)), "{:?}", history.request);
    history.reply.send(said).unwrap();
    let (account, agent_id, user_id) = ("12345678".into(), "bot".into(), "bot".into());
    let identity = Arc::new(Identity::Brand { account, agent_id, user_id, name: None });
    conversation.do_send(LinkReady { identity });
}

fn say(conversation: &Addr<Conversation>, key: &str) -> oneshot::Receiver<Result<Done, CommandFailure>> {
    let (reply, outcome) = oneshot::channel();
    let text = SendText { text: "hello".to_owned(), ..SendText::default() };
    conversation.do_send(Wish::Perform(Perform {
        command: Command::SendText(text),
        key: key.into(),
        deadline: Instant::now() + Duration::from_secs(30),
        durable: None,
        reply,
        claim: None,
        span: Span::none(),
        place: Depth::new(1).try_enter().unwrap(),
    }));
    outcome
}

/// Waits until the conversation has handled all that came before.
async fn settled(conversation: &Addr<Conversation>) {
    for _ in 0..2 {
        let (reply, listed) = oneshot::channel();
        conversation.do_send(Wish::ListCommands(reply));
        listed.await.unwrap();
    }
}

/// Publishes, and loses the link before the answer. `is_told_first` says whether the loss of the link is told before the
/// answer is lost; it comes by another way.
async fn lose_while_in_flight(
    is_told_first: bool,
) -> (Addr<Conversation>, UnboundedReceiver<Ask>, Ask, oneshot::Receiver<Result<Done, CommandFailure>>) {
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
    reply.send(Err(RequestFailure::ConnectionLost)).unwrap();
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
                // The state tells of no end, so the history is asked on.
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

/// The end of a pause is known, so the command is sent then and its caller hears of nothing.
#[actix_rt::test]
async fn a_command_that_meets_a_pause_of_its_login_is_sent_after_the_pause() {
    let (conversation, mut asks, _progress) = conversation();
    open(&conversation, &mut asks).await;
    let outcome = say(&conversation, "key-1");
    let wait = Duration::from_millis(20);
    let begun = Instant::now();
    let first = asks.recv().await.unwrap();
    first.reply.send(Err(RequestFailure::Paused { wait })).unwrap();
    let again = asks.recv().await.unwrap();
    assert!(begun.elapsed() >= wait && again.metadata == first.metadata);
    let published = json!({ "kind": "resp", "reqId": "2", "code": 200, "body": { "sequence": 7 } });
    again.reply.send(Ok(Answer::new(published.to_string().into()))).unwrap();
    assert_eq!(outcome.await.unwrap().unwrap().sequence, Some(7));
}

/// Without a link nothing is sent until there is one, whoever tells first that it is gone.
#[actix_rt::test]
async fn a_command_that_the_link_did_not_take_is_sent_once_on_the_next_link() {
    let (conversation, mut asks, _progress) = conversation();
    open(&conversation, &mut asks).await;
    let _outcome = say(&conversation, "key-1");
    asked(&mut asks).await.reply.send(Err(RequestFailure::NotConnected)).unwrap();
    settled(&conversation).await;
    assert!(asks.try_recv().is_err());
    conversation.do_send(LinkLost);
    link(&conversation, &mut asks, empty_history()).await;
    assert!(matches!(asked(&mut asks).await.request, Request::Publish(_)));
}
