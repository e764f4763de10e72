//! Webhooks that other processes have accepted for this connection while it moved: [`Table::Inbox`]. The holder of the
//! connection handles them in the order of their ids, before any newer webhook.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix::Addr;
use tertulia_core::id::ConnectionId;
use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, sleep, timeout, timeout_at},
};

use super::{Intake, WebhookArrived};
use crate::{
    connection::{ConnectionError, ProcessContext},
    conversation::{FramePermit, Handled},
    dead_letters::{DeadLetterKind, Unhandled},
    engine::{Change, Record, RecordKey, StoreError, Table},
    frame_window::FrameWindow,
};

/// Records handled together.
const PAGE: usize = 64;
/// How often the inbox is read although nobody has reported a new record.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The pause after a record that could not be handled.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// How long the records of a page may take to become durable.
const KEPT_WITHIN: Duration = Duration::from_secs(30);

/// Whether webhooks that other processes accepted wait for this connection.
pub(crate) struct Backlog {
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    /// Whether all records that were reported are handled.
    is_empty: bool,
    /// Counts the reports.
    reports: u64,
    /// The record that is being passed on. If the connection panics, the record may be the cause.
    passing: Option<RecordKey>,
}

impl Backlog {
    /// The backlog of a connection that is about to begin. If other processes write to the store, nothing is known of it
    /// until it is read.
    pub(super) fn new(process: &ProcessContext) -> Arc<Self> {
        let is_shared = process.journal.store().is_some_and(|store| store.is_shared());
        let state = State { is_empty: !is_shared, reports: 0, passing: None };
        Arc::new(Self { state: Mutex::new(state), changed: Notify::new() })
    }

    /// Whether no webhook is known to wait.
    pub(super) fn is_empty(&self) -> bool {
        self.state().is_empty
    }

    /// Another process has accepted a webhook. Newer webhooks wait until it is handled.
    pub(crate) fn report(&self) {
        let mut state = self.state();
        state.is_empty = false;
        state.reports += 1;
        drop(state);
        self.changed.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why the records could not all be handled. They are handled again.
#[derive(Debug, thiserror::Error)]
enum NotEmptied {
    #[error(transparent)]
    Unreadable(#[from] StoreError),
    #[error("a webhook could not be passed on: {0}")]
    Refused(ConnectionError),
    #[error("the connection is restarting")]
    Restarting,
    #[error("a webhook was not kept")]
    NotKept,
}

/// A record that was passed on, and what reports when its effect is durable.
type Passed = (RecordKey, oneshot::Receiver<Handled>);

/// Handles the backlog of a connection that has its duty and has restored its conversations.
pub(super) struct Emptying {
    pub(super) id: ConnectionId,
    pub(super) process: ProcessContext,
    pub(super) backlog: Arc<Backlog>,
    pub(super) window: FrameWindow,
    pub(super) connection: Addr<Intake>,
}

impl Emptying {
    /// Empties the inbox again and again, until it is dropped.
    pub(super) async fn run(self) {
        let mut reported = None;
        loop {
            let reports = self.backlog.state().reports;
            if let Err(error) = self.empty().await {
                let reason = error.to_string();
                if reported.as_ref() != Some(&reason) {
                    tracing::warn!(connection = %self.id, reason, "webhooks that other nodes accepted wait");
                    reported = Some(reason);
                }
                sleep(AGAIN_AFTER).await;
                continue;
            }
            reported = None;
            let is_done = {
                let mut state = self.backlog.state();
                state.is_empty = state.reports == reports;
                state.is_empty
            };
            if is_done {
                // Nobody reports a record whose writer has ended.
                let _ = timeout(LOOK_EVERY, self.backlog.changed.notified()).await;
            }
        }
    }

    async fn empty(&self) -> Result<(), NotEmptied> {
        loop {
            let prefix = RecordKey::of(&[self.id.as_str()]);
            let read = self.process.journal.read(move |store| store.scan(Table::Inbox, &prefix, None, PAGE));
            let page = read.await?;
            if page.is_empty() {
                return Ok(());
            }
            self.backlog.state().is_empty = false;
            tracing::debug!(connection = %self.id, webhooks = page.len(), "webhooks that other nodes accepted");
            self.handle(page).await?;
        }
    }

    async fn handle(&self, page: Vec<Record>) -> Result<(), NotEmptied> {
        let (mut passed, mut outcome) = (Vec::new(), Ok(()));
        for record in page {
            match self.pass_on(record).await {
                Ok(on) => passed.push(on),
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        let (mut removals, deadline) = (Vec::new(), Instant::now() + KEPT_WITHIN);
        for (key, handled) in passed {
            match timeout_at(deadline, handled).await {
                Ok(Ok(Handled::Kept)) => removals.push(Change::Remove(Table::Inbox, key)),
                Ok(Ok(Handled::Lost) | Err(_)) | Err(_) => outcome = Err(NotEmptied::NotKept),
            }
        }
        // The last conversation that a webhook concerns removes its record. This removes those that concern none.
        if !removals.is_empty() && self.process.log.keep(&self.id, removals).await.is_err() {
            return Err(NotEmptied::NotKept);
        }
        outcome
    }

    async fn pass_on(&self, Record { key, value, .. }: Record) -> Result<Passed, NotEmptied> {
        let place = self.window.take(value.len()).await.ok_or(NotEmptied::Restarting)?;
        let (place, handled) = FramePermit::from_inbox(place, key.clone());
        if self.backlog.state().passing.take().is_some_and(|suspect| suspect == key) {
            // Passing it on made the connection panic.
            self.process.dead_letters.put_unreadable(Unhandled {
                connection: &self.id,
                conversation: None,
                kind: DeadLetterKind::Frame,
                reason: "the connection panicked on this webhook".to_owned(),
                body: &value,
            });
            return Ok((key, handled));
        }
        self.backlog.state().passing = Some(key.clone());
        let routed = self.connection.send(WebhookArrived { body: value, place }).await;
        self.backlog.state().passing = None;
        match routed {
            // A malformed webhook is among the dead letters.
            Ok(Ok(()) | Err(ConnectionError::MalformedNotification(_))) => Ok((key, handled)),
            Ok(Err(error)) => Err(NotEmptied::Refused(error)),
            Err(_) => Err(NotEmptied::Restarting),
        }
    }
}
