//! What a conversation asks of its history on a real actor, where answers come when the test says.

use std::{cell::Cell, rc::Rc, sync::Arc};

use actix::{Actor, Addr, Context, Handler};
use serde_json::json;
use tertulia_core::{
    command::Limits,
    conversation::HistoryStart,
    id::ConversationId,
    ums::{AnswerError, Dialect, Frame, Notification},
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
    dead_letters::{DeadLetterKind, DeadLetterLimits, DeadLetters},
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
    let (conversation, asks, ..) = counted_conversation();
    (conversation, asks)
}

/// The same with what counts in it and what it gives up.
fn counted_conversation() -> (Addr<Conversation>, UnboundedReceiver<Ask>, Arc<Metrics>, Arc<DeadLetters>) {
    let (asked, asks) = unbounded_channel();
    let desk = Desk(asked).start();
    let metrics = Arc::new(Metrics::default());
    let dead_letters =
        Arc::new(DeadLetters::new(DeadLetterLimits::default(), Arc::clone(&metrics), Journal::forgetful()));
    let upstream = Upstream {
        parent: desk.clone().recipient(),
        policy: Arc::default(),
        directory: Arc::default(),
        dead_letters: Arc::clone(&dead_letters),
        drill: None,
        requests: desk.clone().recipient(),
        client: None,
        dialogs: desk.recipient(),
        routing: RoutingTable::new(Journal::forgetful(), Arc::clone(&metrics)),
        origin: Arc::new(Origin { account: "12345678".into(), connection: "bot".into() }),
        counted: Arc::default(),
        metrics: Arc::clone(&metrics),
        histories: Arc::new(Semaphore::new(8)),
        settings: ConversationSettings {
            dialect: Dialect::Brand,
            is_by_webhook: false,
            history: HistoryStart::Beginning,
            limits: Limits::default(),
        },
        filled: Cell::default(),
    };
    let conversation = Conversation::new(ConversationId::from("c1"), Rc::new(upstream), None).start();
    (conversation, asks, metrics, dead_letters)
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

/// Another record in a place that is taken is counted and kept, once, and could be handed over again.
#[actix_rt::test]
async fn a_known_sequence_with_other_content_becomes_one_dead_letter() {
    let (conversation, _asks, metrics, dead_letters) = counted_conversation();
    let places = Arc::new(Semaphore::new(8));
    for text in ["first", "first", "other", "other", "first"] {
        let frame = json!({ "kind": "notification", "type": ".ams.ms.OnlineEventDistribution", "body": {
            "sequence": 0, "dialogId": "c1", "conversationId": "c1", "originatorId": "anna",
            "event": { "type": "ContentEvent", "contentType": "text/plain", "message": text },
        } });
        let place = Place::new(Arc::clone(&places).acquire_owned().await.unwrap());
        conversation.do_send(RecordsArrived { frame: frame.to_string().into(), place });
    }
    let (reply, members) = oneshot::channel();
    conversation.do_send(Wish::Inspect(reply));
    members.await.unwrap();
    assert_eq!(metrics.records_contradicting.get(), 1);
    let letters = dead_letters.list(None, 8);
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].kind, DeadLetterKind::Records);
    assert_eq!(letters[0].reason, "record 0 of dialog c1 has other content than the one that was taken");
    let frame = std::str::from_utf8(&letters[0].body).unwrap();
    let Ok(Frame::Notification(Notification::Messages(messages))) = Frame::decode(frame) else { panic!("{frame}") };
    assert_eq!((messages.records.len(), messages.records[0].sequence), (1, Some(0)));
}
