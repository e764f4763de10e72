//! A conversation's requests for history, with a real actor and responses at chosen times.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tertulia_core::{
    command::Identity,
    ums::{AnswerError, Frame, Notification},
};
use tokio::sync::oneshot;

use super::{
    super::{CameBack, CatchUp, FramePermit, HandleRequest, HistoryProgress, RecordsArrived},
    asked, asked_within, assigned_to, conversation, counted_conversation, empty_history,
};
use crate::{
    dead_letters::DeadLetterKind,
    request::{Answer, RequestError},
};

/// Q16: a request of the previous socket is repeated at once, and its late failure has no effect.
#[actix_rt::test]
async fn a_catch_up_begins_without_what_the_socket_before_left_behind() {
    let (conversation, mut asks, mut progress) = conversation();
    // The conversation is not told of the lost link: the request of the previous socket is still in flight.
    conversation.do_send(CatchUp);
    let before = asked(&mut asks).await;
    conversation.do_send(CatchUp);
    let after = asked(&mut asks).await;
    before.reply.send(Err(RequestError::ConnectionLost)).unwrap();
    after.reply.send(empty_history()).unwrap();
    assert_eq!(progress.recv().await, Some(HistoryProgress::Done));
}

/// The same for a late response: it is not taken for the response to the new socket's request.
#[actix_rt::test]
async fn a_late_answer_of_the_socket_before_is_not_taken_for_the_new_ones() {
    let (conversation, mut asks, mut progress) = conversation();
    conversation.do_send(CatchUp);
    let before = asked(&mut asks).await;
    conversation.do_send(CatchUp);
    let after = asked(&mut asks).await;
    before.reply.send(empty_history()).unwrap();
    let (reply, members) = oneshot::channel();
    conversation.do_send(HandleRequest::Inspect(reply));
    members.await.unwrap();
    assert!(progress.try_recv().is_err(), "the new socket has not answered");
    let busy = AnswerError::Refused { code: 404, text: "no history".to_owned() };
    after.reply.send(Err(busy.into())).unwrap();
    assert_eq!(progress.recv().await, Some(HistoryProgress::Done), "a refusal is an answer");
}

fn trouble() -> Result<Answer, RequestError> {
    Err(AnswerError::Refused { code: 500, text: "server error".to_owned() }.into())
}

/// After three tries the conversation reports once that the connection must continue without the history. It reports
/// once more when the history arrives.
#[actix_rt::test]
async fn a_refused_history_is_requested_again_and_reported_once() {
    let (conversation, mut asks, mut progress) = conversation();
    conversation.do_send(CatchUp);
    for _ in 0..5 {
        asked_within(&mut asks, Duration::from_secs(30)).await.reply.send(trouble()).unwrap();
    }
    asked_within(&mut asks, Duration::from_secs(30)).await.reply.send(empty_history()).unwrap();
    assert_eq!(progress.recv().await, Some(HistoryProgress::Refused));
    assert_eq!(progress.recv().await, Some(HistoryProgress::Done));
}

/// Another record with a known sequence is counted and kept, once, and could be retried.
#[actix_rt::test]
async fn a_known_sequence_with_other_content_becomes_one_dead_letter() {
    let (conversation, _asks, _progress, metrics, dead_letters) = counted_conversation();
    for text in ["first", "first", "other", "other", "first"] {
        let frame = json!({ "kind": "notification", "type": ".ams.ms.OnlineEventDistribution", "body": {
            "sequence": 0, "dialogId": "c1", "conversationId": "c1", "originatorId": "anna",
            "event": { "type": "ContentEvent", "contentType": "text/plain", "message": text },
        } });
        let place = FramePermit::without_place();
        conversation.do_send(RecordsArrived { frame: frame.to_string().into(), place });
    }
    let (reply, members) = oneshot::channel();
    conversation.do_send(HandleRequest::Inspect(reply));
    members.await.unwrap();
    assert_eq!(metrics.records_contradicting.get(), 1);
    let letters = dead_letters.list(None, 8).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].kind, DeadLetterKind::Records);
    assert_eq!(letters[0].reason, "record 0 of dialog c1 has other content than the one that was taken");
    let frame = std::str::from_utf8(&letters[0].body).unwrap();
    let Ok(Frame::Notification(Notification::Messages(messages))) = Frame::decode(frame) else { panic!("{frame}") };
    assert_eq!((messages.records.len(), messages.records[0].sequence), (1, Some(0)));
}

/// A snapshot may lack a conversation that never left; messages of its consumer meanwhile are new.
#[actix_rt::test]
async fn what_was_said_while_a_conversation_was_only_thought_to_have_left_is_news() {
    for (meanwhile_with, is_old) in [("bot", false), ("other", true)] {
        let (conversation, mut asks, _progress) = conversation();
        assigned_to(&conversation, "bot", 1).await;
        asked(&mut asks).await.reply.send(empty_history()).unwrap();
        assigned_to(&conversation, meanwhile_with, 2).await;
        let (account, agent_id, user_id) = ("12345678".into(), "bot".into(), "bot".into());
        let to = Some(Arc::new(Identity::Brand { account, agent_id, user_id, name: None }));
        conversation.do_send(CameBack { to });
        assigned_to(&conversation, "bot", 10).await;
        conversation.do_send(CatchUp);
        let record = json!({ "sequence": 0, "dialogId": "c1", "conversationId": "c1", "originatorId": "anna",
            "originatorMetadata": { "id": "anna", "role": "CONSUMER" }, "serverTimestamp": 5,
            "event": { "type": "ContentEvent", "contentType": "text/plain", "message": "hello" } });
        let said = json!({ "kind": "resp", "reqId": "1", "code": 200, "body": [record] }).to_string();
        asked(&mut asks).await.reply.send(Ok(Answer::new(said.into()))).unwrap();
        asked(&mut asks).await.reply.send(empty_history()).unwrap();
        let (reply, message) = oneshot::channel();
        conversation.do_send(HandleRequest::LatestConsumerMessage(reply));
        let message = message.await.unwrap().unwrap();
        assert_eq!(message.back_filled, is_old, "it was with {meanwhile_with}");
    }
}
