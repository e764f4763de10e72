//! Notifications as the platform sent them, for readers that need more than the events ([CN-F4](crate::rules#cn-f4)).
//! Without a reader they cost only the check whether a reader exists.

use std::{
    borrow::Cow,
    collections::HashSet,
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use arc_swap::ArcSwap;
use futures_util::Stream;
use serde::Deserialize;
use tertulia_core::{id::ConnectionId, ums::Json};
use tokio::sync::mpsc;

use super::LaggedError;

/// A notification as the platform sent it.
#[derive(Clone, Debug)]
pub struct RawNotification {
    /// The connection that received it.
    pub connection: ConnectionId,
    /// Its type as sent.
    pub kind: Box<str>,
    /// Its body; `null` if it has none.
    pub body: Json<'static>,
}

/// Selects notifications. An empty condition does not filter.
#[derive(Clone, Debug, Default)]
pub struct NotificationFilter {
    connections: HashSet<ConnectionId>,
    kinds: HashSet<Box<str>>,
}

impl NotificationFilter {
    /// Returns a filter that accepts every notification.
    #[must_use]
    pub fn everything() -> Self {
        Self::default()
    }

    /// Accepts only notifications of this connection, and of the connections named before.
    #[must_use]
    pub fn connection(mut self, connection: impl Into<ConnectionId>) -> Self {
        self.connections.insert(connection.into());
        self
    }

    /// Accepts only notifications of this type, and of the types named before. The type is given in full, or by its
    /// last part, which is the same in both dialects.
    #[must_use]
    pub fn kind(mut self, kind: &str) -> Self {
        self.kinds.insert(kind.into());
        self
    }

    fn wants(&self, connection: &ConnectionId, kind: &str) -> bool {
        let last = kind.rsplit('.').next().unwrap_or(kind);
        (self.connections.is_empty() || self.connections.contains(connection))
            && (self.kinds.is_empty() || self.kinds.contains(kind) || self.kinds.contains(last))
    }
}

/// A live stream of notifications. Bounded: a slow reader gets an error with the number of missed notifications, and
/// delays nobody else.
pub struct NotificationStream {
    items: mpsc::Receiver<Item>,
    /// The notification to return after the error about missed notifications.
    waiting: Option<Arc<RawNotification>>,
    number: u64,
    table: Arc<NotificationTable>,
}

struct Item {
    notification: Arc<RawNotification>,
    /// The number of notifications dropped just before.
    missed: u64,
}

impl NotificationStream {
    /// Returns the next notification; `None` after the system has stopped.
    ///
    /// # Errors
    /// [`LaggedError`] if notifications had to be dropped; the stream continues after them.
    pub async fn next(&mut self) -> Option<Result<Arc<RawNotification>, LaggedError>> {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Arc<RawNotification>, LaggedError>>> {
        if let Some(notification) = self.waiting.take() {
            return Poll::Ready(Some(Ok(notification)));
        }
        self.items.poll_recv(context).map(|item| {
            let Item { notification, missed } = item?;
            if missed == 0 {
                return Some(Ok(notification));
            }
            self.waiting = Some(notification);
            Some(Err(LaggedError { missed }))
        })
    }
}

impl Stream for NotificationStream {
    type Item = Result<Arc<RawNotification>, LaggedError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(context)
    }
}

impl Drop for NotificationStream {
    fn drop(&mut self) {
        self.table.change(|readers| readers.retain(|reader| reader.number != self.number));
    }
}

struct Reader {
    number: u64,
    filter: NotificationFilter,
    sender: mpsc::Sender<Item>,
    missed: AtomicU64,
}

/// All readers of notifications in a process.
#[derive(Default)]
pub(crate) struct NotificationTable {
    readers: ArcSwap<Vec<Arc<Reader>>>,
    next: AtomicU64,
    /// Serializes changes of `readers`; the delivering side never locks it.
    changing: Mutex<()>,
}

impl NotificationTable {
    /// Returns a stream of the matching notifications that buffers up to `capacity` of them.
    pub(crate) fn stream(self: &Arc<Self>, filter: NotificationFilter, capacity: usize) -> NotificationStream {
        let (sender, items) = mpsc::channel(capacity.max(1));
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let reader = Arc::new(Reader { number, filter, sender, missed: AtomicU64::new(0) });
        self.change(|readers| readers.push(reader));
        NotificationStream { items, waiting: None, number, table: Arc::clone(self) }
    }

    /// Offers a frame to the matching readers, if the frame is a notification.
    pub(crate) fn offer(&self, connection: &ConnectionId, frame: &[u8]) {
        #[derive(Deserialize)]
        struct Envelope<'a> {
            #[serde(borrow)]
            kind: Cow<'a, str>,
            #[serde(borrow, rename = "type")]
            body_kind: Cow<'a, str>,
            #[serde(borrow, default)]
            body: Option<Json<'a>>,
        }

        let readers = self.readers.load();
        if readers.is_empty() {
            return;
        }
        let Ok(Envelope { kind, body_kind, body }) = serde_json::from_slice(frame) else { return };
        let mut wanting = readers.iter().filter(|reader| reader.filter.wants(connection, &body_kind)).peekable();
        if kind != "notification" || wanting.peek().is_none() {
            return;
        }
        let notification = Arc::new(RawNotification {
            connection: connection.clone(),
            kind: (&*body_kind).into(),
            body: body.map_or_else(|| Json::from(&serde_json::Value::Null), Json::into_owned),
        });
        for reader in wanting {
            let missed = reader.missed.swap(0, Ordering::Relaxed);
            if reader.sender.try_send(Item { notification: Arc::clone(&notification), missed }).is_err() {
                reader.missed.fetch_add(missed + 1, Ordering::Relaxed);
            }
        }
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Arc<Reader>>)) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut readers = Vec::clone(&self.readers.load());
        change(&mut readers);
        self.readers.store(Arc::new(readers));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: &str) -> Vec<u8> {
        serde_json::json!({ "kind": "notification", "type": kind, "body": { "n": 1 } }).to_string().into_bytes()
    }

    #[actix_rt::test]
    async fn a_reader_gets_what_it_named_and_no_answers() {
        let table = Arc::new(NotificationTable::default());
        let named = NotificationFilter::everything().connection("a").kind("MessagingEventNotification").kind("x.Other");
        let mut stream = table.stream(named, 8);
        table.offer(&"a".into(), br#"{"kind":"resp","reqId":"1","type":"x.Other"}"#);
        table.offer(&"a".into(), b"not json");
        table.offer(&"b".into(), &frame("x.Other"));
        table.offer(&"a".into(), &frame("y.Other"));
        table.offer(&"a".into(), &frame("ms.MessagingEventNotification"));
        table.offer(&"a".into(), &frame("x.Other"));
        let first = stream.next().await.unwrap().unwrap();
        assert_eq!((&*first.kind, first.body.get()), ("ms.MessagingEventNotification", r#"{"n":1}"#));
        assert_eq!(&*stream.next().await.unwrap().unwrap().kind, "x.Other");
    }

    #[actix_rt::test]
    async fn a_slow_reader_is_told_how_much_it_missed_and_where() {
        let table = Arc::new(NotificationTable::default());
        let mut stream = table.stream(NotificationFilter::everything(), 1);
        for kind in ["1", "2", "3"] {
            table.offer(&"a".into(), &frame(kind));
        }
        assert_eq!(&*stream.next().await.unwrap().unwrap().kind, "1");
        table.offer(&"a".into(), &frame("4"));
        assert_eq!(stream.next().await.unwrap().unwrap_err(), LaggedError { missed: 2 });
        assert_eq!(&*stream.next().await.unwrap().unwrap().kind, "4");
    }

    #[test]
    fn a_reader_that_went_away_is_forgotten() {
        let table = Arc::new(NotificationTable::default());
        drop(table.stream(NotificationFilter::everything(), 1));
        assert!(table.readers.load().is_empty());
    }
}
