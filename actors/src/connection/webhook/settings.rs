//! The settings of a connection without a socket.

use std::time::Duration;

use tertulia_core::{
    command::Limits,
    conversation::HistoryStart,
    id::{AccountId, ConnectionId},
    session::Backoff,
    ums::{ClientProperties, Dialect},
};

use crate::{
    connection::Role,
    conversation::Drill,
    platform::{AgentLogin, AppCredentials, Proxy},
};

/// One connection without a socket.
#[derive(Clone, Debug)]
pub struct IntakeSettings {
    /// The connection's id.
    pub id: ConnectionId,
    /// The account.
    pub account: AccountId,
    /// The proxy to the platform.
    pub proxy: Option<Proxy>,
    /// Whether the connection is an intake, which serves stateless workers: every conversation may be unloaded, and the
    /// credentials are tried with the first request. A connector tries its credentials when it starts.
    pub is_stateless: bool,
    /// Describes the consumers' devices to the platform with every request. The platform assumes that a device lacks
    /// each feature that is not named.
    pub client_properties: ClientProperties,
    /// The agent in whose name the connection acts, with the platform's REST API instead of the Send API. As an agent
    /// the connection can read histories and send every request of [`tertulia_core::rest`]. No other client may be
    /// logged in as this agent ([TK-6](crate::rules#tk-6)).
    pub agent: Option<AgentLogin>,
    /// The application whose credentials send requests and whose secret signs the webhooks.
    pub app: AppCredentials,
    /// Where message delivery begins in a conversation that was unknown before.
    pub history: HistoryStart,
    /// How long a hole in a dialog waits for late notifications before it becomes a gap. The platform itself delays an
    /// event of a recovering endpoint by four seconds (protocol [§10.4](crate::protocol#104)). A snapshot contains the
    /// hole, and each load starts the wait again: a worker that wants to receive the gap keeps the conversation loaded
    /// for this time.
    pub hold: Duration,
    /// Limits on the content of one command.
    pub limits: Limits,
    /// How long one request may take, including its tokens and its wait in the queue.
    pub request_timeout: Duration,
    /// Requests that may be in flight at the same time; more wait, at most one per conversation.
    pub max_requests: usize,
    /// Notifications accepted but not yet handled. At this limit a notification is refused, and the platform should send
    /// it again later.
    pub max_unhandled: usize,
    /// Conversations in memory; at this limit a notification of another conversation is refused, and so is a load.
    pub max_conversations: usize,
    /// Consumers' tokens kept; beyond it the oldest is dropped and requested again when it is needed.
    pub max_consumer_tokens: usize,
    /// Waiting commands of one conversation; at this limit a new command is refused.
    pub max_waiting_commands: usize,
    /// How long a conversation that was not loaded by a caller stays in memory after its end, for late notifications.
    pub linger: Duration,
    /// How long an idle conversation that was not loaded by a caller stays in memory. It is loaded again when something
    /// concerns it. Without a journal all conversations stay in memory.
    pub sleep_after: Duration,
    /// The pauses between login attempts after a refusal. Default 5 s to 5 min.
    pub login_backoff: Backoff,
    /// Makes conversations fail on purpose, for tests.
    pub drill: Option<Drill>,
}

/// See [`IntakeSettings::login_backoff`].
const LOGIN_BACKOFF: Backoff =
    Backoff { floor: Duration::from_secs(5), base: Duration::from_secs(5), max: Duration::from_secs(300) };

impl IntakeSettings {
    /// Returns the settings of a connector: many consumers, served by the Send API and webhooks.
    #[must_use]
    pub fn connector(id: impl Into<ConnectionId>, account: impl Into<AccountId>, app: AppCredentials) -> Self {
        Self {
            id: id.into(),
            account: account.into(),
            proxy: None,
            is_stateless: false,
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

    /// Returns the settings of an intake: notifications only, for workers that keep conversations elsewhere.
    #[must_use]
    pub fn intake(id: impl Into<ConnectionId>, account: impl Into<AccountId>, app: AppCredentials) -> Self {
        Self { is_stateless: true, ..Self::connector(id, account, app) }
    }

    /// The role of the connection.
    #[must_use]
    pub fn role(&self) -> Role {
        match (&self.agent, self.is_stateless) {
            (Some(_), _) => Role::RestAgent,
            (None, true) => Role::Intake,
            (None, false) => Role::Connector,
        }
    }

    /// The login name of the connection's agent, if its login has one.
    pub(crate) fn username(&self) -> Option<String> {
        self.agent.as_ref().and_then(AgentLogin::username).map(str::to_owned)
    }

    /// The dialect of requests to its conversations.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        if self.agent.is_some() { Dialect::Brand } else { Dialect::Consumer }
    }
}
