//! What every worker and every endpoint of one emulator shares.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::config::EmulatorConfig;
use crate::connector::Apps;
use crate::dialect::{Operation, number_of};
use crate::files::Files;
use crate::hub::Hub;
use crate::identity::{AgentSessions, Tokens};
use crate::ledger::{Ledger, LedgerSummary};
use crate::network::Network;
use crate::platform::{ConsumerId, Millis, NewAgent, NewConversation, Platform, Refusal, Settings};
use crate::traffic::Traffic;

/// One emulated account.
pub(crate) struct Account {
    pub(crate) config: EmulatorConfig,
    pub(crate) tokens: Mutex<Tokens>,
    pub(crate) files: Mutex<Files>,
    pub(crate) traffic: Mutex<Traffic>,
    hub: Mutex<Hub>,
    listen: OnceLock<SocketAddr>,
    /// Connections so far: each has a network of its own.
    connections: AtomicU64,
    pub(crate) apps: Mutex<Apps>,
    /// Skills whose agents are away for now.
    pub(crate) off_shift: Mutex<BTreeSet<String>>,
}

/// Locks the mutex, also if it is poisoned: the panic was reported, and other tasks go on.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Milliseconds since the epoch.
pub(crate) fn now() -> Millis {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as Millis)
}

impl Account {
    pub(crate) fn new(config: EmulatorConfig) -> Self {
        let settings = Settings {
            account: config.account.clone(),
            skills: config.skills.clone(),
            survey: config.survey,
            survey_app_install_id: config.survey_app_install_id.clone(),
            ttr: config.ttr,
            agent_capacity: config.agent_capacity,
            ring_expiry: config.ring_expiry.as_millis() as Millis,
            page_limit: config.page_limit,
            limits: config.limits,
            switches: config.switches.clone(),
        };
        let sessions = AgentSessions::new(&config.account, config.agents, config.token_life);
        let mut platform = Platform::new(settings, config.seed);
        for (place, agent) in sessions.agents().iter().enumerate() {
            let named = config.agent_skills.iter().find(|(login, _)| *login == agent.login);
            let new = NewAgent {
                user_id: agent.user_id.clone(),
                pid: agent.pid.clone(),
                login: agent.login.clone(),
                skills: named.map_or_else(Vec::new, |(_, skills)| skills.clone()),
                is_manager: place < config.admins,
            };
            platform.add_agent(new, now());
        }
        let hub = Hub::new(platform, config.faults, config.seed, sessions);
        Self {
            tokens: Mutex::new(Tokens::new(&config.account)),
            files: Mutex::new(Files::new(config.limits.file, config.file_url_life)),
            traffic: Mutex::new(Traffic::default()),
            hub: Mutex::new(hub),
            listen: OnceLock::new(),
            connections: AtomicU64::new(0),
            apps: Mutex::new(Apps::default()),
            off_shift: Mutex::default(),
            config,
        }
    }

    pub(crate) fn hub(&self) -> MutexGuard<'_, Hub> {
        lock(&self.hub)
    }

    /// The address where everything listens, known once the listener is bound.
    pub(crate) fn set_listen(&self, listen: SocketAddr) {
        let _ = self.listen.set(listen);
    }

    /// The network of the next connection.
    pub(crate) fn network(&self) -> Network {
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        Network::new(self.config.network, self.config.seed.wrapping_add(number))
    }

    /// `host:port` of every base URI, for a caller that asked by a name.
    pub(crate) fn base(&self, asked: &str) -> String {
        let Some(listen) = self.listen.get() else { return String::new() };
        let asked = asked.rsplit_once(':').map_or(asked, |(name, _)| name);
        let hosts = &self.config.hosts;
        let named = hosts.iter().find(|host| host.eq_ignore_ascii_case(asked)).or_else(|| hosts.first());
        let host = match named {
            Some(host) => host.clone(),
            None if listen.ip().is_unspecified() => "127.0.0.1".to_owned(),
            None if listen.is_ipv6() => format!("[{}]", listen.ip()),
            None => listen.ip().to_string(),
        };
        format!("{host}:{}", listen.port())
    }

    /// A signed URL for a file, as `GenerateURLForUploadFile` or `…DownloadFile` asks for it.
    pub(crate) fn file_url(&self, operation: Operation, body: &Value) -> Result<Value, Refusal> {
        let files = lock(&self.files);
        let url = if operation == Operation::GenerateUrlForUpload {
            let size = number_of(&body["fileSize"]).unwrap_or(0);
            files.upload_url(&self.config.account, size, body["fileType"].as_str().unwrap_or_default(), now())
        } else {
            files.download_url(body["relativePath"].as_str().unwrap_or_default(), now())
        };
        url.map_err(|error| Refusal::bad(error.to_string()))
    }

    pub(crate) fn ledger(&self) -> Ledger {
        let hub = self.hub();
        let public_ids = hub.agents.agents().iter().map(|agent| agent.pid.clone()).collect();
        Ledger::new(hub.platform.ledger(), public_ids)
    }

    pub(crate) fn summary(&self) -> LedgerSummary {
        let hub = self.hub();
        let totals = hub.platform.totals();
        LedgerSummary {
            conversations: totals.conversations,
            consumer_messages: totals.consumer_messages,
            agent_messages: totals.agent_messages,
            delivered_to_agents: totals.delivered_to_agents,
            delivered_to_consumers: totals.delivered_to_consumers,
            sessions: hub.platform.session_counts().clone(),
            faults: hub.faults.injected(),
            stale_requests: hub.agents.stale_requests(),
        }
    }
}

/// What one simulated consumer or administrator does, step by step.
impl Account {
    /// Opens a conversation for a consumer, or for a new one, who may have a profile.
    pub(crate) fn open_conversation(
        &self,
        consumer: Option<String>,
        skill: Option<String>,
        profile: Option<Value>,
    ) -> String {
        let consumer = ConsumerId::new(consumer.unwrap_or_else(|| uuid::Uuid::new_v4().to_string()));
        let mut hub = self.hub();
        if let Some(profile) = profile {
            hub.platform.give_profile(&consumer, profile);
        }
        let new = NewConversation { skill, ..NewConversation::default() };
        let id = hub.platform.open_conversation(&consumer, new, now());
        hub.flush();
        id.to_string()
    }

    pub(crate) fn say(&self, conversation: &str, text: &str) -> Result<u64, Refusal> {
        let mut hub = self.hub();
        let now = now();
        let sequence = hub.platform.say(conversation, text, now, now);
        hub.flush();
        sequence
    }

    pub(crate) fn change_group(&self, conversation: &str, group: &str) -> Result<(), Refusal> {
        let mut hub = self.hub();
        let changed = hub.platform.change_group(conversation, group, now());
        hub.flush();
        changed
    }

    pub(crate) fn close_conversation(&self, conversation: &str) -> Result<(), Refusal> {
        let mut hub = self.hub();
        let closed = hub.platform.close_by_consumer(conversation, now());
        hub.flush();
        closed
    }
}
