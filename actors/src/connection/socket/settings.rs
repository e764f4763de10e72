//! The settings of a connection with a socket: its login, its subscriptions and its limits.

use std::time::Duration;

use tertulia_core::{
    command::Limits,
    conversation::HistoryStart,
    id::{AccountId, AgentId, ConnectionId},
    session::SessionPolicy,
    ums::{AgentState, ClientProperties, ConversationQuery, Dialect, Stage},
};

use super::Role;
use crate::{
    conversation::Drill,
    platform::{AgentLogin, ConsumerLogin, Proxy},
};

/// How long a login or an upgrade may take, including the wait for the rate limit. Its HTTP requests have a deadline of
/// their own.
const TURN_WITHIN: Duration = Duration::from_secs(300);

/// The settings of one connection.
#[derive(Clone, Debug)]
pub struct ConnectionSettings {
    /// The connection's id.
    pub id: ConnectionId,
    /// The account.
    pub account: AccountId,
    /// The login.
    pub login: Login,
    /// The proxy to the platform, for HTTP and the socket.
    pub proxy: Option<Proxy>,
    /// The stages of the conversations to subscribe to.
    pub stages: Vec<Stage>,
    /// The agents of the conversations to subscribe to. A consumer always sees their own conversations.
    pub agents: Agents,
    /// What to do with offers; agents only.
    pub rings: Rings,
    /// The agent's state, set after each connect; agents only.
    pub agent_state: Option<AgentState>,
    /// Describes the device when a consumer connects. The application, the integration and their versions are also part
    /// of the socket's URL, even for an agent.
    pub client_properties: ClientProperties,
    /// Where message delivery begins in a conversation that was unknown before.
    pub history: HistoryStart,
    /// Limits on the content of one command.
    pub limits: Limits,
    /// The deadlines and pauses of the session.
    pub policy: SessionPolicy,
    /// How long one request may take.
    pub request_timeout: Duration,
    /// The most requests in flight, at most 1024.
    pub max_requests: usize,
    /// The most frames read and not handled yet; at this limit the socket is not read.
    pub max_unhandled_frames: usize,
    /// The most waiting commands of one conversation; at this limit a new command is refused.
    pub max_waiting_commands: usize,
    /// How long a conversation that left the subscription stays in memory for late messages.
    pub linger: Duration,
    /// How long an idle conversation stays in memory. It is loaded again when something concerns it. One that was loaded
    /// only to be brought up to date is unloaded again at once. Without a journal all conversations stay in memory.
    pub sleep_after: Duration,
    /// Makes conversations fail on purpose, for tests.
    pub drill: Option<Drill>,
}

/// The login of a connection.
#[derive(Clone, Debug)]
pub enum Login {
    /// An agent or bot.
    Agent(AgentLogin),
    /// A consumer.
    Consumer(ConsumerLogin),
}

/// Selects conversations by their agents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Agents {
    /// The connection's own agent.
    Mine,
    /// Any agent: the whole account, with a manager's permission.
    All,
    /// These agents.
    Listed(Vec<AgentId>),
    /// No subscription of its own; callers may add subscriptions (the SDK's `createDefaultSubscription` off). A
    /// consumer then does not see their own conversations either.
    Nobody,
}

/// How to handle offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rings {
    /// Accept every offer.
    Accept,
    /// Emit an event and let a caller decide.
    Manual,
    /// Do not subscribe to offers.
    Off,
}

impl ConnectionSettings {
    /// Returns the settings of a bot that accepts every offer and sees its own open conversations.
    #[must_use]
    pub fn bot(id: impl Into<ConnectionId>, account: impl Into<AccountId>, login: AgentLogin) -> Self {
        Self::new(id.into(), account.into(), Login::Agent(login))
    }

    /// Returns the settings of a consumer who sees all conversations of their own.
    #[must_use]
    pub fn consumer(id: impl Into<ConnectionId>, account: impl Into<AccountId>, login: ConsumerLogin) -> Self {
        let settings = Self::new(id.into(), account.into(), Login::Consumer(login));
        Self {
            stages: vec![Stage::Open, Stage::Close],
            agents: Agents::All,
            rings: Rings::Off,
            agent_state: None,
            // A consumer's token has no session that could be prolonged.
            policy: SessionPolicy { refresh_every: None, ..settings.policy.clone() },
            ..settings
        }
    }

    /// Returns the settings of a bot with this login.
    fn new(id: ConnectionId, account: AccountId, login: Login) -> Self {
        Self {
            id,
            account,
            login,
            proxy: None,
            stages: vec![Stage::Open],
            agents: Agents::Mine,
            rings: Rings::Accept,
            agent_state: Some(AgentState::Online),
            client_properties: ClientProperties::default(),
            history: HistoryStart::Beginning,
            limits: Limits::default(),
            policy: SessionPolicy {
                login_timeout: TURN_WITHIN,
                connect_timeout: TURN_WITHIN,
                ..SessionPolicy::default()
            },
            request_timeout: Duration::from_secs(30),
            max_requests: 1024,
            max_unhandled_frames: 256,
            max_waiting_commands: 64,
            linger: Duration::from_secs(10),
            sleep_after: Duration::from_secs(600),
            drill: None,
        }
    }

    /// The role of the connection.
    #[must_use]
    pub fn role(&self) -> Role {
        match self.login {
            Login::Agent(_) => Role::Agent,
            Login::Consumer(_) => Role::Consumer,
        }
    }

    /// The login name of the connection, if its login has one.
    pub(crate) fn username(&self) -> Option<String> {
        match &self.login {
            Login::Agent(login) => login.username().map(str::to_owned),
            Login::Consumer(_) => None,
        }
    }

    /// The dialect of the connection's socket.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match self.login {
            Login::Agent(_) => Dialect::Brand,
            Login::Consumer(_) => Dialect::Consumer,
        }
    }

    /// The connection's own subscription, if it has one.
    pub(super) fn query(&self, own: Option<&AgentId>) -> Option<ConversationQuery> {
        let agent_ids = match (&self.login, &self.agents) {
            (_, Agents::Nobody) => return None,
            (Login::Consumer(_), _) | (_, Agents::All) => Vec::new(),
            (Login::Agent(_), Agents::Mine) => own.cloned().into_iter().collect(),
            (Login::Agent(_), Agents::Listed(agents)) => agents.clone(),
        };
        let brand_id = (self.dialect() == Dialect::Brand).then(|| self.account.clone());
        let stage = self.stages.clone();
        Some(ConversationQuery { brand_id, agent_ids, stage, ..ConversationQuery::default() })
    }
}
