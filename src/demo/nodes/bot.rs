//! A bot as a client of the nodes: follows the events of its connection at one node after another by cursor, and answers
//! at any of them.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    rc::Rc,
    time::{Duration, Instant},
};

use actix_web::http::StatusCode;
use awc::Client;
use futures_util::StreamExt as _;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde::Deserialize;
use serde_json::{Value, json};
use tertulia_actors::core::id::ConversationId;
use tokio::{
    sync::mpsc::UnboundedSender,
    time::{sleep, timeout},
};

use super::super::process::GatewayAddress;
use crate::event_blocks::Blocks;

/// How long a node may take to answer: longer than it waits for the platform and for another node.
const ANSWERED_WITHIN: Duration = Duration::from_secs(35);
/// The longest silence of a stream: longer than the interval between two heartbeats.
const SILENCE: Duration = Duration::from_secs(40);
/// The pause before another node is tried.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Where the nodes listen that were not killed. A node that starts again listens at another address.
pub(super) type Nodes = Rc<RefCell<BTreeMap<usize, GatewayAddress>>>;

/// When each connection last became ready, by the events of the nodes.
pub(super) type Resumed = Rc<RefCell<HashMap<String, Instant>>>;

/// A message of a consumer that a bot received.
pub(super) struct Received {
    pub(super) conversation: ConversationId,
    pub(super) sequence: u64,
}

/// One bot.
#[derive(Clone)]
pub(super) struct Bot {
    pub(super) connection: String,
    pub(super) nodes: Nodes,
    pub(super) resumed: Resumed,
    /// At most one message of each conversation waits for its answer, so the number of waiting ones is bounded.
    pub(super) received: UnboundedSender<Received>,
    pub(super) reply_to: fn(&str) -> String,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    subject: Option<ConversationId>,
    data: Data,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    sequence: Option<u64>,
    role: Option<String>,
    body: Option<Value>,
}

impl Bot {
    /// Follows the events after `cursor` and answers the messages of consumers. Never ends by itself.
    pub(super) async fn run(self, cursor: String, seed: u64) {
        let (mut cursor, mut random) = (cursor, StdRng::seed_from_u64(seed));
        loop {
            if let Some(node) = pick(&self.nodes, &mut random)
                && let Err(reason) = self.follow(&node, &mut cursor, &mut random).await
            {
                tracing::debug!(connection = %self.connection, %node, reason, "following at another node");
            }
            sleep(AGAIN_AFTER).await;
        }
    }

    async fn follow(&self, node: &str, cursor: &mut String, random: &mut StdRng) -> Result<(), String> {
        let url = format!(
            "http://{node}/v1/events?connection={}&type=message&type=connection.resumed&after={cursor}",
            self.connection
        );
        let sent = timeout(SILENCE, Client::builder().disable_timeout().finish().get(url).send()).await;
        let mut response = sent.map_err(|_| "no answer")?.map_err(|error| error.to_string())?;
        if !response.status().is_success() {
            return Err(response.status().to_string());
        }
        let mut blocks = Blocks::default();
        loop {
            let bytes = timeout(SILENCE, response.next()).await.map_err(|_| "the stream is silent")?;
            let bytes = bytes.ok_or("the stream ended")?.map_err(|error| error.to_string())?;
            for block in blocks.read(&bytes).map_err(|error| error.to_string())? {
                if let Some(data) = block.data {
                    let event: Event = serde_json::from_str(&data).map_err(|error| error.to_string())?;
                    self.take(event, random);
                }
                if let Some(id) = block.id {
                    *cursor = id;
                }
            }
        }
    }

    fn take(&self, event: Event, random: &mut StdRng) {
        if event.kind == "tertulia.connection.resumed" {
            self.resumed.borrow_mut().insert(self.connection.clone(), Instant::now());
            return;
        }
        let Event { subject: Some(conversation), data: Data { sequence: Some(sequence), role, body }, .. } = event
        else {
            return;
        };
        if role.as_deref() != Some("CONSUMER") {
            return;
        }
        // Nobody receives any more when the demo ends.
        let _ = self.received.send(Received { conversation: conversation.clone(), sequence });
        let text = (self.reply_to)(body.as_ref().and_then(Value::as_str).unwrap_or_default());
        let random = StdRng::seed_from_u64(random.random());
        actix_rt::spawn(self.clone().answer(conversation, sequence, text, random));
    }

    /// Publishes an answer at random nodes, with the same key until its outcome is known.
    async fn answer(self, conversation: ConversationId, sequence: u64, text: String, mut random: StdRng) {
        let client = Client::builder().timeout(ANSWERED_WITHIN).finish();
        let body = json!({ "text": text });
        loop {
            if let Some(node) = pick(&self.nodes, &mut random) {
                let connection = &self.connection;
                let url = format!("http://{node}/v1/conversations/{conversation}/messages?connection={connection}");
                let key = format!("{conversation}/{sequence}");
                match client.post(url).insert_header(("idempotency-key", key)).send_json(&body).await {
                    Ok(response) if response.status().is_success() => return,
                    Ok(response) if is_temporary(response.status()) => {}
                    Ok(response) => {
                        // The proof counts the answer as lost.
                        tracing::warn!(%conversation, status = %response.status(), "an answer was refused");
                        return;
                    }
                    Err(error) => tracing::debug!(%node, %error, "answering at another node"),
                }
            }
            sleep(AGAIN_AFTER).await;
        }
    }
}

/// Whether another attempt with the same key may succeed: the connection moves, or its node starts, is overloaded or died.
fn is_temporary(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::NOT_FOUND
            | StatusCode::MISDIRECTED_REQUEST
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

fn pick(nodes: &Nodes, random: &mut StdRng) -> Option<String> {
    let nodes = nodes.borrow();
    let address = nodes.values().nth(random.random_range(0..nodes.len().max(1)))?;
    address.borrow().clone()
}

/// Returns the cursor before the first event of the log, which is new.
pub(super) async fn oldest(node: &str) -> Result<String, String> {
    let request = Client::builder().disable_timeout().finish().get(format!("http://{node}/v1/events"));
    let sent = timeout(SILENCE, request.send()).await.map_err(|_| "no answer")?;
    let mut response = sent.map_err(|error| error.to_string())?;
    let mut blocks = Blocks::default();
    loop {
        let bytes = timeout(SILENCE, response.next()).await.map_err(|_| "the stream is silent")?;
        let bytes = bytes.ok_or("the stream ended")?.map_err(|error| error.to_string())?;
        let mut read = blocks.read(&bytes).map_err(|error| error.to_string())?.into_iter();
        if let Some(id) = read.find_map(|block| block.id) {
            let (epoch, _) = id.rsplit_once('-').ok_or("the stream has no cursor")?;
            return Ok(format!("{epoch}-0"));
        }
    }
}

/// Returns the text of a path of a node.
pub(super) async fn read(node: &str, path: &str) -> Result<String, String> {
    let client = Client::builder().timeout(ANSWERED_WITHIN).finish();
    let mut response = client.get(format!("http://{node}{path}")).send().await.map_err(|error| error.to_string())?;
    let body = response.body().limit(usize::MAX).await.map_err(|error| error.to_string())?;
    if response.status().is_success() {
        Ok(String::from_utf8_lossy(&body).into_owned())
    } else {
        Err(response.status().to_string())
    }
}
