//! Connections that callers add while the service runs. Their definitions are kept, so that they are there again after a
//! restart; one whose secrets were written into it is not, because secrets are not kept here.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tertulia_actors::{
    StartError, Tertulia,
    core::id::ConnectionId,
    engine::{Change, Record, RecordKey, Step, Store, StoreError, Table},
};

use super::{Described, describe};
use crate::config::{Admissible, Environment, Problem, Requested};

/// Connections that may be added.
const MAX: usize = 10_000;
/// The first part of their keys among the store's notes.
const ROOM: &str = "connection";
const VERSION: u32 = 1;

/// A definition as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    definition: Value,
}

/// The connections that were added, and the way to add and remove some.
pub struct AddedConnections {
    tertulia: Arc<Tertulia>,
    admissible: Admissible,
}

/// What was added.
#[derive(Debug)]
pub struct Adding {
    /// Its name.
    pub id: ConnectionId,
    /// Whether it is there again after a restart.
    pub is_kept: bool,
}

/// Why a connection was not added.
#[derive(Debug, thiserror::Error)]
pub enum AddConnectionError {
    /// Its definition is mistaken; never empty.
    #[error("the connection's definition has mistakes")]
    Mistaken(Vec<Problem>),
    /// There is one of that name.
    #[error("connection {0} already exists")]
    Taken(ConnectionId),
    /// There are too many.
    #[error("{MAX} connections already exist, which is the limit")]
    TooMany,
    /// The service ends.
    #[error("the service is stopping")]
    Stopped,
}

impl AddedConnections {
    /// The way to add connections to `tertulia`, which refer only to what is `admissible`.
    #[must_use]
    pub fn new(tertulia: Arc<Tertulia>, admissible: Admissible) -> Self {
        Self { tertulia, admissible }
    }

    /// Adds the connection that `definition` describes as `[[connections]]` does in the configuration, where a secret may
    /// also be written as text. It is kept when this returns.
    ///
    /// # Errors
    /// [`AddConnectionError`].
    pub async fn add(&self, definition: Value, environment: &Environment) -> Result<Adding, AddConnectionError> {
        let requested =
            Requested::parse(&definition, environment, &self.admissible).map_err(AddConnectionError::Mistaken)?;
        if self.tertulia.connections().len() >= MAX {
            return Err(AddConnectionError::TooMany);
        }
        let id = ConnectionId::from(requested.connection.id.as_str());
        begin(&self.tertulia, &requested)?;
        let is_kept = !requested.has_written_secrets;
        if is_kept {
            let kept = serde_json::to_vec(&Kept { version: VERSION, definition }).unwrap_or_default();
            self.change(Change::Put(Table::Notes, Record { key: key(&id), value: kept.into() })).await;
        }
        Ok(Adding { id, is_kept })
    }

    /// Ends a connection and forgets its definition. One of the configuration is there again after a restart. `false`
    /// where there is none.
    pub async fn remove(&self, id: &ConnectionId) -> bool {
        if self.tertulia.status(id).is_none() {
            return false;
        }
        self.change(Change::Remove(Table::Notes, key(id))).await;
        self.tertulia.disconnect(id).await;
        true
    }

    async fn change(&self, change: Change) {
        let journal = self.tertulia.journal();
        journal.append(0, |_| Step { changes: vec![change], ..Step::default() });
        journal.settled().await;
    }

    /// What an earlier life of the process added, as far as `store` can be read. May block.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) fn kept(store: &dyn Store) -> Result<Vec<Value>, StoreError> {
        let records = store.scan(Table::Notes, &RecordKey::of(&[ROOM]), None, MAX)?;
        let read = |record: &Record| serde_json::from_slice::<Kept>(&record.value).ok();
        Ok(records.iter().filter_map(read).map(|kept| kept.definition).collect())
    }

    /// Adds what an earlier life added. What cannot be added now, because a secret of it is not there any more, is told
    /// in the log, and tried again at the next start.
    pub(crate) fn resume(&self, definitions: &[Value], environment: &Environment) {
        for definition in definitions {
            let connection = definition["id"].as_str().unwrap_or_default();
            let begun = match Requested::parse(definition, environment, &self.admissible) {
                Ok(requested) => begin(&self.tertulia, &requested),
                Err(problems) => Err(AddConnectionError::Mistaken(problems)),
            };
            match begun {
                Ok(()) => {}
                Err(AddConnectionError::Mistaken(problems)) => {
                    for problem in problems {
                        let (path, message) = (&problem.path, &problem.message);
                        tracing::error!(
                            connection,
                            path,
                            message,
                            "a connection that was added over HTTP cannot be restored"
                        );
                    }
                }
                Err(error) => {
                    tracing::error!(connection, %error, "a connection that was added over HTTP cannot be restored")
                }
            }
        }
    }
}

fn begin(tertulia: &Tertulia, requested: &Requested) -> Result<(), AddConnectionError> {
    let begun = match describe(&requested.connection) {
        Described::Socket(settings) => tertulia.connect(*settings),
        Described::Webhooks(settings) => tertulia.connect_intake(*settings),
    };
    begun.map_err(|error| match error {
        StartError::DuplicateConnection(id) => AddConnectionError::Taken(id),
        _ => AddConnectionError::Stopped,
    })
}

fn key(id: &ConnectionId) -> RecordKey {
    RecordKey::of(&[ROOM, id.as_str()])
}
