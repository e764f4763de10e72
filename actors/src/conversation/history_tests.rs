//! What a conversation asks of its history on a real actor, where answers come when the test says.

use std::{cell::Cell, rc::Rc, sync::Arc};

use actix::{Actor, Addr, Context, Handler};
use serde_json::json;
use tertulia_core::{
    command::Limits,
    conversation::HistoryStart,
    id::ConversationId,
    ums::{AnswerError, Dialect},
};
use tokio::{
    sync::{
        Semaphore,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
        oneshot,
    },
    time::timeout,
};

use super::{super::*, *};
use crate::{
    dead_letters::{DeadLetterLimits, DeadLetters},
    engine::Journal,
    metrics::Metrics,
    subscriber::{Origin, RoutingTable},
};

/// Takes what a conversation asks of its connection, and leaves the answer to the test.
struct Desk(UnboundedSender<Ask>);

impl Actor for Desk {
    type Context = Context<Self>;
}

impl Handler<Ask> for Desk {
    type Result = ();

    fn handle(&mut self, ask: Ask, _: &mut Self::Context) {
        let _ = self.0.send(ask);
    }
}

impl Handler<DialogKnown> for Desk {
    type Result = ();

    fn handle(&mut self, _: DialogKnown, _: &mut Self::Context) {}
}

impl Handler<ChildTold> for Desk {
    type Result = ();

    fn handle(&mut self, _: ChildTold, _: &mut Self::Context) {}
}

fn conversation() -> (Addr<Conversation>, UnboundedReceiver<Ask>) {
    let (asked, asks) = unbounded_channel();
    let desk = Desk(asked).start();
    let metrics = Arc::new(Metrics::default());
    let upstream = Upstream {
        parent: desk.clone().recipient(),
        policy: Arc::default(),
        directory: Arc::default(),
        dead_letters: Arc::new(DeadLetters::new(
            DeadLetterLimits::default(),
            Arc::clone(&metrics),
            Journal::forgetful(),
        )),
        drill: None,
        requests: desk.clone().recipient(),
        client: None,
        dialogs: desk.recipient(),
        routing: RoutingTable::new(Journal::forgetful(), Arc::clone(&metrics)),
        origin: Arc::new(Origin { account: "12345678".into(), connection: "bot".into() }),
        counted: Arc::default(),
        metrics,
        histories: Arc::new(Semaphore::new(8)),
        settings: ConversationSettings {
            dialect: Dialect::Brand,
            is_by_webhook: false,
            history: HistoryStart::Beginning,
            limits: Limits::default(),
        },
        filled: Cell::default(),
    };
    (Conversation::new(ConversationId::from("c1"), Rc::new(upstream), None).start(), asks)
}

fn catch_up(conversation: &Addr<Conversation>) -> oneshot::Receiver<bool> {
    let (done, finished) = oneshot::channel();
    conversation.do_send(CatchUp { done });
    finished
}

/// The next request; the wait for it is over as soon as nothing else moves.
async fn asked(asks: &mut UnboundedReceiver<Ask>) -> Ask {
    tokio::time::pause();
    let ask = timeout(Duration::from_secs(1), asks.recv()).await.expect("nothing was asked");
    tokio::time::resume();
    ask.unwrap()
}

fn empty_history() -> Result<Answer, RequestFailure> {
    Ok(Answer::new(json!({ "kind": "resp", "reqId": "1", "code": 200, "body": [] }).to_string().into()))
}

/// Q16: what the socket before left behind is asked for anew at once, and its late failure ends nothing.
#[actix_rt::test]
async fn a_catch_up_begins_without_what_the_socket_before_left_behind() {
    let (conversation, mut asks) = conversation();
    // No word of the lost link comes between: the request of the socket before is still out.
    let first = catch_up(&conversation);
    let before = asked(&mut asks).await;
    let second = catch_up(&conversation);
    let after = asked(&mut asks).await;
    before.reply.send(Err(RequestFailure::ConnectionLost)).unwrap();
    after.reply.send(empty_history()).unwrap();
    assert_eq!((first.await, second.await), (Ok(true), Ok(true)));
}

/// The same for an answer that came late: it is not taken for the new socket's.
#[actix_rt::test]
async fn a_late_answer_of_the_socket_before_is_not_taken_for_the_new_ones() {
    let (conversation, mut asks) = conversation();
    let _first = catch_up(&conversation);
    let before = asked(&mut asks).await;
    let mut second = catch_up(&conversation);
    let after = asked(&mut asks).await;
    before.reply.send(empty_history()).unwrap();
    let (reply, members) = oneshot::channel();
    conversation.do_send(Wish::Inspect(reply));
    members.await.unwrap();
    assert!(second.try_recv().is_err(), "the new socket has not answered");
    let busy = AnswerError::Refused { code: 404, text: "no history".to_owned() };
    after.reply.send(Err(busy.into())).unwrap();
    assert_eq!(second.await, Ok(true), "a refusal is an answer");
}
