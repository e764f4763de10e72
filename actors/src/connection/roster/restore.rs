//! The conversations that a previous run of the process left in the store.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use serde::Deserialize;
use tertulia_core::id::{ConnectionId, ConversationId, DialogId, ExternalConsumerId};
use tokio::time::sleep;

use super::{Child, Roster, quarantine::unreadable};
use crate::{
    conversation::{Conversation, Outline, Snapshot},
    engine::{Journal, Record, RecordKey, StoreError, Table},
};

/// Records read at a time.
const PAGE: usize = 1_000;
/// The pause before another request to the store.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A conversation that the previous run held.
pub(crate) struct Remembered {
    pub(super) id: ConversationId,
    /// The dialogs other than MAIN, whose records may arrive without the conversation's id ([MS-9](crate::rules#ms-9)).
    pub(super) dialogs: Vec<DialogId>,
    /// The consumer for whom a connector spoke in the conversation.
    pub(super) consumer: Option<ExternalConsumerId>,
    /// The outline in its snapshot.
    pub(super) outline: Outline,
    /// Whether commands of the conversation are in the outbox.
    pub(super) is_pending: bool,
    /// Why the record cannot be read. Then nothing but the id is known.
    pub(super) unreadable: Option<String>,
}

impl Remembered {
    fn unreadable(id: ConversationId, reason: String) -> Self {
        let (dialogs, outline) = (Vec::new(), Outline::default());
        Self { id, dialogs, consumer: None, outline, is_pending: false, unreadable: Some(reason) }
    }
}

impl<N: Default> Roster<N> {
    /// Restores conversations of the previous run. Each stays unloaded until it is needed; a conversation with commands
    /// in the outbox is loaded at once. A conversation that is already known, from a webhook or from before a restart
    /// of the actor, stays as it is. A conversation whose record cannot be read is quarantined.
    pub(crate) fn restore(&mut self, conversations: Vec<Remembered>) {
        self.is_restored = true;
        for Remembered { id, dialogs, consumer, outline, is_pending, unreadable } in conversations {
            if let Some(reason) = unreadable {
                self.refuse(id, &reason);
                continue;
            }
            if !self.knows(&id) {
                let handle = self.make_known(id.clone());
                self.upstream.directory.outline(&handle, outline);
                self.fall_asleep(id.clone(), consumer);
            } else if let (Some(child), Some(consumer)) = (self.get_mut(&id), consumer)
                && child.consumer().is_none()
            {
                child.speak_for(consumer);
            }
            dialogs.into_iter().for_each(|dialog| self.note_dialog(dialog, id.clone()));
            if is_pending {
                self.child_as(&id, |upstream, _| Conversation::new(id.clone(), upstream, None));
            }
        }
    }

    /// Quarantines a conversation whose record cannot be read. A conversation that is already known reads its record
    /// itself.
    fn refuse(&mut self, id: ConversationId, reason: &str) {
        if self.knows(&id) {
            return;
        }
        self.make_known(id.clone());
        self.upstream.metrics.conversations.inc();
        let activity = self.sleep_queue.add(&id, Instant::now());
        let life = Self::quarantined_life(&self.upstream, &id, 0, unreadable(reason), None);
        self.awake.insert(id, Child::with(life, activity));
    }
}

/// Reads the conversations that `connection` held when the previous run ended, those with commands in the outbox, and
/// those of `loaded` that the store has. Repeats the request until the store responds.
pub(crate) async fn remembered(
    journal: &Arc<Journal>,
    connection: &ConnectionId,
    loaded: HashSet<ConversationId>,
) -> Vec<Remembered> {
    if !journal.keeps() {
        return Vec::new();
    }
    let loaded = Arc::new(loaded);
    loop {
        match read(journal, connection, &loaded).await {
            Ok(remembered) => return remembered,
            Err(error) => tracing::error!(%connection, %error, "the stored conversations cannot be read; trying again"),
        }
        sleep(AGAIN_AFTER).await;
    }
}

async fn read(
    journal: &Journal,
    connection: &ConnectionId,
    loaded: &Arc<HashSet<ConversationId>>,
) -> Result<Vec<Remembered>, StoreError> {
    let loaded = Arc::clone(loaded);
    let prefix = RecordKey::of(&[connection.as_str()]);
    let outbox = pages(journal, Table::Outbox, prefix.clone(), |record| conversation_of(&record.key)).await?;
    let pending: HashSet<ConversationId> = outbox.into_iter().collect();
    pages(journal, Table::Snapshots, prefix, move |record| {
        let id = conversation_of(&record.key)?;
        let is_pending = pending.contains(&id);
        let head: SnapshotHead = match serde_json::from_slice(&record.value) {
            Ok(head) => head,
            Err(error) => return Some(Remembered::unreadable(id, error.to_string())),
        };
        let SnapshotHead { version, held, consumer, outline, conversation } = head;
        if !held && !is_pending && !loaded.contains(&id) {
            return None;
        }
        if let Err(reason) = Snapshot::check_version(version) {
            return Some(Remembered::unreadable(id, reason));
        }
        let dialogs = conversation.dialogs.into_iter().map(|dialog| dialog.dialog_id);
        let dialogs = dialogs.filter(|dialog| !dialog.is_main_of(&id)).collect();
        Some(Remembered { id, dialogs, consumer, outline, is_pending, unreadable: None })
    })
    .await
}

/// Reads all records with a prefix, a page at a time, and returns what `pick` selects of each record.
pub(in crate::connection) async fn pages<T: Send + 'static>(
    journal: &Journal,
    table: Table,
    prefix: RecordKey,
    pick: impl Fn(&Record) -> Option<T> + Send + Sync + 'static,
) -> Result<Vec<T>, StoreError> {
    let (pick, mut picked, mut after) = (Arc::new(pick), Vec::new(), None);
    loop {
        let (prefix, pick, from) = (prefix.clone(), Arc::clone(&pick), after.take());
        let (some, last) = journal
            .read(move |store| {
                let page = store.scan(table, &prefix, from.as_ref(), PAGE)?;
                let last = page.last().filter(|_| page.len() == PAGE).map(|record| record.key.clone());
                Ok((page.iter().filter_map(|record| pick(record)).collect::<Vec<T>>(), last))
            })
            .await?;
        picked.extend(some);
        match last {
            Some(last) => after = Some(last),
            None => return Ok(picked),
        }
    }
}

fn conversation_of(key: &RecordKey) -> Option<ConversationId> {
    key.parts()?.into_iter().nth(1).map(ConversationId::from)
}

/// The part of a snapshot that its connection needs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SnapshotHead {
    version: u32,
    #[serde(default)]
    held: bool,
    #[serde(default)]
    consumer: Option<ExternalConsumerId>,
    #[serde(default)]
    outline: Outline,
    conversation: Dialogs,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dialogs {
    #[serde(default)]
    dialogs: Vec<OneDialog>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OneDialog {
    dialog_id: DialogId,
}
