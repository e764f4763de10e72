//! What a connection is told when it begins: who it is, what it wants to see, and its limits.

use std::time::Duration;

use tertulia_core::{
    command::Limits,
    conversation::HistoryStart,
    id::{AccountId, AgentId, ConnectionId},
    session::SessionPolicy,
    ums::{AgentState, ClientProperties, ConversationQuery, Dialect, Stage},
};

use crate::{
    conversation::Drill,
    platform::{AgentLogin, ConsumerLogin, Proxy},
};

/// How long a login or an upgrade may take, the wait for its turn included. The HTTP requests in it have a deadline of
/// their own.
const TURN_WITHIN: Duration = Duration::from_secs(300);

/// One connection.
#[derive(Clone, Debug)]
pub struct ConnectionSettings {
    /// Its name.
    pub id: ConnectionId,
    /// The account.
    pub account: AccountId,
    /// Who speaks.
    pub login: Login,
    /// The proxy between it and the platform, for HTTP and the socket.
    pub proxy: Option<Proxy>,
    /// Which conversations it wants to see.
    pub subscribe: Subscribe,
    /// What to do with offers; agents only.
    pub rings: Rings,
    /// The agent's state, set after each connect; agents only.
    pub agent_state: Option<AgentState>,
    /// The device, told when a consumer connects. Application, integration and their versions are in the address of the
    /// socket too, also of an agent's.
    pub client_properties: ClientProperties,
    /// Where message delivery begins in a conversation that was not known before.
    pub history: HistoryStart,
    /// How much one command may carry.
    pub limits: Limits,
    /// The deadlines and pauses of the session.
    pub policy: SessionPolicy,
    /// How long one request may take.
    pub request_timeout: Duration,
    /// Requests that may be in flight together, at most 1024.
    pub max_requests: usize,
    /// Frames read and not handled yet; at this limit the socket is not read any more.
    pub max_unhandled_frames: usize,
    /// Commands of one conversation that may wait; at this limit a caller is refused.
    pub max_waiting_commands: usize,
    /// How long a conversation that left the subscription stays in memory for late messages.
    pub linger: Duration,
    /// How long a conversation stays in memory to which nothing happens. It comes back with whatever concerns it next;
    /// without a journal all of them stay.
    pub sleep_after: Duration,
    /// Makes conversations fail on purpose; for tests.
    pub drill: Option<Drill>,
}

/// Who speaks on a connection.
#[derive(Clone, Debug)]
pub enum Login {
    /// An agent or bot.
    Agent(AgentLogin),
    /// A consumer.
    Consumer(ConsumerLogin),
}

/// Which conversations a connection wants to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe {
    /// In which stages.
    pub stage: Vec<Stage>,
    /// With whom; consumers see their own in any case.
    pub agents: Agents,
}

/// With which agents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Agents {
    /// The connection's own.
    Mine,
    /// Any: the whole account, with a manager's permission.
    All,
    /// These.
    Listed(Vec<AgentId>),
    /// Nobody: the connection has no subscription of its own, only those that callers ask for (the SDK's
    /// `createDefaultSubscription` off). A consumer then sees none of their own either.
    Nobody,
}

/// What to do with offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rings {
    /// Take each.
    Accept,
    /// Emit an event and leave the answer to others.
    Manual,
    /// Ask for none.
    Off,
}

impl ConnectionSettings {
    /// A bot that takes every offer and sees its own open conversations.
    #[must_use]
    pub fn bot(id: impl Into<ConnectionId>, account: impl Into<AccountId>, login: AgentLogin) -> Self {
        Self {
            id: id.into(),
            account: account.into(),
            login: Login::Agent(login),
            proxy: None,
            subscribe: Subscribe { stage: vec![Stage::Open], agents: Agents::Mine },
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

    /// A consumer who sees all conversations of their own.
    #[must_use]
    pub fn consumer(id: impl Into<ConnectionId>, account: impl Into<AccountId>, login: ConsumerLogin) -> Self {
        let bot = Self::bot(id, account, AgentLogin::Assertion(String::new().into()));
        Self {
            login: Login::Consumer(login),
            subscribe: Subscribe { stage: vec![Stage::Open, Stage::Close], agents: Agents::All },
            rings: Rings::Off,
            agent_state: None,
            // A consumer's token has no session behind it that could be prolonged.
            policy: SessionPolicy { refresh_every: None, ..bot.policy.clone() },
            ..bot
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

    /// The connection's own subscription, if it wants one.
    pub(super) fn query(&self, own: Option<&AgentId>) -> Option<ConversationQuery> {
        let agent_ids = match (&self.login, &self.subscribe.agents) {
            (_, Agents::Nobody) => return None,
            (Login::Consumer(_), _) | (_, Agents::All) => Vec::new(),
            (Login::Agent(_), Agents::Mine) => own.cloned().into_iter().collect(),
            (Login::Agent(_), Agents::Listed(agents)) => agents.clone(),
        };
        let brand_id = (self.dialect() == Dialect::Brand).then(|| self.account.clone());
        let stage = self.subscribe.stage.clone();
        Some(ConversationQuery { brand_id, agent_ids, stage, ..ConversationQuery::default() })
    }
}
