//! The records of a connection: what callers set on it and must hold after the end of the process. They are written with
//! the step that changes them, and read when the connection starts.
//!
//! The record `connection-state/<id>` has the agent's state and the consumer after a step-up; it has no token. Each conversation
//! that callers have loaded has a record `connection-state/<id>/<conversation>`. The record `consumer-identity/<id>` is of the
//! consumer.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tertulia_core::{
    id::{ConnectionId, ConversationId, UserId},
    placement::Acting,
    ums::AgentState,
};
use tokio::time::{sleep, timeout};

use super::roster::pages;
use crate::engine::{Change, CommitError, Journal, Record, RecordKey, StoreError, Table};

/// The first part of the records' keys.
const KIND: &str = "connection-state";
/// The first part of the key of a consumer's identity.
const IDENTITY: &str = "consumer-identity";
/// The pause before another request to the store.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Records of a removed connection that are deleted together. Webhooks in the inbox may be large.
const FORGOTTEN_TOGETHER: usize = 64;
/// How long deleting the records of a removed connection may take.
const FORGOTTEN_WITHIN: Duration = Duration::from_secs(10);

/// The record of a connection. An absent member was never set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ConnectionRecord {
    /// The agent's state that a caller set.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_state: Option<SetState>,
    /// The consumer after a step-up. If the token of the step-up is not stored, the next run of the process logs in as
    /// the configured consumer and reports that a step-up is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stepped_up: Option<UserId>,
}

/// An agent's state that a caller set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SetState {
    state: AgentState,
    /// The configured state at that time. Another configured state replaces the caller's state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    configured: Option<AgentState>,
}

/// The record of a conversation that callers have loaded.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Hold {
    /// The number of loads minus the number of unloads.
    holds: usize,
}

/// The records of a connection that the previous run stored.
#[derive(Debug, Default)]
pub(super) struct StoredConnection {
    pub(super) record: ConnectionRecord,
    /// The conversations that callers have loaded, each with the number of holds.
    pub(super) holds: Vec<(ConversationId, usize)>,
}

impl ConnectionRecord {
    pub(super) fn set_agent_state(&mut self, state: AgentState, configured: Option<AgentState>) {
        self.agent_state = Some(SetState { state, configured });
    }

    /// The agent's state that a caller set, unless the configured state has changed since.
    pub(super) fn agent_state(&self, configured: Option<&AgentState>) -> Option<&AgentState> {
        let set = self.agent_state.as_ref()?;
        (set.configured.as_ref() == configured).then_some(&set.state)
    }

    /// Adds what the previous run stored. Returns whether the store must be updated, because a caller has set something
    /// before the stored record was read.
    pub(super) fn take_up(&mut self, stored: Self) -> bool {
        let set = std::mem::replace(self, stored).agent_state;
        let is_newer = set.is_some();
        self.agent_state = set.or(self.agent_state.take());
        is_newer
    }

    /// Returns the change that stores the record of `connection`.
    pub(super) fn change(&self, connection: &ConnectionId) -> serde_json::Result<Change> {
        put(key(connection), self)
    }
}

/// Returns the change that stores how many callers hold a conversation; without holds its record is removed.
pub(super) fn hold_change(
    connection: &ConnectionId,
    conversation: &ConversationId,
    holds: usize,
) -> serde_json::Result<Change> {
    let key = key(connection).with(conversation.as_str());
    if holds == 0 { Ok(Change::Remove(Table::Notes, key)) } else { put(key, &Hold { holds }) }
}

/// Reads the records that the previous run stored for `connection`. Repeats the request until the store responds.
pub(super) async fn stored(journal: &Arc<Journal>, connection: &ConnectionId) -> StoredConnection {
    if !journal.keeps() {
        return StoredConnection::default();
    }
    // If only the connection was restarted, its last write may not be durable yet.
    journal.settled().await;
    loop {
        match read(journal, connection).await {
            Ok(stored) => return stored,
            Err(error) => {
                tracing::error!(%connection, %error, "the connection's records cannot be read; trying again");
            }
        }
        sleep(AGAIN_AFTER).await;
    }
}

/// Deletes the records of a connection that was removed, with the right to its duty. The records stay if somebody has taken
/// the duty since.
///
/// # Errors
/// [`StoreError`]; some records may stay.
pub(crate) async fn forget(
    journal: &Arc<Journal>,
    acting: Option<Acting>,
    connection: &ConnectionId,
) -> Result<(), StoreError> {
    let forgetting = forget_in_time(journal, acting, connection);
    let late = |_| StoreError::new("forget a connection", "the store did not answer in time");
    timeout(FORGOTTEN_WITHIN, forgetting).await.map_err(late)?
}

async fn forget_in_time(
    journal: &Arc<Journal>,
    acting: Option<Acting>,
    connection: &ConnectionId,
) -> Result<(), StoreError> {
    if !journal.keeps() {
        return Ok(());
    }
    journal.settled().await;
    let prefixes = [
        (Table::Notes, key(connection)),
        (Table::Notes, identity_key(connection)),
        (Table::Inbox, RecordKey::of(&[connection.as_str()])),
    ];
    for (table, prefix) in prefixes {
        loop {
            let prefix = prefix.clone();
            let records = journal.read(move |store| store.scan(table, &prefix, None, FORGOTTEN_TOGETHER)).await?;
            if records.is_empty() {
                break;
            }
            let changes = records.into_iter().map(|record| Change::Remove(table, record.key)).collect();
            match journal.keep_for(acting.clone(), changes).await {
                Ok(_) => {}
                Err(CommitError::Lost(_)) => return Ok(()),
                Err(error) => return Err(StoreError::new("forget a connection", error)),
            }
        }
    }
    Ok(())
}

async fn read(journal: &Journal, connection: &ConnectionId) -> Result<StoredConnection, StoreError> {
    let own = key(connection);
    let records = pages(journal, Table::Notes, own.clone(), |record| Some(record.clone())).await?;
    let mut stored = StoredConnection::default();
    for Record { key, value, .. } in records {
        let read = match conversation_of(&key) {
            None => serde_json::from_slice(&value).map(|record| stored.record = record),
            Some(conversation) => {
                serde_json::from_slice(&value).map(|Hold { holds }| stored.holds.push((conversation, holds)))
            }
        };
        if let Err(error) = read {
            tracing::error!(%connection, ?key, %error, "a record of the connection is malformed and is not used");
        }
    }
    Ok(stored)
}

fn key(connection: &ConnectionId) -> RecordKey {
    RecordKey::of(&[KIND, connection.as_str()])
}

/// The key of the record with the identity of the consumer of `connection`.
pub(super) fn identity_key(connection: &ConnectionId) -> RecordKey {
    RecordKey::of(&[IDENTITY, connection.as_str()])
}

fn conversation_of(key: &RecordKey) -> Option<ConversationId> {
    key.parts()?.into_iter().nth(2).map(ConversationId::from)
}

fn put(key: RecordKey, value: &impl Serialize) -> serde_json::Result<Change> {
    let value = serde_json::to_vec(value)?;
    Ok(Change::Put(Table::Notes, Record::new(key, value)))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use crate::{
        core::placement::DutyName,
        engine::{MemoryStore, Retention, Store, Table},
    };

    use super::*;

    #[tokio::test]
    async fn the_records_of_a_connection_that_was_added_again_stay() {
        let store = Arc::new(MemoryStore::shared(NonZeroUsize::MAX, 1).remove(0));
        let journal = Journal::start(Arc::clone(&store) as Arc<dyn Store>, Retention::default()).unwrap();
        let id = ConnectionId::from("bots-1");
        let take = async || journal.cluster().take(DutyName::Connection(id.clone())).await.unwrap();
        let removed = take().await;
        // Added again while its predecessor is being removed: the new one writes its own record.
        let added = take().await;
        let keys = [key(&id), identity_key(&id)];
        let records = keys.clone().map(|key| Change::Put(Table::Notes, Record::new(key, "{}")));
        journal.keep_for(Some(added.clone()), records.into()).await.unwrap();
        let kept = || keys.each_ref().map(|key| store.get(Table::Notes, key).unwrap().is_some());
        forget(&journal, Some(removed), &id).await.unwrap();
        assert_eq!(kept(), [true, true]);
        forget(&journal, Some(added), &id).await.unwrap();
        assert_eq!(kept(), [false, false]);
        journal.close();
    }

    #[test]
    fn a_set_state_holds_until_another_state_is_configured() {
        let (online, away) = (AgentState::Online, AgentState::Away);
        let mut record = ConnectionRecord::default();
        record.set_agent_state(away.clone(), Some(online.clone()));
        assert_eq!(record.agent_state(Some(&online)), Some(&away));
        assert_eq!(record.agent_state(None), None);
        assert_eq!(record.agent_state(Some(&away)), None);
    }

    #[test]
    fn what_was_set_before_the_record_was_read_is_newer_than_the_record() {
        let of = |state: AgentState, stepped_up: Option<&str>| {
            let stepped_up = stepped_up.map(UserId::from);
            let mut record = ConnectionRecord { stepped_up, ..ConnectionRecord::default() };
            record.set_agent_state(state, None);
            record
        };
        let mut record = of(AgentState::Away, None);
        assert!(record.take_up(of(AgentState::Online, Some("anna"))));
        assert_eq!(record, of(AgentState::Away, Some("anna")));
        let mut record = ConnectionRecord::default();
        assert!(!record.take_up(of(AgentState::Online, Some("anna"))));
        assert_eq!(record, of(AgentState::Online, Some("anna")));
    }

    #[test]
    fn a_record_of_a_later_or_earlier_format_is_read() {
        let read = |text: &str| serde_json::from_str::<ConnectionRecord>(text).unwrap();
        assert_eq!(read("{}"), ConnectionRecord::default());
        let read = read(r#"{"steppedUp":"anna","agentState":{"state":"AWAY"},"later":1}"#);
        assert_eq!((&read.stepped_up, read.agent_state(None)), (&Some("anna".into()), Some(&AgentState::Away)));
    }
}
