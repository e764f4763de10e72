//! Agents' logins and sessions: a new login ends the earlier bearer ([§2.2](crate::protocol#22)).

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::{Secrets, derived_id, random_secret};
use crate::platform::AgentIndex;

/// The bearers of ended sessions that are known for each agent.
const ENDED: usize = 16;

/// The number of an agent's session: a later login has a higher one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SessionNumber(u64);

/// The ways to log in (protocol [§2.1](crate::protocol#21)).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Credentials {
    pub(crate) username: Option<String>,
    password: Option<String>,
    app_key: Option<String>,
    secret: Option<String>,
    access_token: Option<String>,
    access_token_secret: Option<String>,
    assertion: Option<String>,
}

/// What an agent holds after a login.
#[derive(Debug, Clone)]
pub(crate) struct AgentSession {
    pub(crate) bearer: String,
    pub(crate) csrf: String,
    pub(crate) session_id: String,
    expires: Instant,
}

#[derive(Debug)]
pub(crate) struct KnownAgent {
    pub(crate) login: String,
    pub(crate) user_id: String,
    pub(crate) pid: String,
    session: Option<AgentSession>,
    /// The number of the latest login's session.
    latest: SessionNumber,
    /// The latest session that sent a request.
    heard: SessionNumber,
    /// Requests of sessions before `heard` that act.
    stale: u64,
    /// The bearers of ended sessions, the last ended last.
    ended: VecDeque<(String, SessionNumber)>,
}

/// All logins of the account.
#[derive(Debug)]
pub(crate) struct AgentSessions {
    agents: Vec<KnownAgent>,
    by_login: HashMap<String, AgentIndex>,
    by_bearer: HashMap<String, AgentIndex>,
    life: Duration,
}

impl AgentSessions {
    /// Logins `bot1`…; ids depend on account and login only.
    pub(crate) fn new(account: &str, count: usize, life: Duration) -> Self {
        let agents: Vec<KnownAgent> = (1..=count)
            .map(|number| {
                let login = format!("bot{number}");
                let digest = derived_id(&[account, &login]);
                let bits = u128::from_str_radix(&digest[..32], 16).unwrap_or_default();
                let pid = uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid().to_string();
                KnownAgent {
                    login,
                    user_id: (3_901_122_000 + number as u64).to_string(),
                    pid,
                    session: None,
                    latest: SessionNumber::default(),
                    heard: SessionNumber::default(),
                    stale: 0,
                    ended: VecDeque::new(),
                }
            })
            .collect();
        let by_login =
            agents.iter().enumerate().map(|(place, agent)| (agent.login.clone(), AgentIndex(place as u32))).collect();
        Self { agents, by_login, by_bearer: HashMap::new(), life }
    }

    pub(crate) fn agents(&self) -> &[KnownAgent] {
        &self.agents
    }

    pub(crate) fn agent(&self, index: AgentIndex) -> Option<&KnownAgent> {
        self.agents.get(index.0 as usize)
    }

    /// Whom credentials belong to: password `secret`, app key `{login}-key` with its three companions,
    /// OAuth2 form with `dummy` tokens, or an assertion that is the login's name in base64.
    pub(crate) fn verify(&self, credentials: &Credentials) -> Option<AgentIndex> {
        if let Some(assertion) = &credentials.assertion {
            use base64::Engine;
            let text = base64::engine::general_purpose::STANDARD.decode(assertion).ok()?;
            return self.by_login.get(std::str::from_utf8(&text).ok()?).copied();
        }
        let login = credentials.username.as_deref()?;
        let index = self.by_login.get(login).copied()?;
        let key_login = || {
            let is = |given: &Option<String>, suffix: &str| given.as_deref() == Some(&format!("{login}-{suffix}"));
            let dummy = |given: &Option<String>| given.as_deref() == Some("dummy");
            is(&credentials.app_key, "key")
                && is(&credentials.secret, "secret")
                && (is(&credentials.access_token, "token") || dummy(&credentials.access_token))
                && (is(&credentials.access_token_secret, "token-secret") || dummy(&credentials.access_token_secret))
        };
        (credentials.password.as_deref() == Some("secret") || key_login()).then_some(index)
    }

    /// The agent of an application key and an access token that belong together, and the secrets of both.
    pub(crate) fn of_keys(&self, app_key: &str, access_token: &str) -> Option<(AgentIndex, Secrets)> {
        let login = app_key.strip_suffix("-key").filter(|login| access_token == format!("{login}-token"))?;
        let secrets = Secrets { consumer: format!("{login}-secret"), token: format!("{login}-token-secret") };
        Some((self.by_login.get(login).copied()?, secrets))
    }

    /// Whether the agent has a session that is valid now.
    pub(crate) fn has_session(&self, index: AgentIndex) -> bool {
        let session = self.agent(index).and_then(|agent| agent.session.as_ref());
        session.is_some_and(|session| session.expires > Instant::now())
    }

    /// Starts a session; the agent's earlier one opens no socket any more.
    pub(crate) fn log_in(&mut self, index: AgentIndex) -> Option<AgentSession> {
        self.log_out(index);
        let session = AgentSession {
            bearer: random_secret(),
            csrf: random_secret(),
            session_id: random_secret(),
            expires: Instant::now() + self.life,
        };
        let agent = self.agents.get_mut(index.0 as usize)?;
        agent.latest.0 += 1;
        agent.session = Some(session.clone());
        self.by_bearer.insert(session.bearer.clone(), index);
        Some(session)
    }

    /// Ends the agent's session.
    pub(crate) fn log_out(&mut self, index: AgentIndex) {
        let Some(agent) = self.agents.get_mut(index.0 as usize) else { return };
        let Some(old) = agent.session.take() else { return };
        self.by_bearer.remove(&old.bearer);
        if agent.ended.len() == ENDED {
            agent.ended.pop_front();
        }
        agent.ended.push_back((old.bearer, agent.latest));
    }

    /// The agent's latest session.
    pub(crate) fn latest(&self, index: AgentIndex) -> SessionNumber {
        self.agent(index).map_or_else(SessionNumber::default, |agent| agent.latest)
    }

    /// Notes a request of one of the agent's sessions, before the request is carried out or refused. A request that acts
    /// is stale if a later session of the agent sent any request before.
    pub(crate) fn note_request(&mut self, index: AgentIndex, session: SessionNumber, acts: bool) {
        let Some(agent) = self.agents.get_mut(index.0 as usize) else { return };
        if acts && session < agent.heard {
            agent.stale += 1;
        }
        agent.heard = agent.heard.max(session);
    }

    /// Notes a request by HTTP with a bearer. The bearer's session may have ended.
    pub(crate) fn note_bearer(&mut self, bearer: &str, acts: bool) {
        let current = self.by_bearer.get(bearer).map(|index| (*index, self.latest(*index)));
        let ended = || {
            let mut agents = self.agents.iter().enumerate();
            agents.find_map(|(place, agent)| {
                let (_, session) = agent.ended.iter().find(|(ended, _)| ended == bearer)?;
                Some((AgentIndex(place as u32), *session))
            })
        };
        if let Some((index, session)) = current.or_else(ended) {
            self.note_request(index, session, acts);
        }
    }

    /// Stale requests by login, without the logins that have none.
    pub(crate) fn stale_requests(&self) -> BTreeMap<String, u64> {
        let stale = self.agents.iter().filter(|agent| agent.stale > 0);
        stale.map(|agent| (agent.login.clone(), agent.stale)).collect()
    }

    /// The bearers that are held now.
    pub(crate) fn bearers(&self) -> Vec<String> {
        self.by_bearer.keys().cloned().collect()
    }

    /// Whom a valid bearer belongs to.
    pub(crate) fn of_bearer(&self, bearer: &str) -> Option<AgentIndex> {
        let index = *self.by_bearer.get(bearer)?;
        self.agent(index)?.session.as_ref().filter(|session| session.expires > Instant::now()).map(|_| index)
    }

    /// The agent whose session a cookie and a csrf token name together.
    pub(crate) fn of_cookie(&self, session_id: &str, csrf: &str) -> Option<AgentIndex> {
        let place = self.agents.iter().position(|agent| {
            let session = agent.session.as_ref().filter(|session| session.expires > Instant::now());
            session.is_some_and(|session| session.session_id == session_id && session.csrf == csrf)
        })?;
        Some(AgentIndex(place as u32))
    }

    /// Prolongs the agent's session.
    pub(crate) fn refresh(&mut self, index: AgentIndex) -> Option<AgentSession> {
        let session = self.agents.get_mut(index.0 as usize)?.session.as_mut()?;
        session.expires = Instant::now() + self.life;
        Some(session.clone())
    }
}
