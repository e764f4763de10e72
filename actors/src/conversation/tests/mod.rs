//! A conversation's actor for tests: its requests get their responses at chosen times.

mod catch_up;
mod commands;
mod misread;

use std::{cell::Cell, rc::Rc, sync::Arc, time::Duration};

use actix::{Actor, Addr, Context, Handler, Recipient};
use bytes::Bytes;
use serde_json::json;
use tertulia_core::{command::Limits, conversation::HistoryStart, id::ConversationId, ums::Dialect};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::timeout,
};

use super::*;
use crate::{
    dead_letters::{DeadLetterLimits, DeadLetters},
    engine::Journal,
    log::Log,
    metrics::Metrics,
    platform::{Platform, PlatformClient, PlatformSettings},
    request::{Answer, Ask, RequestError},
    subscriber::{Origin, RoutingTable},
};

/// Receives a conversation's requests, and leaves the responses to the test.
struct TestConnection {
    asked: UnboundedSender<Ask>,
    told: UnboundedSender<HistoryProgress>,
    misread: UnboundedSender<Bytes>,
}

impl Actor for TestConnection {
    type Context = Context<Self>;
}

impl Handler<Ask> for TestConnection {
    type Result = ();

    fn handle(&mut self, ask: Ask, _: &mut Self::Context) {
        let _ = self.asked.send(ask);
    }
}

impl Handler<ChildReport> for TestConnection {
    type Result = ();

    fn handle(&mut self, told: ChildReport, _: &mut Self::Context) {
        match told.notice {
            ChildNotice::History(progress) => {
                let _ = self.told.send(progress);
            }
            ChildNotice::Misread { frame, .. } => {
                let _ = self.misread.send(frame);
            }
            _ => {}
        }
    }
}

/// The connection, as its conversations see it, without a store.
pub(crate) fn upstream(parent: Recipient<ChildReport>, requests: Recipient<Ask>) -> Upstream {
    let metrics = Arc::new(Metrics::default());
    let platform = Platform::new(PlatformSettings::default()).unwrap();
    let journal = Journal::forgetful();
    let log = Arc::new(Log::new(Arc::clone(&journal), Arc::new(RoutingTable::default()), Arc::clone(&metrics)));
    Upstream {
        parent,
        policy: Arc::default(),
        directory: Arc::default(),
        dead_letters: Arc::new(
            DeadLetters::new(DeadLetterLimits::default(), Arc::clone(&metrics), Arc::clone(&journal)).unwrap(),
        ),
        drill: None,
        requests,
        client: PlatformClient::through(None, platform, "12345678".into()),
        _writing: log.begin_writing(&"bot".into()),
        log,
        journal,
        origin: Arc::new(Origin { account: "12345678".into(), connection: "bot".into() }),
        counted: Arc::default(),
        metrics,
        settings: ConversationSettings {
            dialect: Dialect::Brand,
            is_by_webhook: false,
            history: HistoryStart::Beginning,
            limits: Limits::default(),
            sends_when_caught_up: true,
        },
        filled: Cell::default(),
    }
}

/// The conversation's reports on its history.
pub(super) type Progress = UnboundedReceiver<HistoryProgress>;

pub(super) fn conversation() -> (Addr<Conversation>, UnboundedReceiver<Ask>, Progress) {
    let (conversation, asks, progress, ..) = counted_conversation();
    (conversation, asks, progress)
}

/// The same, with its metrics and its dead letters.
pub(super) fn counted_conversation()
-> (Addr<Conversation>, UnboundedReceiver<Ask>, Progress, Arc<Metrics>, Arc<DeadLetters>) {
    let (told, misread) = (unbounded_channel(), unbounded_channel());
    let (conversation, asks, metrics, dead_letters) = reporting_conversation(told.0, misread.0);
    (conversation, asks, told.1, metrics, dead_letters)
}

/// The same, which reports to these channels.
pub(super) fn reporting_conversation(
    told: UnboundedSender<HistoryProgress>,
    misread: UnboundedSender<Bytes>,
) -> (Addr<Conversation>, UnboundedReceiver<Ask>, Arc<Metrics>, Arc<DeadLetters>) {
    let (asked, asks) = unbounded_channel();
    let connection = TestConnection { asked, told, misread }.start();
    let upstream = upstream(connection.clone().recipient(), connection.recipient());
    let (metrics, dead_letters) = (Arc::clone(&upstream.metrics), Arc::clone(&upstream.dead_letters));
    let conversation = Conversation::new(ConversationId::from("c1"), Rc::new(upstream), None).start();
    (conversation, asks, metrics, dead_letters)
}

/// Returns the next request; the wait ends as soon as nothing else moves.
pub(super) async fn asked(asks: &mut UnboundedReceiver<Ask>) -> Ask {
    asked_within(asks, Duration::from_secs(1)).await
}

pub(super) async fn asked_within(asks: &mut UnboundedReceiver<Ask>, time: Duration) -> Ask {
    tokio::time::pause();
    let ask = timeout(time, asks.recv()).await.expect("nothing was asked");
    tokio::time::resume();
    ask.unwrap()
}

pub(super) fn empty_history() -> Result<Answer, RequestError> {
    Ok(Answer::new(json!({ "kind": "resp", "reqId": "1", "code": 200, "body": [] }).to_string().into()))
}

/// Sends the conversation a state of `time` in which it is assigned to `agent`.
pub(super) async fn assigned_to(conversation: &Addr<Conversation>, agent: &str, time: i64) {
    assigned_with_content(conversation, agent, time, None).await;
}

/// The same with the newest content, which is the message `sequence`.
pub(super) async fn assigned_with_content(
    conversation: &Addr<Conversation>,
    agent: &str,
    time: i64,
    sequence: Option<u64>,
) {
    let people = json!([{ "id": agent, "role": "ASSIGNED_AGENT", "state": "ACTIVE" }]);
    let dialog = json!({ "dialogId": "c1", "dialogType": "MAIN", "channelType": "MESSAGING", "state": "OPEN",
        "creationTs": 1, "metaDataLastUpdateTs": time, "participantsDetails": people });
    let details = json!({ "dialogs": [dialog], "stage": "OPEN", "state": "OPEN", "startTs": 1,
        "metaDataLastUpdateTs": time, "participants": { "ASSIGNED_AGENT": [agent] } });
    let content = sequence.map(|sequence| {
        json!({ "sequence": sequence, "dialogId": "c1", "originatorId": "anna",
        "event": { "type": "ContentEvent", "contentType": "text/plain", "message": "hello" } })
    });
    let state = json!({ "convId": "c1", "conversationDetails": details, "lastContentEventNotification": content });
    let raw = state.to_string().into();
    let place = FramePermit::without_place();
    conversation.do_send(StateArrived { raw, presumed_in: None, place });
}
