//! What an earlier life of the process left of a connection's conversations.

use std::{sync::Arc, time::Duration};

use serde::Deserialize;
use tertulia_core::id::{ConnectionId, ConversationId, DialogId, ExternalConsumerId};
use tokio::time::sleep;

use super::Outline;
use crate::engine::{Journal, Record, RecordKey, StoreError, Table};

/// Records read at a time.
const PAGE: usize = 1_000;
/// How long to wait before the store is asked again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A conversation that an earlier life held.
pub(crate) struct Remembered {
    pub(crate) id: ConversationId,
    /// The dialogs beside MAIN, whose records may come without the conversation's id (MS-9).
    pub(crate) dialogs: Vec<DialogId>,
    /// For whom a connector spoke in it.
    pub(crate) consumer: Option<ExternalConsumerId>,
    /// What is known of it, where its snapshot tells.
    pub(crate) outline: Outline,
    /// Whether commands of it are in the outbox.
    pub(crate) is_pending: bool,
}

/// The conversations that `connection` held when the earlier life ended, and those with commands in the outbox.
/// Asks until the store answers.
pub(crate) async fn remembered(journal: &Arc<Journal>, connection: &ConnectionId) -> Vec<Remembered> {
    if !journal.keeps() {
        return Vec::new();
    }
    loop {
        match read(journal, connection).await {
            Ok(remembered) => return remembered,
            Err(error) => tracing::error!(%connection, %error, "what was kept cannot be read; it is tried again"),
        }
        sleep(AGAIN_AFTER).await;
    }
}

async fn read(journal: &Journal, connection: &ConnectionId) -> Result<Vec<Remembered>, StoreError> {
    let prefix = RecordKey::of(&[connection.as_str()]);
    let outbox = pages(journal, Table::Outbox, prefix.clone(), |record| conversation_of(&record.key)).await?;
    let pending: std::collections::HashSet<ConversationId> = outbox.into_iter().collect();
    pages(journal, Table::Snapshots, prefix, move |record| {
        let gist: Gist = serde_json::from_slice(&record.value).ok()?;
        let id = conversation_of(&record.key)?;
        let is_pending = pending.contains(&id);
        let Gist { held, consumer, outline, conversation } = gist;
        let dialogs = conversation.dialogs.into_iter().map(|dialog| dialog.dialog_id);
        let dialogs = dialogs.filter(|dialog| !dialog.is_main_of(&id)).collect();
        (held || is_pending).then_some(Remembered { id, dialogs, consumer, outline, is_pending })
    })
    .await
}

/// Reads a whole table's part, a page at a time, and keeps of each record what `pick` takes.
async fn pages<T: Send + 'static>(
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

/// As much of a snapshot as its connection needs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Gist {
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
