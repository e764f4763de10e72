//! One caller's way along the log, whatever carries it to them.

use std::{mem, sync::Arc, time::Duration, vec};

use bytes::Bytes;
use serde_json::json;
use tertulia_actors::{
    engine::{Journal, LogBatch, LogReader, StoredEvent},
    subscriber::{EventId, Filter},
};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use super::asked::Start;

/// How often something is sent when nothing happens, so that whoever is between does not take the stream for dead.
pub(super) const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);
/// The JSON that is handed on at once, in bytes; one event at least. It is what a caller who reads nothing holds beside
/// the buffers of the socket.
const TOGETHER: usize = 32 * 1024;

/// What comes next.
#[derive(Debug)]
pub(super) enum Next {
    /// Events, at least one.
    Events(Vec<Arc<StoredEvent>>),
    /// Events before the next one are missing: an event that says so.
    Gap(Bytes),
    /// Nothing happened that the caller wants, for a while.
    Nothing,
}

/// Why nothing more comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The gateway ends.
    Closing,
    /// The log cannot be read.
    Unreadable,
}

/// One caller's way along the log.
pub(super) struct Following {
    log: LogReader,
    epoch: Arc<str>,
    filter: Filter,
    /// The caller came with a cursor that this log never issued, and does not know that yet.
    unknown: bool,
    /// Read, and not handed on yet.
    read: vec::IntoIter<Arc<StoredEvent>>,
    heartbeat: Interval,
    closing: CancellationToken,
}

impl Following {
    pub(super) fn new(journal: &Arc<Journal>, start: Start, filter: Filter, closing: CancellationToken) -> Self {
        let (after, unknown) = match start {
            Start::Behind(after) => (after, false),
            Start::Unknown { newest } => (newest, true),
        };
        let mut heartbeat = interval_at(Instant::now() + HEARTBEAT_EVERY, HEARTBEAT_EVERY);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (log, epoch) = (journal.reader(after), Arc::clone(journal.epoch()));
        Self { log, epoch, filter, unknown, read: Vec::new().into_iter(), heartbeat, closing }
    }

    /// Whether the first that comes is a gap.
    pub(super) fn begins_with_gap(&self) -> bool {
        self.unknown
    }

    /// What comes next. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`End`]: nothing comes any more.
    pub(super) async fn next(&mut self) -> Result<Next, End> {
        if mem::take(&mut self.unknown) {
            return Ok(Next::Gap(self.gap(None)));
        }
        loop {
            if let Some(events) = self.hand_on() {
                return Ok(Next::Events(events));
            }
            let batch = tokio::select! {
                biased;
                () = self.closing.cancelled() => return Err(End::Closing),
                // Before the log: where much happens and nothing is wanted, the cursor moves on all the same.
                _ = self.heartbeat.tick() => return Ok(Next::Nothing),
                batch = self.log.next() => batch,
            };
            match batch {
                Ok(Some(LogBatch::Events(events))) => self.read = events.into_iter(),
                Ok(Some(LogBatch::Forgotten { events } | LogBatch::Damaged { events })) => {
                    return Ok(Next::Gap(self.gap(Some(events))));
                }
                Ok(None) => return Err(End::Closing),
                Err(error) => {
                    tracing::error!(%error, "the log cannot be read; an event stream ends");
                    return Err(End::Unreadable);
                }
            }
        }
    }

    /// Of what was read, the next events that the caller wants; none where there are none.
    fn hand_on(&mut self) -> Option<Vec<Arc<StoredEvent>>> {
        let (mut events, mut bytes) = (Vec::new(), 0);
        while bytes < TOGETHER
            && let Some(event) = self.read.find(|event| self.filter.takes(event))
        {
            bytes += event.json.len();
            events.push(event);
        }
        (!events.is_empty()).then_some(events)
    }

    /// The caller's place, as long as nothing that was read waits to be handed on.
    pub(super) fn cursor(&self) -> EventId {
        EventId { epoch: Arc::clone(&self.epoch), offset: self.log.after() }
    }

    pub(super) fn epoch(&self) -> &str {
        &self.epoch
    }

    /// Tells that events before the next one are missing, how many where it is known, and where to read what is.
    fn gap(&self, missed: Option<u64>) -> Bytes {
        let gap = json!({
            "specversion": "1.0",
            "id": self.cursor().to_string(),
            "source": "/v1/events",
            "type": "tertulia.gap",
            "time": jiff::Timestamp::now().to_string(),
            "datacontenttype": "application/json",
            "data": { "missed": missed, "snapshot": "/v1/conversations" },
        });
        gap.to_string().into()
    }
}
