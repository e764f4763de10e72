//! Opens the database for one node: checks and migrates it, and joins the cluster.

use std::{io, sync::Arc, thread, time::Duration};

use secrecy::ExposeSecret as _;
use tertulia_actors::{
    core::{
        id::NodeId,
        tenure::{Beat, LeaseDuration, NodeEpoch},
    },
    engine::Tenure,
};

use super::{
    PostgresCluster, PostgresNodes, PostgresStore, UrlError,
    connect::Address,
    migrate::{Condition, look, migrate},
    name_watch::{NameStep, NameWatch},
    session::{CallError, Session},
};
use crate::{cluster::NodeAbout, config::PostgresEngine};

/// How often the beat of a node with the same name is looked at while this one waits for its end.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A node that has joined.
pub struct PostgresParts {
    /// The log and the records.
    pub store: Arc<PostgresStore>,
    /// The tables of nodes and duties.
    pub nodes: Arc<PostgresNodes>,
    /// The duties and logins of this node.
    pub cluster: Arc<PostgresCluster>,
    /// The right to act.
    pub tenure: Tenure,
}

/// Why a database could not be opened.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address cannot be used.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The database does not answer, or refuses the user.
    #[error("the database cannot be reached: {reason}")]
    Unreachable {
        /// The reason.
        reason: String,
    },
    /// The server is too old.
    #[error("the database is Postgres {version}; 15 or newer is needed")]
    TooOld {
        /// Its version.
        version: i32,
    },
    /// The server may lose what it has acknowledged.
    #[error("the database has fsync = off: a crash of its machine would lose acknowledged messages")]
    NotDurable,
    /// The schema needs a newer program.
    #[error("the schema of the database needs a newer version of this program (form {needs}; this one knows {ours})")]
    NewerSchema {
        /// The form that a program must know.
        needs: i32,
        /// The newest form that this program knows.
        ours: i32,
    },
    /// The schema could not be brought to this version's form.
    #[error("migration {number} of the schema failed: {reason}")]
    NotMigrated {
        /// The migration.
        number: i32,
        /// What the database said.
        reason: String,
    },
    /// Another process runs as a node of the same name.
    #[error("the node name {name} is taken by the process at {holder}; give each node its own node.name")]
    NameTaken {
        /// The name.
        name: NodeId,
        /// How other nodes reach the process that has the name, and since when it runs.
        holder: String,
    },
    /// The system refused a thread or what a session needs.
    #[error("a session to the database cannot be prepared")]
    System(#[from] io::Error),
}

impl OpenError {
    pub(super) fn unreachable(error: CallError) -> Self {
        Self::Unreachable { reason: error.to_string() }
    }

    /// Whether the same attempt may succeed later without a change of the configuration.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::System(_))
    }
}

/// Opens the database of `engine` as the node `name`. Waits at most about a lease for the end of a node of this name. Blocks;
/// must not be called on the thread of an async runtime.
///
/// # Errors
/// [`OpenError`].
pub fn open(engine: &PostgresEngine, name: &NodeId, about: &NodeAbout) -> Result<PostgresParts, OpenError> {
    let address = Arc::new(Address::parse(engine.url.expose_secret(), &engine.schema)?);
    let mut session = Session::new(&address, "nodes")?;
    migrate(&mut session, &address)?;
    let text = serde_json::to_string(about).unwrap_or_default();
    let (sent, epoch) = loop {
        await_end(&mut session, name, engine.lease)?;
        let sent = Tenure::now();
        let joined = session
            .call(async |live| live.one("SELECT join_node($1, $2)", &[&name.as_str(), &text]).await)
            .map_err(OpenError::unreachable)?;
        // Nothing is returned if another process has joined under this name meanwhile.
        if let Some(epoch) = joined.get::<_, Option<i64>>(0) {
            break (sent, NodeEpoch(u64::try_from(epoch).unwrap_or_default()));
        }
    };
    tracing::info!(node = %name, epoch = epoch.0, "joined the cluster");
    let tenure = Tenure::joined(engine.lease, sent);
    let cluster = Arc::new(PostgresCluster::start(&address, name, epoch, tenure.clone())?);
    let store = Arc::new(PostgresStore::start(&address, name, epoch, tenure.clone(), Arc::clone(&cluster))?);
    let nodes = Arc::new(PostgresNodes::new(session, Session::new(&address, "beats")?, name.clone(), epoch));
    Ok(PostgresParts { store, nodes, cluster, tenure })
}

/// Checks a database without changing it: whether it answers, its version, whether it is durable, and its schema.
///
/// # Errors
/// [`OpenError`].
pub fn check(engine: &PostgresEngine) -> Result<(), OpenError> {
    let address = Arc::new(Address::parse(engine.url.expose_secret(), &engine.schema)?);
    let mut session = Session::new(&address, "check")?;
    let condition: Condition =
        session.call(async |live| look(live, &address.schema).await).map_err(OpenError::unreachable)?;
    condition.judge()?;
    let may_create = "SELECT has_database_privilege(current_database(), 'CREATE')";
    let may_write = "SELECT has_schema_privilege(current_schema(), 'CREATE, USAGE')";
    let sql = if condition.number == 0 { may_create } else { may_write };
    let row = session.call(async |live| live.one(sql, &[]).await).map_err(OpenError::unreachable)?;
    if row.get::<_, Option<bool>>(0) != Some(true) {
        return Err(OpenError::Unreachable { reason: format!("the user may not write to schema {}", address.schema) });
    }
    Ok(())
}

/// Waits until a node of the same name has left or was fenced. A node that did not leave may stand still; it may act again
/// when it wakes up, unless it was silent for a lease and fenced.
fn await_end(session: &mut Session, name: &NodeId, lease: LeaseDuration) -> Result<(), OpenError> {
    let (begun, mut watch, mut is_first) = (Tenure::now(), NameWatch::new(lease.get()), true);
    loop {
        let found = session
            .call(async |live| {
                let sql = "SELECT b.epoch, b.beat, b.about FROM beat b JOIN node n ON n.id = b.node \
                           WHERE b.node = $1 AND NOT b.ended AND NOT n.fenced";
                live.query(sql, &[&name.as_str()]).await
            })
            .map_err(OpenError::unreachable)?;
        let Some(row) = found.first() else { return Ok(()) };
        let (epoch, number): (i64, i64) = (row.get(0), row.get(1));
        let unsigned = |number: i64| u64::try_from(number).unwrap_or_default();
        let beat = Beat { epoch: NodeEpoch(unsigned(epoch)), number: unsigned(number) };
        if std::mem::take(&mut is_first) {
            tracing::warn!(node = %name, lease = ?lease.get(), "a node of this name did not leave; waiting for its end");
        }
        match watch.see(beat, Tenure::now().since(begun)) {
            NameStep::Wait => {}
            NameStep::Fence => {
                let sql = "SELECT fence_node($1, $2, $3)";
                session
                    .call(async |live| live.one(sql, &[&name.as_str(), &epoch, &number]).await)
                    .map_err(OpenError::unreachable)?;
            }
            NameStep::Taken => {
                return Err(OpenError::NameTaken { name: name.clone(), holder: holder(row.get(2)) });
            }
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Where a node is reached and since when it runs, by what it says about itself.
fn holder(about: &str) -> String {
    let Ok(NodeAbout { address, since, .. }) = serde_json::from_str(about) else {
        return "an unknown address".to_owned();
    };
    match jiff::Timestamp::from_millisecond(since) {
        Ok(since) => format!("{address}, which runs since {since:.0}"),
        Err(_) => address,
    }
}
