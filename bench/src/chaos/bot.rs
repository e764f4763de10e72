//! The bot of this program: a client of the service that follows the messages by cursor, answers each, and repeats each
//! request until its outcome is known. Where a bot outside of this program answers, this one only follows.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    time::Duration,
};

use actix_rt::time::{sleep, timeout};
use awc::Client;
use jiff::Timestamp;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{
    service::Address,
    stream::{Cursor, EventStream},
};

/// The events that the bot follows: it answers messages, and notes when connections become ready.
const FOLLOWED: &str = "/v1/events?type=message&type=connection.resumed";
/// The pause before another request to the service.
const AGAIN_AFTER: Duration = Duration::from_millis(50);
/// How long to wait for a response of the service: longer than the service itself waits.
const ANSWERED_WITHIN: Duration = Duration::from_secs(35);
/// The same where another node can be tried.
const NODE_ANSWERS_WITHIN: Duration = Duration::from_secs(8);
/// How long a stream is followed at a node, at most.
const STAYS: Duration = Duration::from_secs(3);
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
    /// When connections became ready, by the times of the events.
    pub(crate) resumed: RefCell<Vec<(String, Timestamp)>>,
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

/// Where the bot reaches the service.
#[derive(Clone)]
pub(crate) struct Gateways {
    /// One address, or those of several nodes that serve the same.
    addresses: Rc<[Address]>,
    random: Rc<RefCell<StdRng>>,
    /// How long a stream is followed, at most, before it is followed at another node.
    stays: Option<Duration>,
    /// How long to wait for a response.
    answered_within: Duration,
}

impl From<Address> for Gateways {
    /// A service with one process.
    fn from(address: Address) -> Self {
        let random = Rc::new(RefCell::new(StdRng::seed_from_u64(0)));
        Self { addresses: Rc::new([address]), random, stays: None, answered_within: ANSWERED_WITHIN }
    }
}

impl Gateways {
    /// Nodes, of which the bot uses a random one each time.
    pub(crate) fn of_nodes(addresses: impl IntoIterator<Item = Address>, seed: u64) -> Self {
        let random = Rc::new(RefCell::new(StdRng::seed_from_u64(seed)));
        Self {
            addresses: addresses.into_iter().collect(),
            random,
            stays: Some(STAYS),
            answered_within: NODE_ANSWERS_WITHIN,
        }
    }

    /// Waits until a gateway listens. Fails if none ever will.
    pub(crate) async fn listening(&self) -> anyhow::Result<String> {
        loop {
            let known: Vec<String> = self.addresses.iter().filter_map(|address| address.borrow().clone()).collect();
            if let Some(address) = known.choose(&mut self.random.borrow_mut()) {
                return Ok(address.clone());
            }
            anyhow::ensure!(self.addresses.iter().any(|address| address.has_changed().is_ok()), "nothing listens");
            sleep(AGAIN_AFTER).await;
        }
    }

    fn stays(&self) -> Option<Duration> {
        Some(self.stays?.mul_f64(self.random.borrow_mut().random_range(0.2..1.0)))
    }
}

/// Follows the messages from `start` on and answers those of consumers; never ends by itself.
pub(crate) async fn run(gateways: impl Into<Gateways>, start: Cursor, notes: Rc<Notes>) {
    follow_all(gateways.into(), start, notes, Some(Rc::new(Semaphore::new(TOGETHER)))).await;
}

/// Follows the messages from `start` on and answers none; never ends by itself.
pub(crate) async fn watch(gateways: impl Into<Gateways>, start: Cursor, notes: Rc<Notes>) {
    follow_all(gateways.into(), start, notes, None).await;
}

async fn follow_all(gateways: Gateways, mut cursor: Cursor, notes: Rc<Notes>, turns: Option<Rc<Semaphore>>) {
    loop {
        // After any failure the bot continues after the last event that it received.
        let following = follow(&gateways, &mut cursor, &notes, turns.as_ref());
        let has_left = match gateways.stays() {
            Some(stays) => timeout(stays, following).await.is_err(),
            None => {
                let _ = following.await;
                false
            }
        };
        if has_left {
            continue;
        }
        notes.breaks.set(notes.breaks.get() + 1);
        sleep(AGAIN_AFTER).await;
    }
}

async fn follow(
    gateways: &Gateways,
    cursor: &mut Cursor,
    notes: &Rc<Notes>,
    turns: Option<&Rc<Semaphore>>,
) -> anyhow::Result<()> {
    let at = gateways.listening().await?;
    let mut stream = EventStream::open(&at, FOLLOWED, Some(cursor)).await?;
    loop {
        let block = stream.next().await?;
        if let Some(event) = block.event {
            take(event, block.id.clone(), gateways, notes, turns);
        }
        if let Some(id) = block.id {
            *cursor = id;
        }
    }
}

fn take(event: Value, id: Option<Cursor>, gateways: &Gateways, notes: &Rc<Notes>, turns: Option<&Rc<Semaphore>>) {
    if event["type"] == "tertulia.connection.resumed" {
        let (connection, time) = (event["connection"].as_str(), event["time"].as_str());
        if let (Some(connection), Some(Ok(time))) = (connection, time.map(str::parse)) {
            notes.resumed.borrow_mut().push((connection.to_owned(), time));
        }
        return;
    }
    let message = Message::deserialize(&event["data"]);
    let conversation = event["subject"].as_str().unwrap_or_default().to_owned();
    notes.heard.borrow_mut().push((id, event));
    let Some(turns) = turns else { return };
    let Ok(Message { dialog_id, sequence, role: Some(role) }) = message else { return };
    if role != "CONSUMER" {
        return;
    }
    let place = (conversation, dialog_id, sequence);
    // A message that arrives twice is answered again under the same key, and the outcome must be the same.
    notes.answers.borrow_mut().entry(place.clone()).or_default();
    let (gateways, notes, turns) = (gateways.clone(), Rc::clone(notes), Rc::clone(turns));
    actix_rt::spawn(async move {
        let Ok(_turn) = turns.acquire().await else { return };
        let outcome = answer(&gateways, &place, &notes).await;
        notes.answers.borrow_mut().insert(place, Some(outcome));
    });
}

/// Publishes an answer, repeating the request with the same key until its outcome is known.
async fn answer(gateways: &Gateways, (conversation, _, sequence): &MessageKey, notes: &Notes) -> Answer {
    let body = json!({ "text": reply(*sequence) });
    let client = Client::builder().timeout(gateways.answered_within).finish();
    loop {
        let Ok(at) = gateways.listening().await else { return Err("the trial is over".to_owned()) };
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
