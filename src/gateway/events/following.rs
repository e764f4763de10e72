//! One caller's position in the log, independent of the transport.

use std::{mem, sync::Arc, time::Duration, vec};

use bytes::Bytes;
use serde::Serialize;
use serde_json::json;
use tertulia_actors::{
    engine::{Journal, LogBatch, LogReader, StoreError, StoredEvent},
    subscriber::{EventId, Filter},
};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use crate::reach::Reach;

/// How often a heartbeat is sent if there are no events, so that proxies do not close the stream.
pub(super) const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);
/// Events are returned together until their JSON has this many bytes. A caller that reads nothing costs this much
/// memory, and the rest of one event, in addition to the socket's buffers.
const TOGETHER: usize = 32 * 1024;

/// A page ends after the event with which its events have at least this many bytes.
const PAGE_BYTES: usize = 4 * 1024 * 1024;
/// The most events that are read for one page, if the filter excludes most of them.
const READ_FOR_PAGE: usize = 100_000;

/// Events of the log that a reader does not receive.
#[derive(Serialize, ToSchema)]
pub(in crate::gateway) struct LogGap {
    /// The number of these events, if known.
    #[schema(required)]
    missed: Option<u64>,
    /// The path where the current state can be read.
    snapshot: &'static str,
}

/// Events that are in the log already.
pub(super) struct Excerpt {
    /// The events as JSON.
    pub(super) items: Vec<Bytes>,
    /// The cursor of the caller after these events.
    pub(super) cursor: EventId,
}

/// The next item of a stream.
#[derive(Debug)]
pub(super) enum Next {
    /// Events, at least one.
    Events(Vec<Arc<StoredEvent>>),
    /// Events before the next one are missing; the payload is a gap event.
    Gap(Bytes),
    /// For a while there was no event that the caller wants.
    Nothing,
}

/// What was read from the log.
enum Taken {
    Events(Vec<Arc<StoredEvent>>),
    /// A gap event.
    Gap(Bytes),
}

/// The start of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// After this event.
    After(u64),
    /// The caller named an id that this log never issued: a gap event says so, and the stream continues after the
    /// newest event.
    Unknown {
        /// The newest event.
        newest: u64,
    },
}

/// Which events a caller gets.
pub(super) struct Selection {
    /// Those that the caller asked for.
    pub(super) filter: Filter,
    /// The connections that the caller sees.
    pub(super) reach: Reach,
}

impl Selection {
    fn takes(&self, event: &StoredEvent) -> bool {
        self.reach.sees(&event.connection) && self.filter.takes(event)
    }
}

/// What ends a stream.
pub(super) struct Ends {
    /// Cancelled when the caller's token is no longer valid, and when the gateway stops.
    pub(super) gone: CancellationToken,
    /// Cancelled when the gateway stops.
    pub(super) closing: CancellationToken,
}

impl Ends {
    fn why(&self) -> End {
        if self.closing.is_cancelled() { End::Closing } else { End::Revoked }
    }
}

/// Why a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The gateway is stopping.
    Closing,
    /// The caller's token is no longer valid, or has other rights.
    Revoked,
    /// The log cannot be read.
    Unreadable,
}

/// One caller's position in the log.
pub(super) struct Following {
    log: LogReader,
    epoch: Arc<str>,
    selection: Selection,
    /// The caller's cursor was never issued by this log, and the gap event about this is not sent yet.
    unknown: bool,
    /// Events that were read but not returned yet.
    read: vec::IntoIter<Arc<StoredEvent>>,
    heartbeat: Interval,
    ends: Ends,
}

impl Following {
    pub(super) fn new(journal: &Arc<Journal>, start: Start, selection: Selection, ends: Ends) -> Self {
        let (after, unknown) = match start {
            Start::After(after) => (after, false),
            Start::Unknown { newest } => (newest, true),
        };
        let mut heartbeat = interval_at(Instant::now() + HEARTBEAT_EVERY, HEARTBEAT_EVERY);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (log, epoch) = (journal.reader(after), Arc::clone(journal.epoch()));
        Self { log, epoch, selection, unknown, read: Vec::new().into_iter(), heartbeat, ends }
    }

    /// Whether the first item is a gap.
    pub(super) fn begins_with_gap(&self) -> bool {
        self.unknown
    }

    /// Returns the next item. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`End`]: the stream has ended.
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
                () = self.ends.gone.cancelled() => return Err(self.ends.why()),
                // The heartbeat comes before the log: if many unwanted events arrive, the caller's cursor must still
                // advance.
                _ = self.heartbeat.tick() => return Ok(Next::Nothing),
                batch = self.log.next() => batch,
            };
            match self.taken(batch)? {
                Taken::Events(events) => self.read = events.into_iter(),
                Taken::Gap(gap) => return Ok(Next::Gap(gap)),
            }
        }
    }

    fn taken(&self, batch: Result<Option<LogBatch>, StoreError>) -> Result<Taken, End> {
        match batch {
            Ok(Some(LogBatch::Events(events))) => Ok(Taken::Events(events)),
            Ok(Some(LogBatch::Forgotten { events } | LogBatch::Damaged { events })) => {
                // The number counts the events of all connections.
                let missed = Some(events).filter(|_| self.selection.reach.is_everything());
                Ok(Taken::Gap(self.gap(missed)))
            }
            Ok(None) => Err(End::Closing),
            Err(error) => {
                tracing::error!(%error, "the log cannot be read; a stream of events ends");
                Err(End::Unreadable)
            }
        }
    }

    /// Returns at most `limit` of the events up to `newest`, without waiting for further events. If the caller's filter
    /// excludes most events, there may be fewer than `limit` although others follow. Only an unchanged cursor means the
    /// end.
    ///
    /// # Errors
    /// [`End`]: the log cannot be read.
    pub(super) async fn excerpt(mut self, limit: usize, newest: u64) -> Result<Excerpt, End> {
        let (mut items, mut bytes, mut read) = (Vec::new(), 0, 0);
        if mem::take(&mut self.unknown) {
            items.push(self.gap(None));
        }
        let mut last = self.log.after();
        'pages: while last < newest && read < READ_FOR_PAGE {
            let batch = self.log.next().await;
            match self.taken(batch)? {
                Taken::Events(events) => {
                    for event in events {
                        if items.len() >= limit || bytes >= PAGE_BYTES {
                            break 'pages;
                        }
                        (last, read) = (event.offset, read + 1);
                        if self.selection.takes(&event) {
                            bytes += event.json.len();
                            items.push(Bytes::copy_from_slice(&event.json));
                        }
                    }
                }
                Taken::Gap(gap) => {
                    if items.len() >= limit {
                        break;
                    }
                    last = self.log.after();
                    items.push(gap);
                }
            }
        }
        Ok(Excerpt { items, cursor: EventId { epoch: self.epoch, offset: last } })
    }

    /// Returns the next events that were read and that the filter wants; `None` if no read event is left that it wants.
    fn hand_on(&mut self) -> Option<Vec<Arc<StoredEvent>>> {
        let (mut events, mut bytes) = (Vec::new(), 0);
        while bytes < TOGETHER
            && let Some(event) = self.read.find(|event| self.selection.takes(event))
        {
            bytes += event.json.len();
            events.push(event);
        }
        (!events.is_empty()).then_some(events)
    }

    /// The caller's cursor; valid while no read events wait to be returned.
    pub(super) fn cursor(&self) -> EventId {
        EventId { epoch: Arc::clone(&self.epoch), offset: self.log.after() }
    }

    pub(super) fn epoch(&self) -> &str {
        &self.epoch
    }

    /// A gap event: events before the next one are missing. It has their number, if known, and the path at which the
    /// current state can be read.
    fn gap(&self, missed: Option<u64>) -> Bytes {
        let gap = json!({
            "specversion": "1.0",
            "id": self.cursor().to_string(),
            "source": "/v1/events",
            "type": "tertulia.gap",
            "time": jiff::Timestamp::now().to_string(),
            "datacontenttype": "application/json",
            "data": LogGap { missed, snapshot: "/v1/conversations" },
        });
        gap.to_string().into()
    }
}
