//! What agents do apart from messages: offers, the agent's state, and lookups of shifts, skills, statistics and
//! profiles.

use std::time::Duration;

use actix::Arbiter;
use secrecy::SecretString;
use serde_json::Value;
use tertulia_core::{
    id::{RingId, UserId},
    ums::AgentState,
};
use tokio::{sync::oneshot, time::timeout};

use super::{ConnectionHandle, PATIENCE, answered};
use crate::{
    connection::{AcceptRing, AnswerRing, ListRings, Lookup, LookupError, RingError, SetAgentState, ShiftWatch},
    conversation::ConversationHandle,
    platform::{AgentProfile, AgentSession, HttpError, PlatformClient, ShiftStatus, Skill, StatisticsOf},
    request::RequestFailure,
    subscriber::Offer,
};

impl ConnectionHandle {
    /// Returns for each skill whether its agents are at work.
    ///
    /// # Errors
    /// [`LookupError`].
    pub async fn shift_status(&self) -> Result<Vec<ShiftStatus>, LookupError> {
        self.look_up(|client, session| async move { client.shift_status(&session).await }).await
    }

    /// Reports when the agents of a skill begin or end their work ([CN-F18](crate::rules#cn-f18)). Asks the platform
    /// about every `pause`; the SDK asks each minute. Ends when the returned watch is dropped.
    ///
    /// # Errors
    /// [`LookupError`] if the first request fails.
    pub async fn watch_shifts(&self, pause: Duration) -> Result<ShiftWatch, LookupError> {
        let first = self.shift_status().await?;
        let address = self.socket()?;
        let ask = move || {
            let (reply, answer) = oneshot::channel();
            let shifts = |client: PlatformClient, session| async move { client.shift_status(&session).await };
            address.do_send(Lookup::new(shifts, reply));
            answered(answer)
        };
        let (watch, asking) = ShiftWatch::begin(first, pause, ask);
        let placement = self.system.pool.place();
        let arbiter = placement.arbiter().cloned().unwrap_or_else(Arbiter::current);
        arbiter.spawn(async move {
            asking.await;
            drop(placement);
        });
        Ok(watch)
    }

    /// Returns the token of the connection's agent, for requests that the library does not offer
    /// ([CN-F3](crate::rules#cn-f3)). The token ends with the session, so call this before each use.
    ///
    /// # Errors
    /// [`LookupError`].
    pub async fn bearer(&self) -> Result<SecretString, LookupError> {
        self.look_up(|_, session| async move { Ok(session.bearer) }).await
    }

    /// Returns the skills of the connection's account.
    ///
    /// # Errors
    /// [`LookupError`].
    pub async fn skills(&self) -> Result<Vec<Skill>, LookupError> {
        self.look_up(|client, session| async move { client.skills(&session).await }).await
    }

    /// Returns how many messages wait and are answered, as the platform reports it ([CN-F16](crate::rules#cn-f16)).
    ///
    /// # Errors
    /// [`LookupError`].
    pub async fn message_statistics(&self, of: StatisticsOf) -> Result<Value, LookupError> {
        self.look_up(|client, session| async move { client.message_statistics(&session, &of).await }).await
    }

    /// Returns the profile that consumers see of the agent with this public id.
    ///
    /// # Errors
    /// [`LookupError`].
    pub async fn agent_profile(&self, agent: UserId) -> Result<AgentProfile, LookupError> {
        self.look_up(|client, _| async move { client.agent_profile(&agent).await }).await
    }

    /// Returns the open offers to a connection; a connection without a socket has none.
    pub async fn rings(&self) -> Vec<Offer> {
        let Ok(address) = self.socket() else { return Vec::new() };
        timeout(PATIENCE, address.send(ListRings)).await.ok().and_then(Result::ok).unwrap_or_default()
    }

    /// Accepts or declines an offer.
    ///
    /// # Errors
    /// [`RequestFailure`].
    pub async fn answer_ring(&self, ring_id: RingId, accept: bool) -> Result<(), RequestFailure> {
        self.ask(|address, reply| address.do_send(AnswerRing { ring_id, accept, reply })).await
    }

    /// Accepts an offer and waits for its conversation ([RG-4](crate::rules#rg-4)), in total at most `within`.
    ///
    /// # Errors
    /// [`RingError`].
    pub async fn accept_ring(&self, ring_id: RingId, within: Duration) -> Result<ConversationHandle, RingError> {
        let (reply, arrived) = oneshot::channel();
        self.socket()?.do_send(AcceptRing { ring_id, reply });
        let id = match timeout(within, arrived).await {
            Ok(Ok(outcome)) => outcome?,
            Ok(Err(_)) => return Err(RequestFailure::ConnectionLost.into()),
            Err(_) => return Err(RingError::NotArrived),
        };
        self.conversation(&id).ok_or(RingError::NotArrived)
    }

    /// Sets an agent's state, now and after each reconnect ([CN-F9](crate::rules#cn-f9)).
    ///
    /// # Errors
    /// [`RequestFailure`].
    pub async fn set_agent_state(&self, agent_state: AgentState) -> Result<(), RequestFailure> {
        self.ask(|address, reply| address.do_send(SetAgentState { agent_state, reply })).await
    }

    async fn look_up<T, F>(
        &self,
        ask: impl FnOnce(PlatformClient, AgentSession) -> F + Send + 'static,
    ) -> Result<T, LookupError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, HttpError>> + 'static,
    {
        self.ask(|address, reply| address.do_send(Lookup::new(ask, reply))).await
    }
}
