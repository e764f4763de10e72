//! The front of what agents look up beside talking: shifts, skills, statistics, profiles.

use std::time::Duration;

use actix::Arbiter;
use secrecy::SecretString;
use serde_json::Value;
use tertulia_core::id::{ConnectionId, UserId};
use tokio::sync::oneshot;

use super::{Tertulia, answered};
use crate::{
    connection::{Lookup, LookupError, ShiftWatch},
    platform::{AgentProfile, AgentSession, HttpError, PlatformClient, ShiftStatus, Skill, StatisticsOf},
};

impl Tertulia {
    /// Whether the agents of each skill are at work.
    ///
    /// # Errors
    /// [`LookupError`].
    pub async fn shift_status(&self, connection: &ConnectionId) -> Result<Vec<ShiftStatus>, LookupError> {
        self.look_up(connection, |client, session| async move { client.shift_status(&session).await }).await
    }

    /// Tells when the agents of a skill begin or end their work (CN-F18), by asking about every `pause`; the SDK asks
    /// each minute. It ends when the result is dropped.
    ///
    /// # Errors
    /// [`LookupError`] where the first question has no answer.
    pub async fn watch_shifts(&self, connection: &ConnectionId, pause: Duration) -> Result<ShiftWatch, LookupError> {
        let first = self.shift_status(connection).await?;
        let address = self.socket(connection)?;
        let ask = move || {
            let (reply, answer) = oneshot::channel();
            let shifts = |client: PlatformClient, session| async move { client.shift_status(&session).await };
            address.do_send(Lookup::new(shifts, reply));
            answered(answer)
        };
        let (watch, asking) = ShiftWatch::begin(first, pause, ask);
        let placement = self.pool.place();
        let arbiter = placement.arbiter().cloned().unwrap_or_else(Arbiter::current);
        arbiter.spawn(async move {
            asking.await;
            drop(placement);
        });
        Ok(watch)
    }

    /// The token of the connection's agent (CN-F3), for what the library itself does not ask. It ends when the session
    /// does; ask anew for each use.
    ///
    /// # Errors
    /// [`LookupError`].
    pub async fn bearer(&self, connection: &ConnectionId) -> Result<SecretString, LookupError> {
        self.look_up(connection, |_, session| async move { Ok(session.bearer) }).await
    }

    /// The skills of the connection's account.
    ///
    /// # Errors
    /// [`LookupError`].
    pub async fn skills(&self, connection: &ConnectionId) -> Result<Vec<Skill>, LookupError> {
        self.look_up(connection, |client, session| async move { client.skills(&session).await }).await
    }

    /// How many messages wait and are answered, as the platform tells it (CN-F16).
    ///
    /// # Errors
    /// [`LookupError`].
    pub async fn message_statistics(&self, connection: &ConnectionId, of: StatisticsOf) -> Result<Value, LookupError> {
        self.look_up(connection, |client, session| async move { client.message_statistics(&session, &of).await }).await
    }

    /// Who the agent with this public id is to consumers.
    ///
    /// # Errors
    /// [`LookupError`].
    pub async fn agent_profile(&self, connection: &ConnectionId, agent: UserId) -> Result<AgentProfile, LookupError> {
        self.look_up(connection, |client, _| async move { client.agent_profile(&agent).await }).await
    }

    async fn look_up<T, F>(
        &self,
        connection: &ConnectionId,
        ask: impl FnOnce(PlatformClient, AgentSession) -> F + Send + 'static,
    ) -> Result<T, LookupError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, HttpError>> + 'static,
    {
        self.ask(connection, |address, reply| address.do_send(Lookup::new(ask, reply))).await
    }
}
