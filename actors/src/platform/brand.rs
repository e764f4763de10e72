//! What agents read from the platform by HTTP: shifts, skills, statistics, and the profiles that consumers see
//! (protocol [§10.6](crate::protocol#106)).

use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use tertulia_core::id::{AgentId, SkillId, UserId};

use super::{AgentSession, HttpError, PlatformClient, Service, http::Call};

/// Whether a skill's agents are at work. Other members of the platform's response are ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShiftStatus {
    /// The skill.
    pub skill_id: SkillId,
    /// Whether the agents are at work.
    pub on_shift: bool,
    /// When the next shift begins, in the platform's format; absent if unknown.
    #[serde(default)]
    pub next_on: Option<Value>,
    /// When the shift ends, in the platform's format.
    #[serde(default)]
    pub next_off: Option<Value>,
}

impl ShiftStatus {
    /// Whether the agents are away and will come back.
    #[must_use]
    pub fn is_in_off_hours(&self) -> bool {
        !self.on_shift && self.next_on.is_some()
    }
}

/// A skill of the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skill {
    /// Its id.
    pub id: SkillId,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Whether the skill was deleted.
    #[serde(default)]
    pub deleted: bool,
}

/// The profile of an agent, as consumers see it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AgentProfile {
    /// The name shown to consumers.
    pub nickname: Option<String>,
    /// The full name.
    pub full_name: Option<String>,
    /// The brand's own number of the agent.
    pub employee_id: Option<String>,
    /// A picture.
    pub picture_url: Option<String>,
}

impl PlatformClient {
    /// The shifts of all skills.
    ///
    /// # Errors
    /// [`HttpError`]; 401 if the session has ended.
    pub async fn shift_status(&self, session: &AgentSession) -> Result<Vec<ShiftStatus>, HttpError> {
        let path = format!("/api/account/{}/shift-status", self.account);
        self.look_up(Service::Messaging, path, Some(session)).await
    }

    /// The skills of the account.
    ///
    /// # Errors
    /// [`HttpError`]; 401 if the session has ended.
    pub async fn skills(&self, session: &AgentSession) -> Result<Vec<Skill>, HttpError> {
        let path = format!("/api/account/{}/configuration/le-users/skills?v=2.0", self.account);
        self.look_up(Service::Configuration, path, Some(session)).await
    }

    /// Returns how many messages of `agent`, or of the account, wait and are answered, as the platform sends it
    /// ([CN-F16](crate::rules#cn-f16)). The members are not documented.
    ///
    /// # Errors
    /// [`HttpError`]; 401 if the session has ended.
    pub async fn message_statistics(
        &self,
        session: &AgentSession,
        agent: Option<&AgentId>,
    ) -> Result<Value, HttpError> {
        let agent = agent.map(|agent| format!("/agents/{}", user_of(agent))).unwrap_or_default();
        let brand = format!("/api/messaging/rest/reporting/brands/{}", self.account);
        self.look_up(Service::Messaging, format!("{brand}{agent}/msgstatistics?v=1"), Some(session)).await
    }

    /// Returns the profile of the agent with this public id, as consumers see it. Needs no session.
    ///
    /// # Errors
    /// [`HttpError`]; 404 if no such agent exists.
    pub async fn agent_profile(&self, agent: &UserId) -> Result<AgentProfile, HttpError> {
        let path = format!("/api/account/{}/configuration/le-users/users/{agent}", self.account);
        self.look_up(Service::Public, path, None).await
    }

    async fn look_up<T: DeserializeOwned>(
        &self,
        service: Service,
        path: String,
        session: Option<&AgentSession>,
    ) -> Result<T, HttpError> {
        let host = self.host(service).await?;
        let bearer = session.map(|session| ("authorization", format!("Bearer {}", session.bearer.expose_secret())));
        self.get(Call { service, host, path, headers: bearer.into_iter().collect(), body: None }).await
    }
}

/// The user part of an agent's id, without the account.
fn user_of(agent: &AgentId) -> &str {
    agent.as_str().rsplit_once('.').map_or(agent.as_str(), |(_, user)| user)
}
