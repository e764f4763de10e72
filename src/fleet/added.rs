//! Connections that callers add while the service runs. Their definitions are stored, so that they exist again after a
//! restart. A definition that contains secrets is not stored, because the store must not hold them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tertulia_actors::{
    StartError, Tertulia,
    core::id::ConnectionId,
    engine::{Change, Record, RecordKey, Store, StoreError, Table},
};

use super::{Described, describe};
use crate::{
    cluster::{Duties, Runnable},
    config::{Admissible, Environment, Problem, Requested},
    reach::Reach,
};

/// The most added connections.
const MAX: usize = 10_000;
/// The first part of the keys of definitions among the store's notes.
const ROOM: &str = "connection";
const VERSION: u32 = 1;

/// A definition as stored.
#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    definition: Value,
}

/// The added connections, and the interface to add and remove them.
pub struct AddedConnections {
    tertulia: Arc<Tertulia>,
    admissible: Admissible,
    /// Set if other nodes may run what is added here.
    duties: Option<Arc<Duties>>,
}

/// An added connection.
#[derive(Debug)]
pub struct Adding {
    /// Its id.
    pub id: ConnectionId,
    /// Whether it exists again after a restart.
    pub is_kept: bool,
}

/// Why a connection was not added.
#[derive(Debug, thiserror::Error)]
pub enum AddConnectionError {
    /// The definition has mistakes; never empty.
    #[error("the connection's definition has mistakes")]
    Mistaken(Vec<Problem>),
    /// The caller does not reach a connection with this id.
    #[error("the token does not reach a connection with the id {0}")]
    OutOfReach(ConnectionId),
    /// A connection with this id exists.
    #[error("connection {0} already exists")]
    Taken(ConnectionId),
    /// The definition contains a secret, which the other nodes could not have.
    #[error("a definition that several nodes share must refer to its secrets instead of containing them")]
    SecretNotShared,
    /// The limit of added connections is reached.
    #[error("{MAX} connections already exist, which is the limit")]
    TooMany,
    /// The service is stopping.
    #[error("the service is stopping")]
    Stopped,
}

impl AddedConnections {
    /// An interface to add connections to `tertulia` that refer only to `admissible` secrets and proxies.
    #[must_use]
    pub fn new(tertulia: Arc<Tertulia>, admissible: Admissible) -> Self {
        Self { tertulia, admissible, duties: None }
    }

    /// The same interface at a node: which node runs an added connection follows from the plan.
    #[must_use]
    pub(crate) fn among(self, duties: Arc<Duties>) -> Self {
        Self { duties: Some(duties), ..self }
    }

    /// The connections that no node runs at the moment. Empty if this process is alone.
    pub(crate) fn unheld(&self) -> Vec<(ConnectionId, Described)> {
        self.duties.as_ref().map_or_else(Vec::new, |duties| duties.unheld())
    }

    /// What a stored definition describes; `None` if it has mistakes, which are logged, such as a secret that is missing
    /// here.
    pub(crate) fn runnable(
        definition: &Value,
        environment: &Environment,
        admissible: &Admissible,
    ) -> Option<(ConnectionId, Runnable)> {
        match Requested::parse(definition, environment, admissible) {
            Ok(Requested { connection, .. }) => {
                let runnable = Runnable { described: describe(&connection), settings: connection.nodes.clone() };
                Some((connection.id.as_str().into(), runnable))
            }
            Err(problems) => {
                log_mistakes(definition["id"].as_str().unwrap_or_default(), &problems);
                None
            }
        }
    }

    /// Adds the connection of `definition`, which has the form of `[[connections]]` in the configuration; a secret may
    /// also be written as text. The connection must be within the caller's `reach`. When this returns, the definition is
    /// durable.
    ///
    /// # Errors
    /// [`AddConnectionError`].
    pub async fn add(
        &self,
        definition: Value,
        environment: &Environment,
        reach: &Reach,
    ) -> Result<Adding, AddConnectionError> {
        let admissible = self.admissible.clone().within(reach);
        let requested =
            Requested::parse(&definition, environment, &admissible).map_err(AddConnectionError::Mistaken)?;
        if !reach.sees(&requested.connection.id) {
            return Err(AddConnectionError::OutOfReach(requested.connection.id.as_str().into()));
        }
        if self.tertulia.connections().len() >= MAX {
            return Err(AddConnectionError::TooMany);
        }
        let id = ConnectionId::from(requested.connection.id.as_str());
        if let Some(duties) = &self.duties {
            return self.add_among(duties, id, requested, definition).await;
        }
        begin(&self.tertulia, &requested)?;
        let is_kept = !requested.has_written_secrets;
        if is_kept {
            let kept = serde_json::to_vec(&Kept { version: VERSION, definition }).unwrap_or_default();
            self.change(Change::Put(Table::Notes, Record::new(key(&id), kept))).await?;
        }
        Ok(Adding { id, is_kept })
    }

    async fn add_among(
        &self,
        duties: &Arc<Duties>,
        id: ConnectionId,
        requested: Requested,
        definition: Value,
    ) -> Result<Adding, AddConnectionError> {
        if requested.has_written_secrets {
            return Err(AddConnectionError::SecretNotShared);
        }
        if duties.knows(&id) {
            return Err(AddConnectionError::Taken(id));
        }
        let kept = serde_json::to_vec(&Kept { version: VERSION, definition }).unwrap_or_default();
        // Two nodes may be asked at the same time.
        let made = self.tertulia.journal().keep(vec![Change::PutNew(Table::Notes, Record::new(key(&id), kept))]).await;
        if !made.map_err(|_| AddConnectionError::Stopped)?.not_new.is_empty() {
            return Err(AddConnectionError::Taken(id));
        }
        let connection = &requested.connection;
        let runnable = Runnable { described: describe(connection), settings: connection.nodes.clone() };
        if let Err(error) = duties.add(id.clone(), runnable).await {
            tracing::warn!(connection = %id, %error, "an added connection is not known to the other nodes yet");
        }
        Ok(Adding { id, is_kept: true })
    }

    /// Ends a connection and deletes its definition; `false` if it does not exist. A connection of the configuration
    /// exists again after a restart.
    ///
    /// # Errors
    /// [`AddConnectionError::Stopped`]: the definition could not be deleted, and the connection goes on.
    pub async fn remove(&self, id: &ConnectionId) -> Result<bool, AddConnectionError> {
        if self.tertulia.connection(id).status().is_none() {
            return Ok(false);
        }
        self.change(Change::Remove(Table::Notes, key(id))).await?;
        if let Err(error) = self.tertulia.connection(id).remove().await {
            tracing::error!(connection = %id, %error, "the records of a removed connection cannot be deleted");
        }
        if let Some(duties) = &self.duties
            && let Err(error) = duties.remove(id).await
        {
            tracing::warn!(connection = %id, %error, "the other nodes do not know yet that a connection was removed");
        }
        Ok(true)
    }

    async fn change(&self, change: Change) -> Result<(), AddConnectionError> {
        self.tertulia.journal().keep(vec![change]).await.map(drop).map_err(|_| AddConnectionError::Stopped)
    }

    /// The stored definitions of the previous run. May block.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) fn kept(store: &dyn Store) -> Result<Vec<Value>, StoreError> {
        let records = store.scan(Table::Notes, &RecordKey::of(&[ROOM]), None, MAX)?;
        let read = |record: &Record| serde_json::from_slice::<Kept>(&record.value).ok();
        Ok(records.iter().filter_map(read).map(|kept| kept.definition).collect())
    }

    /// Adds the connections of the previous run. A connection that cannot be added, for example because its secret is
    /// missing, is logged and tried again at the next start.
    pub(crate) fn resume(&self, definitions: &[Value], environment: &Environment) {
        for definition in definitions {
            let connection = definition["id"].as_str().unwrap_or_default();
            let begun = match Requested::parse(definition, environment, &self.admissible) {
                Ok(requested) => begin(&self.tertulia, &requested),
                Err(problems) => Err(AddConnectionError::Mistaken(problems)),
            };
            match begun {
                Ok(()) => {}
                Err(AddConnectionError::Mistaken(problems)) => log_mistakes(connection, &problems),
                Err(error) => {
                    tracing::error!(connection, %error, "a connection that was added over HTTP cannot be restored")
                }
            }
        }
    }
}

fn log_mistakes(connection: &str, problems: &[Problem]) {
    for Problem { path, message, .. } in problems {
        tracing::error!(connection, path, message, "a connection that was added over HTTP cannot be restored");
    }
}

fn begin(tertulia: &Tertulia, requested: &Requested) -> Result<(), AddConnectionError> {
    let begun = match describe(&requested.connection) {
        Described::Socket(settings) => tertulia.connect(*settings),
        Described::Webhooks(settings) => tertulia.connect_intake(*settings),
    };
    begun.map(drop).map_err(|error| match error {
        StartError::DuplicateConnection(id) => AddConnectionError::Taken(id),
        _ => AddConnectionError::Stopped,
    })
}

fn key(id: &ConnectionId) -> RecordKey {
    RecordKey::of(&[ROOM, id.as_str()])
}
