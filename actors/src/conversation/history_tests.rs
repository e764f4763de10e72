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
struct Desk {
    asked: UnboundedSender<Ask>,
    told: UnboundedSender<HistoryProgress>,
}

impl Actor for Desk {
    type Context = Context<Self>;
}

impl Handler<Ask> for Desk {
    type Result = ();

    fn handle(&mut self, ask: Ask, _: &mut Self::Context) {
        let _ = self.asked.send(ask);
    }
}

impl Handler<DialogKnown> for Desk {
    type Result = ();

    fn handle(&mut self, _: DialogKnown, _: &mut Self::Context) {}
}

impl Handler<ChildTold> for Desk {
    type Result = ();

    fn handle(&mut self, told: ChildTold, _: &mut Self::Context) {
        if let ChildNotice::History(progress) = told.notice {
            let _ = self.told.send(progress);
        }
    }
}

/// What a conversation tells of its history.
type Progress = UnboundedReceiver<HistoryProgress>;

fn conversation() -> (Addr<Conversation>, UnboundedReceiver<Ask>, Progress) {
    let (conversation, asks, progress, ..) = counted_conversation();
    (conversation, asks, progress)
}

/// The same with what counts in it and what it gives up.
fn counted_conversation() -> (Addr<Conversation>, UnboundedReceiver<Ask>, Progress, Arc<Metrics>, Arc<DeadLetters>) {
    let (asked, asks) = unbounded_channel();
    let (told, progress) = unbounded_channel();
    let desk = Desk { asked, told }.start();
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
        settings: ConversationSettings {
            dialect: Dialect::Brand,
            is_by_webhook: false,
            history: HistoryStart::Beginning,
            limits: Limits::default(),
            sends_when_caught_up: true,
        },
        filled: Cell::default(),
    };
    let conversation = Conversation::new(ConversationId::from("c1"), Rc::new(upstream), None).start();
    (conversation, asks, progress, metrics, dead_letters)
}

/// The next request; the wait for it is over as soon as nothing else moves.
async fn asked(asks: &mut UnboundedReceiver<Ask>) -> Ask {
    asked_within(asks, Duration::from_secs(1)).await
}

async fn asked_within(asks: &mut UnboundedReceiver<Ask>, time: Duration) -> Ask {
    tokio::time::pause();
    let ask = timeout(time, asks.recv()).await.expect("nothing was asked");
    tokio::time::resume();
    ask.unwrap()
}

fn empty_history() -> Result<Answer, RequestFailure> {
    Ok(Answer::new(json!({ "kind": "resp", "reqId": "1", "code": 200, "body": [] }).to_string().into()))
}

/// Q16: what the socket before left behind is asked for anew at once, and its late failure ends nothing.
#[actix_rt::test]
async fn a_catch_up_begins_without_what_the_socket_before_left_behind() {
    let (conversation, mut asks, mut progress) = conversation();
    // No word of the lost link comes between: the request of the socket before is still out.
    conversation.do_send(CatchUp);
    let before = asked(&mut asks).await;
    conversation.do_send(CatchUp);
    let after = asked(&mut asks).await;
    before.reply.send(Err(RequestFailure::ConnectionLost)).unwrap();
    after.reply.send(empty_history()).unwrap();
    assert_eq!(progress.recv().await, Some(HistoryProgress::Done));
}

/// The same for an answer that came late: it is not taken for the new socket's.
#[actix_rt::test]
async fn a_late_answer_of_the_socket_before_is_not_taken_for_the_new_ones() {
    let (conversation, mut asks, mut progress) = conversation();
    conversation.do_send(CatchUp);
    let before = asked(&mut asks).await;
    conversation.do_send(CatchUp);
    let after = asked(&mut asks).await;
    before.reply.send(empty_history()).unwrap();
    let (reply, members) = oneshot::channel();
    conversation.do_send(Wish::Inspect(reply));
    members.await.unwrap();
    assert!(progress.try_recv().is_err(), "the new socket has not answered");
    let busy = AnswerError::Refused { code: 404, text: "no history".to_owned() };
    after.reply.send(Err(busy.into())).unwrap();
    assert_eq!(progress.recv().await, Some(HistoryProgress::Done), "a refusal is an answer");
}

fn trouble() -> Result<Answer, RequestFailure> {
    Err(AnswerError::Refused { code: 500, text: "server error".to_owned() }.into())
}

/// After three tries the connection is told once that it goes on without, and is told again when the history was given.
#[actix_rt::test]
async fn a_history_that_is_not_given_is_asked_for_on_and_told_once() {
    let (conversation, mut asks, mut progress) = conversation();
    conversation.do_send(CatchUp);
    for _ in 0..5 {
        asked_within(&mut asks, Duration::from_secs(30)).await.reply.send(trouble()).unwrap();
    }
    asked_within(&mut asks, Duration::from_secs(30)).await.reply.send(empty_history()).unwrap();
    assert_eq!(progress.recv().await, Some(HistoryProgress::Refused));
    assert_eq!(progress.recv().await, Some(HistoryProgress::Done));
}

/// A refused page that has no more than its end is asked for on while there is progress.
#[test]
fn a_short_answer_is_a_page_of_several_unless_it_reaches_what_is_known_to_be_the_end() {
    let open = BackFill { dialog_id: "d".into(), newer_than: Some(3), older_than: None };
    let is_page = |highest, count, last| is_page_of_several(&open, highest, count, last);
    assert!(is_page(5, 2, Some(9)) && is_page(5, 2, None) && is_page(60, 57, Some(60)));
    assert!(!is_page(5, 2, Some(5)) && !is_page(3, 1, None), "the end, or no progress");
    let bounded = BackFill { older_than: Some(9), ..open.clone() };
    assert!(is_page_of_several(&bounded, 7, 2, Some(20)));
    assert!(!is_page_of_several(&bounded, 8, 2, None));
}

/// Another record in a place that is taken is counted and kept, once, and could be handed over again.
#[actix_rt::test]
async fn a_known_sequence_with_other_content_becomes_one_dead_letter() {
    let (conversation, _asks, _progress, metrics, dead_letters) = counted_conversation();
    let places = Arc::new(Semaphore::new(8));
    for text in ["first", "first", "other", "other", "first"] {
        let frame = json!({ "kind": "notification", "type": ".ams.ms.OnlineEventDistribution", "body": {
            "sequence": 0, "dialogId": "c1", "conversationId": "c1", "originatorId": "anna",
            "event": { "type": "ContentEvent", "contentType": "text/plain", "message": text },
        } });
        let place = super::super::Place::new(Arc::clone(&places).acquire_owned().await.unwrap());
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
