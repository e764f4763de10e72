//! A reader of the events who disconnects at random and resumes by cursor.

use std::{
    cell::{Cell, RefCell},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    rc::Rc,
    time::Duration,
};

use actix_rt::time::{sleep, timeout};
use anyhow::Context as _;
use awc::{
    Client,
    ws::{Frame, Message},
};
use futures_util::{SinkExt as _, StreamExt as _};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::Value;

use super::Seen;
use crate::chaos::{
    service::Address,
    stream::{Cursor, EventStream},
};

/// The pause before another request to the service.
const AGAIN_AFTER: Duration = Duration::from_millis(30);
/// The longest silence: longer than the interval between two heartbeats.
const SILENCE: Duration = Duration::from_secs(40);
/// The most events before a reader disconnects.
const STAYS: u64 = 3_000;
/// The largest accepted event, in bytes.
const LARGEST: usize = 16 << 20;

/// The transport of the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Road {
    ServerSent,
    WebSocket,
}

/// One reader, and the events it received.
pub(super) struct Reader {
    road: Road,
    pub(super) messages_only: bool,
    cursor: RefCell<Cursor>,
    random: RefCell<StdRng>,
    pub(super) seen: RefCell<Vec<Seen>>,
    /// Unexpected input.
    pub(super) trouble: RefCell<Vec<String>>,
    left: Cell<u64>,
    broken: Cell<u64>,
}

/// An event in the form that is compared; `None` without a position.
pub(super) fn seen(event: &Value) -> Option<Seen> {
    let id = Cursor::parse(event["id"].as_str()?)?;
    let mut hasher = DefaultHasher::new();
    event.to_string().hash(&mut hasher);
    Some(Seen { offset: id.offset, digest: hasher.finish(), is_message: event["type"] == "tertulia.message" })
}

impl Reader {
    pub(super) fn new(road: Road, messages_only: bool, start: Cursor, seed: u64) -> Self {
        Self {
            road,
            messages_only,
            cursor: RefCell::new(start),
            random: RefCell::new(StdRng::seed_from_u64(seed)),
            seen: RefCell::default(),
            trouble: RefCell::default(),
            left: Cell::new(0),
            broken: Cell::new(0),
        }
    }

    /// The reader's position in the log.
    pub(super) fn offset(&self) -> u64 {
        self.cursor.borrow().offset
    }

    pub(super) fn left(&self) -> u64 {
        self.left.get()
    }

    pub(super) fn broken(&self) -> u64 {
        self.broken.get()
    }

    /// Reads events; never ends by itself.
    pub(super) async fn read(self: Rc<Self>, mut address: Address) {
        loop {
            let Ok(at) = address.wait_for(Option::is_some).await.map(|at| at.clone().unwrap_or_default()) else {
                return;
            };
            let stays = self.random.borrow_mut().random_range(1..=STAYS);
            let read = match self.road {
                Road::ServerSent => self.read_stream(&at, stays).await,
                Road::WebSocket => self.read_socket(&at, stays).await,
            };
            let counter = if read.is_ok() { &self.left } else { &self.broken };
            counter.set(counter.get() + 1);
            if read.is_err() {
                sleep(AGAIN_AFTER).await;
            }
        }
    }

    fn query(&self) -> &'static str {
        if self.messages_only { "type=message" } else { "" }
    }

    /// Reads `stays` events of a stream and disconnects in the middle.
    async fn read_stream(&self, at: &str, stays: u64) -> anyhow::Result<()> {
        let after = self.cursor.borrow().clone();
        let mut stream = EventStream::open(at, &format!("/v1/events?{}", self.query()), Some(&after)).await?;
        let mut left = stays;
        while left > 0 {
            let block = stream.next().await?;
            if let Some(event) = block.event {
                self.take(&event);
                left -= 1;
            }
            if let Some(id) = block.id {
                self.cursor.replace(id);
            }
        }
        Ok(())
    }

    /// Reads `stays` events of a socket and disconnects without a close frame.
    async fn read_socket(&self, at: &str, stays: u64) -> anyhow::Result<()> {
        let url = format!("ws://{at}/v1/events/socket?after={}&{}", self.cursor.borrow(), self.query());
        let opened = timeout(SILENCE, Client::new().ws(url).max_frame_size(LARGEST).connect()).await;
        let opened = opened.context("the socket did not open in time")?;
        let (_, mut socket) = opened.map_err(|error| anyhow::anyhow!("cannot open the socket: {error}"))?;
        let mut left = stays;
        while left > 0 {
            let frame = timeout(SILENCE, socket.next()).await.context("the socket sent nothing for too long")?;
            match frame.context("the socket ended")?? {
                Frame::Text(text) => {
                    let event = serde_json::from_slice(&text)?;
                    self.take(&event);
                    left -= 1;
                    if let Some(id) = event["id"].as_str().and_then(Cursor::parse) {
                        self.cursor.replace(id);
                    }
                }
                // The ping's cursor says up to where the log was read for this reader.
                Frame::Ping(cursor) => {
                    let id = std::str::from_utf8(&cursor).ok().and_then(Cursor::parse);
                    self.cursor.replace(id.context("a ping without a cursor")?);
                    socket.send(Message::Pong(cursor)).await?;
                }
                Frame::Close(reason) => anyhow::bail!("closed: {reason:?}"),
                other => anyhow::bail!("not an event: {other:?}"),
            }
        }
        Ok(())
    }

    fn take(&self, event: &Value) {
        match seen(event) {
            Some(_) if event["type"] == "tertulia.gap" && event["source"] == "/v1/events" => {
                self.trouble.borrow_mut().push(format!("a gap: {event}"));
            }
            Some(seen) => self.seen.borrow_mut().push(seen),
            None => self.trouble.borrow_mut().push(format!("no event: {event}")),
        }
    }
}
