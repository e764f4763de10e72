//! An agent's login, its refresh and its end (protocol [§2.1](crate::protocol#21), [§2.2](crate::protocol#22)).

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use tertulia_core::id::{AgentId, UserId};
use tokio::time::timeout;

use super::{
    AgentToken, HttpError, PlatformClient, Service, TokenError, TokenProvider,
    http::{Call, read},
};

/// How an agent authenticates.
#[derive(Clone, Debug)]
pub enum AgentLogin {
    /// User name and password.
    Password {
        /// The login name.
        username: String,
        /// The password.
        password: SecretString,
    },
    /// User name and the four values of a bot's API key.
    ApiKey {
        /// The login name.
        username: String,
        /// The application's key, or OAuth2 client id.
        app_key: SecretString,
        /// The application's secret, or OAuth2 client secret.
        secret: SecretString,
        /// The access token.
        access_token: SecretString,
        /// The access token's secret.
        access_token_secret: SecretString,
    },
    /// A SAML assertion, base64.
    Assertion(SecretString),
    /// Tokens from a provider, which is called whenever a token is needed.
    Provider(Arc<dyn TokenProvider>),
    /// A session that was begun elsewhere and is refreshed by this connection. The process that began it must not end
    /// it.
    Session {
        /// The token.
        bearer: SecretString,
        /// The id of the session's user: digits, or the whole agent id.
        user_id: String,
        /// The secret needed to refresh the session.
        csrf: SecretString,
        /// The session's id.
        session_id: SecretString,
    },
    /// A token that was obtained elsewhere and cannot be refreshed.
    Bearer {
        /// The token.
        bearer: SecretString,
        /// The id of the token's user: digits, or the whole agent id.
        user_id: String,
    },
}

impl AgentLogin {
    /// The login name, if the login has one.
    #[must_use]
    pub fn username(&self) -> Option<&str> {
        match self {
            Self::Password { username, .. } | Self::ApiKey { username, .. } => Some(username),
            Self::Assertion(_) | Self::Provider(_) | Self::Session { .. } | Self::Bearer { .. } => None,
        }
    }
}

/// The result of a login.
#[derive(Clone, Debug)]
pub struct AgentSession {
    /// The token that opens the socket.
    pub bearer: SecretString,
    /// The agent's id in the brand dialect.
    pub agent_id: AgentId,
    /// The agent's public id, if the login returned it.
    pub user_id: Option<UserId>,
    /// The agent's name, if the login returned it.
    pub name: Option<String>,
    refresh: Option<Refresh>,
}

#[derive(Clone, Debug)]
struct Refresh {
    csrf: SecretString,
    session_id: SecretString,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LoginAnswer {
    bearer: SecretString,
    #[serde(default)]
    csrf: Option<SecretString>,
    #[serde(default)]
    session_id: Option<SecretString>,
    config: LoginConfig,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LoginConfig {
    user_id: Value,
    #[serde(default)]
    user_pid: Option<UserId>,
    #[serde(default)]
    login_name: Option<String>,
}

impl AgentSession {
    /// Whether a refresh prolongs the session. If so, the refresh shows whether the session is valid.
    pub(crate) fn can_refresh(&self) -> bool {
        self.refresh.is_some()
    }

    /// Returns the session as a login for another process that continues it. That process can refresh the session if
    /// this one can.
    #[must_use]
    pub fn to_login(&self) -> AgentLogin {
        let (_, user_id) = self.agent_id.as_str().rsplit_once('.').unwrap_or_default();
        let (bearer, user_id) = (self.bearer.clone(), user_id.to_owned());
        match self.refresh.clone() {
            Some(Refresh { csrf, session_id }) => AgentLogin::Session { bearer, user_id, csrf, session_id },
            None => AgentLogin::Bearer { bearer, user_id },
        }
    }
}

impl AgentLogin {
    fn body(&self) -> Option<Value> {
        match self {
            Self::Password { username, password } => {
                Some(json!({ "username": username, "password": password.expose_secret() }))
            }
            Self::ApiKey { username, app_key, secret, access_token, access_token_secret } => Some(json!({
                "username": username,
                "appKey": app_key.expose_secret(),
                "secret": secret.expose_secret(),
                "accessToken": access_token.expose_secret(),
                "accessTokenSecret": access_token_secret.expose_secret(),
            })),
            Self::Assertion(assertion) => Some(json!({ "jwt": "dummy", "assertion": assertion.expose_secret() })),
            Self::Bearer { .. } | Self::Session { .. } | Self::Provider(_) => None,
        }
    }
}

impl PlatformClient {
    /// Logs an agent in, within the login rate.
    ///
    /// # Errors
    /// [`HttpError`]; its `login_refusal` says whether a repetition can help.
    pub async fn log_in(&self, login: &AgentLogin) -> Result<AgentSession, HttpError> {
        if let AgentLogin::Bearer { bearer, user_id } = login {
            let agent_id = self.agent_id(user_id);
            return Ok(AgentSession { bearer: bearer.clone(), agent_id, user_id: None, name: None, refresh: None });
        }
        if let AgentLogin::Session { bearer, user_id, csrf, session_id } = login {
            let agent_id = self.agent_id(user_id);
            let refresh = Some(Refresh { csrf: csrf.clone(), session_id: session_id.clone() });
            return Ok(AgentSession { bearer: bearer.clone(), agent_id, user_id: None, name: None, refresh });
        }
        self.platform.turns.log_in(&self.account).await;
        if let AgentLogin::Provider(provider) = login {
            return self.provided(&**provider).await;
        }
        let service = Service::AgentLogin;
        let host = self.host(service).await?;
        let path = format!("/api/account/{}/login?v=1.3", self.account);
        let body = login.body();
        let call = Call { service, host: host.clone(), path, headers: Vec::new(), body: body.as_ref() };
        let answer: LoginAnswer = read(&self.post(call).await?, service, &host)?;
        let LoginAnswer { bearer, csrf, session_id, config } = answer;
        let user = config.user_id.as_str().map_or_else(|| config.user_id.to_string(), str::to_owned);
        Ok(AgentSession {
            bearer,
            agent_id: AgentId::of(&self.account, &user),
            user_id: config.user_pid,
            name: config.login_name,
            refresh: csrf.zip(session_id).map(|(csrf, session_id)| Refresh { csrf, session_id }),
        })
    }

    /// The agent `user` of the account. People also copy the whole agent id, `account.user`.
    fn agent_id(&self, user: &str) -> AgentId {
        let alone = user.strip_prefix(self.account.as_str()).and_then(|rest| rest.strip_prefix('.'));
        AgentId::of(&self.account, alone.unwrap_or(user))
    }

    async fn provided(&self, provider: &dyn TokenProvider) -> Result<AgentSession, HttpError> {
        let within = self.platform.settings.provider_timeout;
        let late = || TokenError::Unavailable(format!("no token within {} s", within.as_secs()));
        let token = timeout(within, provider.token()).await.unwrap_or_else(|_| Err(late()))?;
        let AgentToken { bearer, user_id, public_id, name } = token;
        let agent_id = self.agent_id(&user_id);
        Ok(AgentSession { bearer, agent_id, user_id: public_id, name, refresh: None })
    }

    /// Prolongs an agent's session; does nothing if the session cannot be prolonged.
    ///
    /// # Errors
    /// [`HttpError`]; a 401 means that the session is gone.
    pub async fn refresh(&self, session: &AgentSession) -> Result<(), HttpError> {
        self.with_session(session, "refresh").await
    }

    /// Ends an agent's session.
    ///
    /// # Errors
    /// [`HttpError`] if the platform did not receive the request; the session then expires by itself.
    pub async fn log_out(&self, session: &AgentSession) -> Result<(), HttpError> {
        self.with_session(session, "logout").await
    }

    async fn with_session(&self, session: &AgentSession, operation: &str) -> Result<(), HttpError> {
        let Some(Refresh { csrf, session_id }) = &session.refresh else { return Ok(()) };
        let service = Service::AgentLogin;
        let host = self.host(service).await?;
        let body = json!({ "csrf": csrf.expose_secret() });
        let call = Call {
            service,
            host,
            path: format!("/api/account/{}/{operation}?v=1.3", self.account),
            headers: vec![("cookie", format!("session_id={};", session_id.expose_secret()))],
            body: Some(&body),
        };
        self.post(call).await.map(drop)
    }
}
