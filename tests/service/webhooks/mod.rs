//! Outgoing webhooks as receivers and operators meet them: real receivers on loopback, which fail in every way.

mod damaged;
mod delivering;
mod early_hints;
mod giving_up;
mod killed;
pub(crate) mod receiver;
mod replies;
mod replies_killed;
mod rows;
mod trouble;

use std::sync::Arc;

use awc::http::Method;
use receiver::Receiver;
use serde_json::{Value, json};
use tertulia_actors::engine::{Loggable, NewEvent, Step};
use tokio::sync::oneshot;

use crate::running::{self, Answer, Running};

/// Receivers are on this machine.
const WEBHOOKS: &str = "[webhooks]\nallow_internal = true\n";

/// A service without connections, whose log the test writes itself.
fn service() -> Running {
    Running::start(WEBHOOKS)
}

/// The same, which soon gives up a receiver that hangs.
fn impatient() -> Running {
    Running::start(&format!("{WEBHOOKS}attempt_within = \"500ms\"\n"))
}

/// An event of the test's own.
struct Made {
    conversation: Option<String>,
    number: usize,
    padding: usize,
}

impl Loggable for Made {
    fn stored(&self) -> NewEvent {
        let Self { conversation, number, padding } = self;
        let mut event = json!({
            "source": "/accounts/1/connections/c",
            "connection": "c",
            "type": "tertulia.message",
            "time": "2026-11-22T07:00:00.123Z",
            "data": { "number": number, "padding": "x".repeat(*padding) },
        });
        if let Some(conversation) = conversation {
            event["subject"] = conversation.as_str().into();
        }
        NewEvent {
            connection: "c".into(),
            conversation: conversation.as_deref().map(Into::into),
            name: "message".into(),
            json: event.to_string().into(),
        }
    }
}

/// The step of one event in a conversation, or of the connection. `number` says which.
fn step(conversation: Option<&str>, number: usize, padding: usize) -> Step {
    let event = Made { conversation: conversation.map(str::to_owned), number, padding };
    Step { events: vec![Arc::new(event)], ..Step::default() }
}

/// Has one thing happen in a conversation, or to the connection.
fn happen(running: &Running, conversation: Option<&str>, number: usize) {
    happen_padded(running, conversation, number, 0);
}

fn happen_padded(running: &Running, conversation: Option<&str>, number: usize, padding: usize) {
    running.service.tertulia().journal().append(step(conversation, number, padding));
}

/// The same. Returns the event's id once the event is durable.
async fn happened(running: &Running, conversation: Option<&str>, number: usize, padding: usize) -> String {
    let journal = running.service.tertulia().journal();
    let (reply, outcome) = oneshot::channel();
    let then = Box::new(move |outcome| drop(reply.send(outcome)));
    journal.append(Step { then: Some(then), ..step(conversation, number, padding) });
    format!("{}-{}", journal.epoch(), outcome.await.unwrap().unwrap().first)
}

/// Creates a webhook to `receiver` with the members of `more`. Returns the response.
async fn webhook(running: &Running, receiver: &Receiver, more: Value) -> Value {
    let mut body = more;
    body["url"] = receiver.url().into();
    let made = running.post("/v1/webhooks", &body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.json
}

fn path(webhook: &Value) -> String {
    format!("/v1/webhooks/{}", webhook["id"].as_str().unwrap())
}

async fn patch(running: &Running, webhook: &Value, changes: Value) -> Answer {
    running.request(Method::PATCH, &path(webhook), &[], Some(changes.to_string())).await
}

/// Asks for the webhook until `is_so`.
async fn until(running: &Running, webhook: &Value, is_so: impl Fn(&Value) -> bool) -> Value {
    let deadline = tokio::time::Instant::now() + running::PATIENCE;
    loop {
        let found = running.get(&path(webhook)).await.json;
        if is_so(&found) {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "{found}");
        tokio::time::sleep(running::LOOK_EVERY).await;
    }
}

/// The newest lines of its delivery log, newest first.
async fn deliveries(running: &Running, webhook: &Value) -> Vec<Value> {
    let page = running.get(&format!("{}/deliveries", path(webhook))).await.json;
    page["items"].as_array().unwrap().clone()
}
