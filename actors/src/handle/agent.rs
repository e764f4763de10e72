//! What agents do apart from messages: offers, the agent's state, and lookups of shifts, skills, statistics and
//! profiles.

use std::time::Duration;

use actix::Arbiter;
use secrecy::SecretString;
use serde_json::Value;
use tertulia_core::{
    id::{AgentId, RingId, UserId},
    ums::AgentState,
};
use tokio::{sync::oneshot, time::timeout};

use super::{ConnectionHandle, PATIENCE, SOCKET, answered};
use crate::{
    connection::{
        AcceptRing, AnswerRing, ConnectionError, ListRings, Lookup, RequestError, Role, SetAgentState, ShiftWatch,
    },
    conversation::ConversationHandle,
    platform::{AgentProfile, AgentSession, HttpError, PlatformClient, ShiftStatus, Skill},
    subscriber::Offer,
};

/// The role that has these methods.
const AGENT: &[Role] = &[Role::Agent];

impl ConnectionHandle {
    /// Returns for each skill whether its agents are at work.
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub async fn shift_status(&self) -> Result<Vec<ShiftStatus>, ConnectionError> {
        self.look_up("shift_status", |client, session| async move { client.shift_status(&session).await }).await
    }

    /// Reports when the agents of a skill begin or end their work ([CN-F18](crate::rules#cn-f18)). Asks the platform
    /// about every `pause`; the SDK asks each minute. Ends when the returned watch is dropped.
    ///
    /// # Errors
    /// [`ConnectionError`] if the first request fails.
    pub async fn watch_shifts(&self, pause: Duration) -> Result<ShiftWatch, ConnectionError> {
        let address = self.socket("watch_shifts", AGENT)?;
        let first = self.shift_status().await?;
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

    /// Returns the token of the connection's agent ([CN-F3](crate::rules#cn-f3)). The token ends with the session, so
    /// call this before each use. For an HTTP request to a service of the platform use [`Self::platform_request`], which
    /// adds the token itself.
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub async fn bearer(&self) -> Result<SecretString, ConnectionError> {
        self.look_up("bearer", |_, session| async move { Ok(session.bearer) }).await
    }

    /// Returns the skills of the connection's account.
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub async fn skills(&self) -> Result<Vec<Skill>, ConnectionError> {
        self.look_up("skills", |client, session| async move { client.skills(&session).await }).await
    }

    /// Returns how many messages of `agent`, or of the account, wait and are answered, as the platform reports it
    /// ([CN-F16](crate::rules#cn-f16)).
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub async fn message_statistics(&self, agent: Option<AgentId>) -> Result<Value, ConnectionError> {
        self.look_up("message_statistics", |client, session| async move {
            client.message_statistics(&session, agent.as_ref()).await
        })
        .await
    }

    /// Returns the profile that consumers see of the agent with this public id.
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub async fn agent_profile(&self, agent: UserId) -> Result<AgentProfile, ConnectionError> {
        self.look_up("agent_profile", |client, _| async move { client.agent_profile(&agent).await }).await
    }

    /// Returns the open offers to a connection; a connection without a socket has none.
    pub async fn rings(&self) -> Vec<Offer> {
        let Ok(address) = self.socket("rings", SOCKET) else { return Vec::new() };
        timeout(PATIENCE, address.send(ListRings)).await.ok().and_then(Result::ok).unwrap_or_default()
    }

    /// Accepts or declines an offer.
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub async fn answer_ring(&self, ring_id: RingId, accept: bool) -> Result<(), ConnectionError> {
        self.ask("answer_ring", AGENT, |address, reply| address.do_send(AnswerRing { ring_id, accept, reply })).await
    }

    /// Accepts an offer and waits for its conversation ([RG-4](crate::rules#rg-4)), in total at most `within`.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doctests/stage.rs"));
    /// # fn main() { stage::run(async |tertulia, emulator| {
    /// # use tertulia_actors::platform::AgentLogin;
    /// # let login = AgentLogin::Password { username: "bot1".into(), password: "secret".into() };
    /// # let settings = ConnectionSettings::bot("bots-1", "12345678", login);
    /// use std::time::Duration;
    /// use tertulia_actors::{
    ///     connection::{ConnectionSettings, Rings},
    ///     subscriber::{EventData, EventKind, Filter},
    /// };
    ///
    /// let mut offers = tertulia.events(Filter::everything().kind(EventKind::Ring));
    /// let bot = tertulia.connect(ConnectionSettings { rings: Rings::Manual, ..settings })?;
    /// # bot.ready(Duration::from_secs(30)).await?;
    /// # emulator.create_conversation(None, None);
    /// let event = offers.next().await.ok_or("the system was stopped")??;
    /// if let EventData::Ring(offer) = &event.data {
    ///     let conversation = bot.accept_ring(offer.ring_id.clone(), Duration::from_secs(20)).await?;
    ///     conversation.send_text("Hello!").await?;
    /// }
    /// # Ok(())
    /// # }) }
    /// ```
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub async fn accept_ring(&self, ring_id: RingId, within: Duration) -> Result<ConversationHandle, ConnectionError> {
        let (reply, arrived) = oneshot::channel();
        self.socket("accept_ring", AGENT)?.do_send(AcceptRing { ring_id, reply });
        let id = match timeout(within, arrived).await {
            Ok(Ok(outcome)) => outcome?,
            Ok(Err(_)) => return Err(RequestError::ConnectionLost.into()),
            Err(_) => return Err(ConnectionError::ConversationNotArrived),
        };
        self.conversation(&id).ok_or(ConnectionError::ConversationNotArrived)
    }

    /// Sets an agent's state, now and after each reconnect ([CN-F9](crate::rules#cn-f9)). With a store the state also
    /// holds after a restart of the process, until another state is configured.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doctests/stage.rs"));
    /// # fn main() { stage::run(async |tertulia, _| {
    /// # let bot = stage::bot(tertulia).await;
    /// use tertulia_actors::core::ums::AgentState;
    ///
    /// // The platform offers no conversations until the agent is online again.
    /// bot.set_agent_state(AgentState::Away).await?;
    /// # Ok(())
    /// # }) }
    /// ```
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub async fn set_agent_state(&self, agent_state: AgentState) -> Result<(), ConnectionError> {
        self.ask("set_agent_state", AGENT, |address, reply| address.do_send(SetAgentState { agent_state, reply })).await
    }

    async fn look_up<T, F>(
        &self,
        method: &'static str,
        ask: impl FnOnce(PlatformClient, AgentSession) -> F + Send + 'static,
    ) -> Result<T, ConnectionError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, HttpError>> + 'static,
    {
        self.ask(method, AGENT, |address, reply| address.do_send(Lookup::new(ask, reply))).await
    }
}
