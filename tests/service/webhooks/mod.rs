//! Outgoing webhooks as receivers and operators meet them: real receivers on loopback, which fail in every way.

mod damaged;
mod delivering;
mod early_hints;
mod giving_up;
mod killed;
mod receiver;
mod replies;
mod replies_killed;
mod rows;
mod trouble;

use std::sync::Arc;

use awc::http::Method;
use receiver::Receiver;
use serde_json::{Value, json};
use tertulia_actors::engine::{Loggable, Step, StoredEvent};

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
    offset: u64,
    epoch: Arc<str>,
    conversation: Option<String>,
    number: usize,
    padding: usize,
}

impl Loggable for Made {
    fn stored(&self) -> StoredEvent {
        let Self { offset, epoch, conversation, number, padding } = self;
        let mut event = json!({
            "specversion": "1.0",
            "id": format!("{epoch}-{offset}"),
            "source": "/accounts/1/connections/c",
            "connection": "c",
            "type": "tertulia.message",
            "time": "2026-11-22T07:00:00.123Z",
            "data": { "number": number, "padding": "x".repeat(*padding) },
        });
        if let Some(conversation) = conversation {
            event["subject"] = conversation.as_str().into();
        }
        StoredEvent {
            offset: *offset,
            connection: "c".into(),
            conversation: conversation.as_deref().map(Into::into),
            name: "message".into(),
            json: event.to_string().into(),
        }
    }
}

/// Has one thing happen in a conversation, or to the connection, and answers the event's id. `number` says which.
fn happen(running: &Running, conversation: Option<&str>, number: usize) -> String {
    happen_padded(running, conversation, number, 0)
}

fn happen_padded(running: &Running, conversation: Option<&str>, number: usize, padding: usize) -> String {
    let journal = running.service.tertulia().journal();
    let (epoch, conversation) = (Arc::clone(journal.epoch()), conversation.map(str::to_owned));
    let mut id = String::new();
    journal.append(1, |offset| {
        id = format!("{epoch}-{offset}");
        let event: Arc<dyn Loggable> = Arc::new(Made { offset, epoch, conversation, number, padding });
        Step { events: vec![event], ..Step::default() }
    });
    id
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
