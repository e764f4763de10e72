//! An agent without a socket: its session, and its requests with the platform's REST API (protocol
//! [§10.5](crate::protocol#105)).

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use tertulia_core::{rest::RestRequest, ums::AnswerError};
use tokio::sync::Mutex;

use super::{
    grant::{Grant, NotGranted},
    turns::{Turns, not_granted, send_renewing, unanswered},
};
use crate::{
    platform::{AgentLogin, AgentSession, PlatformClient, RestAnswer},
    request::RequestError,
};

/// How often a change is tried if another client changes the same resource meanwhile.
const TRIES: usize = 4;

/// The sessions of one agent, one at a time. A request without a valid session begins a session, and other requests
/// wait for it: a second login would end the first ([TK-6](crate::rules#tk-6)).
pub(super) struct AgentSessions {
    login: AgentLogin,
    grant: Mutex<Grant<AgentSession>>,
}

impl AgentSessions {
    pub(super) fn new(login: AgentLogin, grant: Grant<AgentSession>) -> Self {
        Self { login, grant: Mutex::new(grant) }
    }

    /// Drops the session and the last refusal. `has_worked` says whether the credentials worked in a previous run.
    pub(super) async fn begin(&self, has_worked: bool) {
        self.grant.lock().await.begin(has_worked);
    }

    /// Returns the agent's session, but not the session `refused`, which the platform rejected.
    pub(super) async fn session(
        &self,
        client: &PlatformClient,
        refused: Option<&AgentSession>,
    ) -> Result<AgentSession, NotGranted> {
        self.without(client, refused.map(|session| &session.bearer)).await
    }

    /// Returns the bearer of the agent's session. Never returns `refused`, a bearer that the platform rejected.
    pub(super) async fn bearer(
        &self,
        client: &PlatformClient,
        refused: Option<&SecretString>,
    ) -> Result<SecretString, NotGranted> {
        self.without(client, refused).await.map(|session| session.bearer)
    }

    async fn without(
        &self,
        client: &PlatformClient,
        refused: Option<&SecretString>,
    ) -> Result<AgentSession, NotGranted> {
        let mut grant = self.grant.lock().await;
        let is_refused = |session: &AgentSession| {
            refused.is_some_and(|refused| refused.expose_secret() == session.bearer.expose_secret())
        };
        grant.get(|_| true, is_refused, client.log_in(&self.login)).await
    }
}

/// Sends REST requests, shared by all requests of one connection.
#[derive(Clone)]
pub(super) struct RestSender {
    pub(super) client: PlatformClient,
    pub(super) agent: Arc<AgentSessions>,
    pub(super) turns: Turns,
}

impl RestSender {
    /// Sends a request and returns the platform's response, success or refusal. A change is conditional on the version
    /// that was read just before, and is repeated if another client changed the resource in between.
    pub(super) async fn send(self, request: &RestRequest) -> Result<RestAnswer, RequestError> {
        self.turns.run(self.write_versioned(request)).await
    }

    async fn write_versioned(&self, request: &RestRequest) -> Result<RestAnswer, RequestError> {
        let Some(read) = request.version_of() else { return self.ask(request, None).await };
        let mut tries = 0;
        loop {
            tries += 1;
            // If the read fails, nothing was changed.
            let version = self.ask(&read, None).await.map_err(|failure| match failure {
                RequestError::ConnectionLost => RequestError::Overloaded,
                failure => failure,
            })?;
            if version.status >= 400 {
                return Ok(version);
            }
            let Some(etag) = version.etag else {
                return Err(AnswerError::Unexpected("what was read has no version".to_owned()).into());
            };
            let answer = self.ask(request, Some(&etag)).await?;
            if answer.status != 412 || tries >= TRIES {
                return Ok(answer);
            }
        }
    }

    async fn ask(&self, request: &RestRequest, if_match: Option<&str>) -> Result<RestAnswer, RequestError> {
        let session = self.agent.session(&self.client, None).await.map_err(not_granted)?;
        let ask = async |session: &AgentSession| self.client.rest(session, request, if_match).await.map_err(unanswered);
        let renew = async |answer: &RestAnswer, refused: &AgentSession| match answer.status {
            401 => self.agent.session(&self.client, Some(refused)).await.map(Some).map_err(not_granted),
            _ => Ok(None),
        };
        send_renewing(session, ask, renew).await.map(|(answer, _)| answer)
    }
}
