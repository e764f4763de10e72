//! Requests with one key in two processes, each with a journal over the same store.

use std::{
    cell::Cell,
    num::NonZeroUsize,
    rc::Rc,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use actix_web::ResponseError as _;
use serde_json::json;
use tertulia_actors::{
    core::time::Timestamp,
    engine::{Change, Journal, MemoryStore, Record, Retention, Table},
};
use tokio::{sync::oneshot, time::timeout};

use super::*;
use crate::gateway::keyed::request::Kept;

/// The journals of two processes.
fn processes() -> [Arc<Journal>; 2] {
    let stores: [MemoryStore; 2] = MemoryStore::shared(NonZeroUsize::MIN, 2).try_into().unwrap();
    stores.map(|store| Journal::start(Arc::new(store), Retention::default()).unwrap())
}

fn request(journal: &Arc<Journal>, digest: &str) -> KeyedRequest {
    KeyedRequest {
        journal: Arc::clone(journal),
        under_way: Arc::default(),
        record: RecordKey::of(&["", "path", "key"]),
        key: "key".into(),
        digest: digest.to_owned(),
    }
}

/// Stores a request that was asked `ago` and has no response.
async fn store_asked(journal: &Journal, ago: Duration) {
    let at = Timestamp((jiff::Timestamp::now() - ago).as_millisecond());
    let kept = Kept { version: 1, digest: "body".to_owned(), at: at.0, reply: None, is_over: false };
    let record = Record::new(RecordKey::of(&["", "path", "key"]), serde_json::to_vec(&kept).unwrap());
    journal.keep(vec![Change::Put(Table::Answers, record)]).await.unwrap();
}

async fn never() -> Result<Reply, Problem> {
    panic!("a repeated request acted")
}

fn status(outcome: Result<Reply, Problem>) -> u16 {
    outcome.map_or_else(|problem| problem.status_code().as_u16(), |reply| reply.status)
}

#[actix_rt::test]
async fn of_two_processes_with_one_key_one_acts_and_both_return_its_response() {
    for _ in 0..20 {
        let acted = Arc::new(AtomicU32::new(0));
        let answers = processes().map(|journal| {
            let acted = Arc::clone(&acted);
            let act = async move { Ok(Reply::ok(json!({ "number": acted.fetch_add(1, Ordering::SeqCst) }))) };
            async move { request(&journal, "body").answer(Unanswered::Refuse, act).await.unwrap() }
        });
        let [one, other] = answers;
        let (one, other) = tokio::join!(one, other);
        assert_eq!((one.body, other.body), (Some(json!({ "number": 0 })), Some(json!({ "number": 0 }))));
        assert_eq!(acted.load(Ordering::SeqCst), 1);
    }
}

#[actix_rt::test]
async fn a_request_waits_for_the_response_in_another_process() {
    let [one, other] = processes();
    let ((asked, was_asked), (go, gone)) = (oneshot::channel(), oneshot::channel());
    let first = actix_web::rt::spawn(request(&one, "body").answer(Unanswered::Refuse, async move {
        asked.send(()).unwrap();
        gone.await.unwrap();
        Ok(Reply::accepted())
    }));
    was_asked.await.unwrap();
    let mut second = std::pin::pin!(request(&other, "body").answer(Unanswered::Refuse, never()));
    assert!(timeout(Duration::from_millis(50), &mut second).await.is_err(), "the first has no response yet");
    let another = request(&other, "another body").answer(Unanswered::Refuse, never()).await;
    assert_eq!(status(another), 422, "another request does not wait");
    go.send(()).unwrap();
    assert_eq!((status(first.await.unwrap()), status(second.await)), (202, 202));
}

#[actix_rt::test]
async fn a_request_whose_first_had_no_effect_acts() {
    let [one, other] = processes();
    let refused = async { Err(Problem::not_found("nothing")) };
    assert_eq!(status(request(&one, "body").answer(Unanswered::Refuse, refused).await), 404);
    let acted = Rc::new(Cell::new(false));
    let noted = Rc::clone(&acted);
    let act = async move {
        noted.set(true);
        Ok(Reply::no_content())
    };
    assert_eq!(status(request(&other, "body").answer(Unanswered::Refuse, act).await), 204);
    assert!(acted.get());
}

#[actix_rt::test]
async fn a_request_that_was_never_answered_has_an_unknown_outcome() {
    let [one, other] = processes();
    store_asked(&one, Duration::from_secs(3_600)).await;
    for journal in [&one, &other] {
        assert_eq!(status(request(journal, "body").answer(Unanswered::Refuse, never()).await), 504);
    }
}

#[actix_rt::test]
async fn a_process_with_a_store_of_its_own_does_not_wait_for_another_one() {
    let store = Arc::new(MemoryStore::new(NonZeroUsize::MIN));
    let journal = Journal::start(store, Retention::default()).unwrap();
    store_asked(&journal, Duration::ZERO).await;
    assert_eq!(status(request(&journal, "body").answer(Unanswered::Refuse, never()).await), 504);
}

#[actix_rt::test]
async fn other_processes_hear_that_an_outcome_is_unknown() {
    let [one, other] = processes();
    let lost = async { Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, "outcome-unknown", "lost")) };
    assert_eq!(status(request(&one, "body").answer(Unanswered::Refuse, lost).await), 504);
    let second = request(&other, "body").answer(Unanswered::Refuse, never());
    assert_eq!(status(timeout(Duration::from_secs(30), second).await.unwrap()), 504);
}
