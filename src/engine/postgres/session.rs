//! A session to the database, for callers that may block. Every call has a deadline.

use std::{
    collections::HashMap,
    error::Error as _,
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tertulia_actors::engine::StoreError;
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
    time::timeout,
};
use tokio_postgres::{Client, Row, Statement, error::SqlState, types::ToSql};

use super::connect::{Address, Encryption, OPEN_WITHIN};

/// How long the server may work on one statement.
pub(super) const STATEMENT_WITHIN: Duration = Duration::from_secs(5);
/// How long a call may take, a slow server included.
const CALL_WITHIN: Duration = Duration::from_secs(8);
/// The code with which a function says that this node was fenced.
const FENCED: &str = "TF001";

/// A parameter of a statement.
pub(super) type Parameter<'a> = &'a (dyn ToSql + Sync);

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// This node was fenced, or its row is gone.
    #[error("this node was fenced")]
    Fenced,
    /// The server did not answer in time. It is unknown whether the call took effect.
    #[error("no answer within {CALL_WITHIN:?}")]
    Late,
    /// The server could not be reached, or it refused the statement.
    #[error("{}", described(.0))]
    Database(tokio_postgres::Error),
    /// The server answered something that this version does not understand.
    #[error("an unexpected answer: {0}")]
    Unexpected(&'static str),
}

fn described(error: &tokio_postgres::Error) -> String {
    match (error.as_db_error(), error.source()) {
        (Some(refused), _) => refused.message().to_owned(),
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    }
}

impl From<tokio_postgres::Error> for CallError {
    fn from(error: tokio_postgres::Error) -> Self {
        if error.code().is_some_and(|code| code.code() == FENCED) { Self::Fenced } else { Self::Database(error) }
    }
}

impl CallError {
    pub(super) fn of(self, operation: &'static str) -> StoreError {
        StoreError::new(operation, self)
    }

    /// Whether the server refused the call for a reason that lasts, and not because of its load, its end or a lost session.
    pub(super) fn is_lasting(&self) -> bool {
        match self {
            Self::Database(error) => error.code().is_some_and(|code| !is_passing(code.code())),
            Self::Unexpected(_) => true,
            Self::Fenced | Self::Late => false,
        }
    }

    /// Whether the session can be used after this error.
    fn leaves_session_usable(&self) -> bool {
        match self {
            Self::Fenced | Self::Unexpected(_) => true,
            Self::Late => false,
            // Refused by the server, unless the server is ending the session.
            Self::Database(error) => error.code().is_some_and(|code| {
                !matches!(
                    *code,
                    SqlState::ADMIN_SHUTDOWN
                        | SqlState::CRASH_SHUTDOWN
                        | SqlState::CANNOT_CONNECT_NOW
                        | SqlState::READ_ONLY_SQL_TRANSACTION
                )
            }),
        }
    }
}

/// Whether a code of the server is of a class that passes: of the connection, of a transaction that others interfered with, of
/// resources, of an object in use, of an operator, or of the system.
fn is_passing(code: &str) -> bool {
    const PASSING: [&str; 6] = ["08", "40", "53", "55", "57", "58"];
    code.get(..2).is_some_and(|class| PASSING.contains(&class))
}

/// A session that is opened when it is needed, and again after it was lost.
pub(super) struct Session {
    address: Arc<Address>,
    /// Shown by the server, in its list of sessions.
    name: String,
    /// Set until the session is dropped.
    runtime: Option<Runtime>,
    live: Option<Live>,
}

impl Drop for Session {
    /// The last owner may be a task of another runtime, which must not wait for this one.
    fn drop(&mut self) {
        self.live = None;
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// An open session.
pub(super) struct Live {
    client: Client,
    statements: Mutex<HashMap<&'static str, Statement>>,
    driver: JoinHandle<()>,
}

impl Drop for Live {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Live {
    /// Runs a statement, which is prepared once for the session.
    pub(super) async fn query(&self, sql: &'static str, with: &[Parameter<'_>]) -> Result<Vec<Row>, CallError> {
        let prepared = self.statements().get(sql).cloned();
        let statement = match prepared {
            Some(statement) => statement,
            None => {
                let statement = self.client.prepare(sql).await?;
                self.statements().insert(sql, statement.clone());
                statement
            }
        };
        Ok(self.client.query(&statement, with).await?)
    }

    /// Runs a statement that returns one row.
    pub(super) async fn one(&self, sql: &'static str, with: &[Parameter<'_>]) -> Result<Row, CallError> {
        self.query(sql, with).await?.pop().ok_or(CallError::Unexpected("no row"))
    }

    /// Runs a text of several statements.
    pub(super) async fn batch(&self, sql: &str) -> Result<(), CallError> {
        Ok(self.client.batch_execute(sql).await?)
    }

    fn statements(&self) -> MutexGuard<'_, HashMap<&'static str, Statement>> {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Session {
    /// Returns a session that is not opened yet.
    ///
    /// # Errors
    /// The system refused what a runtime needs.
    pub(super) fn new(address: &Arc<Address>, name: &str) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self { address: Arc::clone(address), name: format!("tertulia {name}"), runtime: Some(runtime), live: None })
    }

    /// Calls the database. A lost session is opened again first. Must not be called on the thread of an async runtime.
    ///
    /// # Errors
    /// [`CallError`].
    pub(super) fn call<T>(&mut self, call: impl AsyncFnOnce(&Live) -> Result<T, CallError>) -> Result<T, CallError> {
        self.call_within(CALL_WITHIN, call)
    }

    /// Calls the database like [`Self::call`], with another limit.
    ///
    /// # Errors
    /// [`CallError`].
    pub(super) fn call_within<T>(
        &mut self,
        within: Duration,
        call: impl AsyncFnOnce(&Live) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        if self.live.as_ref().is_some_and(|live| live.client.is_closed()) {
            self.live = None;
        }
        let live = match self.live.take() {
            Some(live) => live,
            None => self.open()?,
        };
        let made = self.run(async { timeout(within, call(&live)).await.unwrap_or(Err(CallError::Late)) });
        if made.as_ref().err().is_none_or(CallError::leaves_session_usable) {
            self.live = Some(live);
        }
        made
    }

    fn open(&self) -> Result<Live, CallError> {
        let mut config = self.address.config.clone();
        config.application_name(&self.name);
        let opening = async {
            let (client, driver) = match &self.address.encryption {
                Encryption::None(plain) => {
                    let (client, connection) = config.connect(*plain).await?;
                    (client, tokio::spawn(drive(connection)))
                }
                Encryption::Tls(tls) => {
                    let (client, connection) = config.connect(tls.clone()).await?;
                    (client, tokio::spawn(drive(connection)))
                }
            };
            let live = Live { client, statements: Mutex::default(), driver };
            let limit = STATEMENT_WITHIN.as_millis();
            live.batch(&format!(
                "SET search_path TO {}; SET synchronous_commit = on; SET statement_timeout = {limit}; \
                 SET idle_in_transaction_session_timeout = {limit}; SET client_min_messages = warning",
                self.address.schema
            ))
            .await?;
            Ok(live)
        };
        self.run(async { timeout(OPEN_WITHIN, opening).await.unwrap_or(Err(CallError::Late)) })
    }

    fn run<T>(&self, work: impl Future<Output = Result<T, CallError>>) -> Result<T, CallError> {
        self.runtime.as_ref().ok_or(CallError::Late)?.block_on(work)
    }
}

/// Runs the connection of a session until it ends. The client reports why it ended.
async fn drive(connection: impl Future<Output = Result<(), tokio_postgres::Error>>) {
    if let Err(error) = connection.await {
        tracing::debug!(error = described(&error), "a session to the database ended");
    }
}

/// Sessions for concurrent callers.
#[derive(Debug)]
pub(super) struct Sessions {
    idle: Mutex<Vec<Session>>,
    returned: std::sync::Condvar,
}

impl Sessions {
    pub(super) fn new(sessions: Vec<Session>) -> Self {
        Self { idle: Mutex::new(sessions), returned: std::sync::Condvar::new() }
    }

    /// Calls the database on an idle session, and waits for one if all are in use, as long as a call may take.
    ///
    /// # Errors
    /// [`CallError`].
    pub(super) fn call<T>(&self, call: impl AsyncFnOnce(&Live) -> Result<T, CallError>) -> Result<T, CallError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.returned.wait_timeout_while(idle, CALL_WITHIN, |idle| idle.is_empty());
        let session = waited.unwrap_or_else(PoisonError::into_inner).0.pop().ok_or(CallError::Late)?;
        let mut lent = Lent { sessions: self, session: Some(session) };
        lent.session.as_mut().ok_or(CallError::Late)?.call(call)
    }
}

/// A session in use. Returned even if the caller panics.
struct Lent<'a> {
    sessions: &'a Sessions,
    session: Option<Session>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.sessions.idle.lock().unwrap_or_else(PoisonError::into_inner).extend(self.session.take());
        self.sessions.returned.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_by_the_schema_or_its_rights_lasts_and_one_by_the_state_of_the_server_passes() {
        let (denied, exists, timeout, ending) = (
            SqlState::INSUFFICIENT_PRIVILEGE,
            SqlState::DUPLICATE_TABLE,
            SqlState::QUERY_CANCELED,
            SqlState::ADMIN_SHUTDOWN,
        );
        for (code, is_so) in [(denied, false), (exists, false), (timeout, true), (ending, true)] {
            assert_eq!(is_passing(code.code()), is_so, "{code:?}");
        }
    }
}
