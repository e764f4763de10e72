//! The external bot: follows the messages by cursor, answers each, and repeats each request until its outcome is known.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    time::Duration,
};

use actix_rt::time::sleep;
use awc::Client;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{
    service::Address,
    stream::{Cursor, EventStream},
};

/// The events that the bot follows.
const MESSAGES: &str = "/v1/events?type=message";
/// The pause before another request to the service.
const AGAIN_AFTER: Duration = Duration::from_millis(50);
/// How long to wait for a response of the service: longer than the service itself waits.
const ANSWERED_WITHIN: Duration = Duration::from_secs(35);
/// Concurrent answers.
const TOGETHER: usize = 32;

/// A message that the bot received: conversation, dialog and sequence.
pub(crate) type MessageKey = (String, String, u64);

/// The final outcome of an answer: its sequence, or why it was not published.
pub(crate) type Answer = Result<u64, String>;

/// What the bot received and did.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// Every received event, in the order of arrival.
    pub(crate) heard: RefCell<Vec<(Option<Cursor>, Value)>>,
    /// The outcome of each answer; `None` while it is unknown.
    pub(crate) answers: RefCell<HashMap<MessageKey, Option<Answer>>>,
    /// How often the stream broke.
    pub(crate) breaks: Cell<u32>,
    /// How often a request was repeated, by the response that made it necessary.
    pub(crate) again: RefCell<HashMap<String, u32>>,
}

impl Notes {
    /// The number of answers whose outcome is known.
    pub(crate) fn done(&self) -> usize {
        self.answers.borrow().values().filter(|outcome| outcome.is_some()).count()
    }
}

/// The text that answers a message.
pub(crate) fn reply(sequence: u64) -> String {
    format!("answer to {sequence}")
}

/// The idempotency key of the answer to a message.
pub(crate) fn key(conversation: &str, sequence: u64) -> String {
    format!("{conversation}/{sequence}")
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    dialog_id: String,
    sequence: u64,
    role: Option<String>,
}

/// Follows the messages from `start` on and answers those of consumers; never ends by itself.
pub(crate) async fn run(address: Address, start: Cursor, notes: Rc<Notes>) {
    let mut cursor = start;
    let turns = Rc::new(Semaphore::new(TOGETHER));
    loop {
        // After any failure the bot continues after the last event that it received.
        let _ = follow(&address, &mut cursor, &notes, &turns).await;
        notes.breaks.set(notes.breaks.get() + 1);
        sleep(AGAIN_AFTER).await;
    }
}

async fn follow(
    address: &Address,
    cursor: &mut Cursor,
    notes: &Rc<Notes>,
    turns: &Rc<Semaphore>,
) -> anyhow::Result<()> {
    let at = listening(address).await?;
    let mut stream = EventStream::open(&at, MESSAGES, Some(cursor)).await?;
    loop {
        let block = stream.next().await?;
        if let Some(event) = block.event {
            take(event, block.id.clone(), address, notes, turns);
        }
        if let Some(id) = block.id {
            *cursor = id;
        }
    }
}

async fn listening(address: &Address) -> anyhow::Result<String> {
    let mut address = address.clone();
    let address = address.wait_for(Option::is_some).await?.clone();
    Ok(address.unwrap_or_default())
}

fn take(event: Value, id: Option<Cursor>, address: &Address, notes: &Rc<Notes>, turns: &Rc<Semaphore>) {
    let message = Message::deserialize(&event["data"]);
    let conversation = event["subject"].as_str().unwrap_or_default().to_owned();
    notes.heard.borrow_mut().push((id, event));
    let Ok(Message { dialog_id, sequence, role: Some(role) }) = message else { return };
    if role != "CONSUMER" {
        return;
    }
    let place = (conversation, dialog_id, sequence);
    // A message that arrives twice is answered again under the same key, and the outcome must be the same.
    notes.answers.borrow_mut().entry(place.clone()).or_default();
    let (address, notes, turns) = (address.clone(), Rc::clone(notes), Rc::clone(turns));
    actix_rt::spawn(async move {
        let Ok(_turn) = turns.acquire().await else { return };
        let outcome = answer(&address, &place, &notes).await;
        notes.answers.borrow_mut().insert(place, Some(outcome));
    });
}

/// Publishes an answer, repeating the request with the same key until its outcome is known.
async fn answer(address: &Address, (conversation, _, sequence): &MessageKey, notes: &Notes) -> Answer {
    let body = json!({ "text": reply(*sequence) });
    let client = Client::builder().timeout(ANSWERED_WITHIN).finish();
    loop {
        let Ok(at) = listening(address).await else { return Err("the trial is over".to_owned()) };
        let url = format!("http://{at}/v1/conversations/{conversation}/messages");
        let request = client.post(url).insert_header(("idempotency-key", key(conversation, *sequence)));
        let why = match request.send_json(&body).await {
            Ok(mut response) => {
                let status = response.status().as_u16();
                let said: Value = response.json().await.unwrap_or_default();
                match (status, said["sequence"].as_u64()) {
                    (200, Some(published)) => return Ok(published),
                    // Temporary: the service is starting, reconnecting or overloaded, or its response broke off.
                    (404 | 429 | 503 | 504, _) => format!("{status} {}", said["code"].as_str().unwrap_or("")),
                    (200, None) if said.is_null() => "200 broken off".to_owned(),
                    _ => return Err(format!("{status} {said}")),
                }
            }
            Err(_) => "no connection".to_owned(),
        };
        *notes.again.borrow_mut().entry(why).or_default() += 1;
        sleep(AGAIN_AFTER).await;
    }
}
