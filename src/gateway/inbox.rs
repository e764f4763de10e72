//! Webhooks of the platform that this node accepts in the place of their connection's holder, in [`Table::Inbox`]. The
//! platform holds back all events of an application whose webhook was refused.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix_web::{
    http::{StatusCode, header},
    web::Bytes,
};
use tertulia_actors::{
    core::{id::ConnectionId, time::Timestamp},
    engine::{Change, Journal, Record, RecordKey, Table},
};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::problem::Problem;

/// The most webhooks in the inbox of one connection.
const MOST: usize = 100_000;
/// The most bytes of all webhooks in the inbox of one connection.
const MOST_BYTES: u64 = 256 * 1024 * 1024;
/// How long the measured size of an inbox is used. Meanwhile other nodes may add to it.
const MEASURED_FOR: Duration = Duration::from_secs(1);

/// Keeps webhooks for the holders of their connections.
pub(super) struct Inbox {
    journal: Arc<Journal>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sizes: HashMap<ConnectionId, Size>,
    /// The webhooks that this node has kept for a connection since its holder last learnt of some.
    unreported: HashMap<ConnectionId, Unreported>,
}

#[derive(Clone, Copy, Default)]
struct Unreported {
    webhooks: u64,
    is_being_reported: bool,
}

/// How much an inbox has, as last measured, with what this node has added since.
#[derive(Clone, Copy, Debug)]
struct Size {
    measured: Instant,
    webhooks: usize,
    bytes: u64,
}

impl Size {
    /// Adds a webhook with this many bytes; `None` if there is no room for it.
    fn with(self, bytes: usize) -> Option<Self> {
        let added = Self { webhooks: self.webhooks + 1, bytes: self.bytes.saturating_add(bytes as u64), ..self };
        (added.webhooks <= MOST && added.bytes <= MOST_BYTES).then_some(added)
    }
}

impl Inbox {
    pub(super) fn new(journal: &Arc<Journal>) -> Self {
        Self { journal: Arc::clone(journal), state: Mutex::default() }
    }

    /// Keeps the body of a webhook whose signature was checked. It is durable when this returns.
    ///
    /// # Errors
    /// The inbox is full, or the store did not keep the body `within`.
    pub(super) async fn keep(&self, connection: &ConnectionId, body: Bytes, within: Duration) -> Result<(), Problem> {
        let keeping = async {
            self.make_room(connection, body.len()).await?;
            let key = RecordKey::of(&[connection.as_str(), &Uuid::now_v7().to_string()]);
            let until = Timestamp(jiff::Timestamp::now().as_millisecond());
            let until = until.after(self.journal.retention().conversations);
            let kept = self.journal.keep(vec![Change::Put(Table::Inbox, Record::new(key, body).until(until))]).await;
            kept.map_err(|error| not_kept(connection, &error.to_string()))?;
            self.state().unreported.entry(connection.clone()).or_default().webhooks += 1;
            Ok(())
        };
        let late = |_| not_kept(connection, "the store did not answer in time");
        timeout(within, keeping).await.map_err(late)?
    }

    /// The number of webhooks kept here of which the holder of the connection does not know.
    pub(super) fn unreported(&self, connection: &ConnectionId) -> u64 {
        self.state().unreported.get(connection).copied().unwrap_or_default().webhooks
    }

    /// The number of webhooks kept here of which no holder knows.
    pub(super) fn waiting(&self) -> u64 {
        self.state().unreported.values().map(|unreported| unreported.webhooks).sum()
    }

    /// Whether the caller is to report the webhooks kept for a connection, until [`Self::reported`] returns `true`. Nobody
    /// else does then.
    pub(super) fn begin_report(&self, connection: &ConnectionId) -> bool {
        let mut state = self.state();
        let unreported = state.unreported.get_mut(connection);
        unreported.is_some_and(|unreported| !std::mem::replace(&mut unreported.is_being_reported, true))
    }

    /// The holder of the connection knows of the webhooks kept here, which were so many; `false` if more were kept since.
    pub(super) fn reported(&self, connection: &ConnectionId, webhooks: u64) -> bool {
        let mut state = self.state();
        let is_all = state.unreported.get(connection).is_none_or(|unreported| unreported.webhooks <= webhooks);
        if is_all {
            state.unreported.remove(connection);
        }
        is_all
    }

    async fn make_room(&self, connection: &ConnectionId, bytes: usize) -> Result<(), Problem> {
        if !self.has_recent_size(connection) {
            let prefix = RecordKey::of(&[connection.as_str()]);
            let measured = self.journal.read(move |store| store.measure(Table::Inbox, &prefix, MOST)).await;
            let (webhooks, bytes) = measured.map_err(|error| not_kept(connection, &error.to_string()))?;
            let size = Size { measured: Instant::now(), webhooks, bytes };
            self.state().sizes.insert(connection.clone(), size);
        }
        let mut state = self.state();
        let Some(size) = state.sizes.get_mut(connection) else { return Ok(()) };
        *size = size.with(bytes).ok_or_else(|| full(connection))?;
        Ok(())
    }

    fn has_recent_size(&self, connection: &ConnectionId) -> bool {
        self.state().sizes.get(connection).is_some_and(|size| size.measured.elapsed() < MEASURED_FOR)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_kept(connection: &ConnectionId, reason: &str) -> Problem {
    let detail = format!("the webhook of connection {connection} cannot be kept: {reason}");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "store-unavailable", detail).header(header::RETRY_AFTER, "1")
}

fn full(connection: &ConnectionId) -> Problem {
    let detail = format!(
        "no node runs connection {connection}, and {MOST} webhooks or {MOST_BYTES} bytes of webhooks wait for it already"
    );
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "inbox-full", detail).header(header::RETRY_AFTER, "10")
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use tertulia_actors::engine::{MemoryStore, Retention, Store};

    use super::*;

    const WITHIN: Duration = Duration::from_secs(30);

    fn inbox() -> (Inbox, Arc<MemoryStore>) {
        let store = Arc::new(MemoryStore::new(NonZeroUsize::MIN));
        let journal = Journal::start(Arc::clone(&store) as Arc<dyn Store>, Retention::default()).unwrap();
        (Inbox::new(&journal), store)
    }

    #[tokio::test]
    async fn webhooks_are_kept_in_the_order_of_their_arrival_and_end_with_the_retention() {
        let (inbox, store) = inbox();
        let shop = ConnectionId::from("shop");
        for number in 0..100 {
            inbox.keep(&shop, number.to_string().into(), WITHIN).await.unwrap();
        }
        let kept = store.scan(Table::Inbox, &RecordKey::of(&["shop"]), None, 1_000).unwrap();
        let bodies: Vec<_> = kept.iter().map(|record| String::from_utf8_lossy(&record.value)).collect();
        assert_eq!(bodies, (0..100).map(|number| number.to_string()).collect::<Vec<_>>());
        assert!(kept.iter().all(|record| record.keep_until.is_some()));
    }

    #[tokio::test]
    async fn a_full_inbox_takes_nothing_more() {
        let (inbox, store) = inbox();
        let shop = ConnectionId::from("shop");
        let size = Size { measured: Instant::now() + WITHIN, webhooks: MOST - 1, bytes: 0 };
        inbox.state().sizes.insert(shop.clone(), size);
        inbox.keep(&shop, "1".into(), WITHIN).await.unwrap();
        let refused = inbox.keep(&shop, "2".into(), WITHIN).await.unwrap_err();
        assert!(refused.to_string().starts_with("inbox-full"), "{refused}");
        inbox.keep(&"other".into(), "3".into(), WITHIN).await.unwrap();
        assert_eq!(store.measure(Table::Inbox, &RecordKey::of(&[]), 10).unwrap(), (2, 2));
    }

    #[test]
    fn an_inbox_is_full_of_webhooks_or_of_bytes() {
        let size = |webhooks, bytes| Size { measured: Instant::now(), webhooks, bytes };
        assert!(size(MOST - 1, 0).with(1).is_some() && size(MOST, 0).with(1).is_none());
        assert!(size(0, MOST_BYTES - 1).with(1).is_some() && size(0, MOST_BYTES - 1).with(2).is_none());
    }

    #[tokio::test]
    async fn webhooks_kept_after_a_report_are_reported_again() {
        let (inbox, _) = inbox();
        let shop = ConnectionId::from("shop");
        inbox.keep(&shop, "1".into(), WITHIN).await.unwrap();
        let webhooks = inbox.unreported(&shop);
        inbox.keep(&shop, "2".into(), WITHIN).await.unwrap();
        inbox.keep(&"other".into(), "3".into(), WITHIN).await.unwrap();
        assert_eq!(inbox.waiting(), 3);
        assert!(inbox.begin_report(&shop) && !inbox.begin_report(&shop));
        assert!(!inbox.reported(&shop, webhooks) && !inbox.begin_report(&shop));
        assert!(inbox.reported(&shop, inbox.unreported(&shop)));
        assert_eq!((inbox.unreported(&shop), inbox.waiting()), (0, 1));
        assert!(!inbox.begin_report(&shop));
    }
}
