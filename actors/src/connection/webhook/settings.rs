//! What a connection without a socket is told when it begins.

use std::time::Duration;

use tertulia_core::{
    command::Limits,
    conversation::HistoryStart,
    id::{AccountId, ConnectionId},
    session::Backoff,
    ums::{ClientProperties, Dialect},
};

use crate::{
    conversation::Drill,
    platform::{AgentLogin, AppCredentials, Proxy},
};

/// One connection without a socket.
#[derive(Clone, Debug)]
pub struct IntakeSettings {
    /// Its name.
    pub id: ConnectionId,
    /// The account.
    pub account: AccountId,
    /// The proxy between it and the platform.
    pub proxy: Option<Proxy>,
    /// What it is for.
    pub role: IntakeRole,
    /// What a connector tells of the device its consumers use, with every request: the platform takes a feature that is
    /// not named for one they have not.
    pub client_properties: ClientProperties,
    /// The agent in whose name conversations are acted on, by the platform's REST instead of the Send API. Histories
    /// can be read then, and everything can be asked that [`tertulia_core::rest`] has a row for. Nobody else may be
    /// logged in as this agent ([TK-6](crate::rules#tk-6)).
    pub agent: Option<AgentLogin>,
    /// The application that sends and whose secret signs the webhooks.
    pub app: AppCredentials,
    /// Where message delivery begins in a conversation that was not known before.
    pub history: HistoryStart,
    /// How long a hole in a dialog is held open for late notifications before it becomes a gap. The platform itself
    /// holds an event of a recovering endpoint for four seconds (protocol [§10.4](crate::protocol#104)). A hole goes
    /// with the snapshot and is held open anew by whoever loads it: a worker that wants to hear of the gap keeps the
    /// conversation loaded so long.
    pub hold: Duration,
    /// How much one command may carry.
    pub limits: Limits,
    /// How long one request may take, its tokens and its wait for a turn included.
    pub request_timeout: Duration,
    /// Requests that may be in flight together; more wait for their turn, one for each conversation at most.
    pub max_requests: usize,
    /// Notifications taken and not handled yet; at this limit the platform is told to come again.
    pub max_unhandled: usize,
    /// Conversations in memory; at this limit a notification of another one is refused, and so is loading one.
    pub max_conversations: usize,
    /// Consumers' tokens kept; beyond it the oldest is forgotten and asked for anew when it is needed.
    pub max_consumer_tokens: usize,
    /// Commands of one conversation that may wait; at this limit a caller is refused.
    pub max_waiting_commands: usize,
    /// How long a conversation that was not loaded stays in memory after its end, for late notifications.
    pub linger: Duration,
    /// How long a conversation that was not loaded stays in memory to which nothing happens. It comes back with whatever
    /// concerns it next; without a journal all of them stay.
    pub sleep_after: Duration,
    /// The pauses between two logins that the platform refuses. Default 5 s to 5 min.
    pub login_backoff: Backoff,
    /// Makes conversations fail on purpose; for tests.
    pub drill: Option<Drill>,
}

/// See [`IntakeSettings::login_backoff`].
const LOGIN_BACKOFF: Backoff =
    Backoff { floor: Duration::from_secs(5), base: Duration::from_secs(5), max: Duration::from_secs(300) };

/// What a connection without a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntakeRole {
    /// It speaks for consumers; its credentials are tried when it begins.
    Connector,
    /// It feeds stateless workers: every conversation may be unloaded, and the credentials are tried with the first
    /// request.
    Intake,
}

impl IntakeSettings {
    /// A connector: many consumers, by the Send API and webhooks.
    #[must_use]
    pub fn connector(id: impl Into<ConnectionId>, account: impl Into<AccountId>, app: AppCredentials) -> Self {
        Self {
            id: id.into(),
            account: account.into(),
            proxy: None,
            role: IntakeRole::Connector,
            client_properties: ClientProperties::default(),
            agent: None,
            app,
            history: HistoryStart::Beginning,
            hold: Duration::from_secs(4),
            limits: Limits::default(),
            request_timeout: Duration::from_secs(30),
            max_requests: 256,
            max_unhandled: 4096,
            max_conversations: 100_000,
            max_consumer_tokens: 10_000,
            max_waiting_commands: 64,
            linger: Duration::from_secs(600),
            sleep_after: Duration::from_secs(600),
            login_backoff: LOGIN_BACKOFF,
            drill: None,
        }
    }

    /// An intake: notifications only, for workers that keep conversations elsewhere.
    #[must_use]
    pub fn intake(id: impl Into<ConnectionId>, account: impl Into<AccountId>, app: AppCredentials) -> Self {
        Self { role: IntakeRole::Intake, ..Self::connector(id, account, app) }
    }

    /// The dialect in which its conversations are asked.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        if self.agent.is_some() { Dialect::Brand } else { Dialect::Consumer }
    }
}
