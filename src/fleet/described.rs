//! A connection of the configuration, as the actors are told of it.

use tertulia_actors::{
    connection::{self as actors, ConnectionSettings},
    core::{
        conversation::HistoryStart,
        id::AgentId,
        ums::{AgentState, ClientProperties, Stage},
    },
    intake::IntakeSettings,
    platform::{AgentLogin, AppCredentials, ConsumerLogin, Proxy, ProxyCredentials},
};

use super::UnsupportedLogin;
use crate::config::{self, Agents, Connection, Login, Rings, Role};

#[cfg(test)]
mod tests;

/// A connection as the actors are told of it.
pub(crate) enum Described {
    /// It has a socket.
    Socket(Box<ConnectionSettings>),
    /// It takes webhooks.
    Webhooks(Box<IntakeSettings>),
}

/// How a connection proves who it is.
pub(crate) enum Identity {
    /// An agent or a consumer, on a socket.
    User(actors::Login),
    /// An application, by webhooks and the Send API.
    App(AppCredentials),
}

/// What the actors are told of `connection`.
pub(crate) fn describe(connection: &Connection) -> Result<Described, UnsupportedLogin> {
    let (id, account) = (connection.id.as_str(), connection.account.as_str());
    let settings = match identity(connection)? {
        Identity::User(actors::Login::Agent(login)) => ConnectionSettings::bot(id, account, login),
        Identity::User(actors::Login::Consumer(login)) => ConnectionSettings::consumer(id, account, login),
        Identity::App(app) => {
            let settings = match connection.role {
                Role::Intake => {
                    // With an agent's whole set of keys it acts as that agent, by the platform's REST.
                    let agent = connection.login.as_ref().and_then(key_set);
                    IntakeSettings { agent, ..IntakeSettings::intake(id, account, app) }
                }
                Role::Brand | Role::Consumer | Role::Connector => IntakeSettings::connector(id, account, app),
            };
            let (proxy, client_properties) = (proxy(connection), client_properties(connection));
            let history = history(connection.history);
            return Ok(Described::Webhooks(Box::new(IntakeSettings { proxy, client_properties, history, ..settings })));
        }
    };
    let subscribe = connection.subscribe.as_ref().map(|subscription| subscribe(subscription, connection.role));
    Ok(Described::Socket(Box::new(ConnectionSettings {
        proxy: proxy(connection),
        client_properties: client_properties(connection),
        subscribe: subscribe.unwrap_or_else(|| settings.subscribe.clone()),
        rings: match connection.rings {
            Rings::Accept => actors::Rings::Accept,
            Rings::Manual => actors::Rings::Manual,
            Rings::Off => actors::Rings::Off,
        },
        history: history(connection.history),
        agent_state: connection.agent_state.map(agent_state),
        ..settings
    })))
}

/// How `connection` proves who it is.
pub(crate) fn identity(connection: &Connection) -> Result<Identity, UnsupportedLogin> {
    let login = connection.login.as_ref();
    let identity = match connection.role {
        Role::Brand => login.and_then(agent).map(actors::Login::Agent).map(Identity::User),
        Role::Consumer => consumer(login).map(actors::Login::Consumer).map(Identity::User),
        Role::Connector | Role::Intake => login.and_then(app).map(Identity::App),
    };
    identity.ok_or_else(|| UnsupportedLogin { connection: connection.id.clone() })
}

/// What stands between `connection` and the platform.
pub(crate) fn proxy(connection: &Connection) -> Option<Proxy> {
    let config::Proxy { host, port, credentials, only_public } = connection.proxy.as_ref()?;
    let credentials = credentials.clone().map(|(username, password)| ProxyCredentials { username, password });
    Some(Proxy { host: host.clone(), port: *port, credentials, only_public: *only_public })
}

fn client_properties(connection: &Connection) -> ClientProperties {
    let Some(told) = &connection.client_properties else { return ClientProperties::default() };
    let mut properties = ClientProperties { features: told.features.clone(), ..ClientProperties::default() };
    for (name, text) in &told.texts {
        let text = text.clone();
        match *name {
            "appId" => properties.app_id = Some(text),
            "appVersion" => properties.app_version = Some(text),
            "deviceFamily" => properties.device_family = Some(text),
            "os" => properties.os = Some(text),
            "integration" => properties.integration = Some(text),
            other => {
                properties.others.insert(other.to_owned(), text.into());
            }
        }
    }
    properties
}

fn app(login: &Login) -> Option<AppCredentials> {
    match login {
        Login::Application { app_key, secret } | Login::KeySet { app_key, secret, .. } => {
            Some(AppCredentials { client_id: app_key.clone(), secret: secret.clone() })
        }
        Login::Password { .. } | Login::Bearer { .. } | Login::Assertion { .. } => None,
    }
}

fn agent(login: &Login) -> Option<AgentLogin> {
    match login {
        Login::Password { username, password } => {
            Some(AgentLogin::Password { username: username.clone(), password: password.clone() })
        }
        Login::KeySet { .. } => key_set(login),
        Login::Bearer { bearer, user_id } => {
            Some(AgentLogin::Bearer { bearer: bearer.clone(), user_id: user_id.clone() })
        }
        Login::Assertion { assertion } => Some(AgentLogin::Assertion(assertion.clone())),
        Login::Application { .. } => None,
    }
}

fn key_set(login: &Login) -> Option<AgentLogin> {
    let Login::KeySet { username, app_key, secret, access_token, access_token_secret } = login else { return None };
    Some(AgentLogin::ApiKey {
        username: username.clone(),
        app_key: app_key.clone().into(),
        secret: secret.clone(),
        access_token: access_token.clone(),
        access_token_secret: access_token_secret.clone(),
    })
}

fn consumer(login: Option<&Login>) -> Option<ConsumerLogin> {
    match login {
        None => Some(ConsumerLogin::SignUp),
        Some(Login::Bearer { bearer, .. }) => Some(ConsumerLogin::Token(bearer.clone())),
        Some(Login::Assertion { assertion }) => {
            Some(ConsumerLogin::Authenticated { connector: None, token: assertion.clone() })
        }
        Some(Login::Password { .. } | Login::KeySet { .. } | Login::Application { .. }) => None,
    }
}

fn subscribe(subscription: &config::Subscription, role: Role) -> actors::Subscribe {
    let stage = subscription.stage.iter().map(|stage| match stage {
        config::Stage::Open => Stage::Open,
        config::Stage::Close => Stage::Close,
        config::Stage::Locked => Stage::Locked,
    });
    let agents = match &subscription.agents {
        // A consumer sees their own conversations, whoever serves them.
        _ if role == Role::Consumer => actors::Agents::All,
        Agents::Own => actors::Agents::Mine,
        Agents::All => actors::Agents::All,
        Agents::Listed(agents) => {
            actors::Agents::Listed(agents.iter().map(|agent| AgentId::from(agent.as_str())).collect())
        }
    };
    actors::Subscribe { stage: stage.collect(), agents }
}

fn history(history: config::History) -> HistoryStart {
    match history {
        config::History::Beginning => HistoryStart::Beginning,
        config::History::FirstSeen => HistoryStart::FirstSeen,
    }
}

fn agent_state(state: config::AgentState) -> AgentState {
    match state {
        config::AgentState::Online => AgentState::Online,
        config::AgentState::Occupied => AgentState::Occupied,
        config::AgentState::BackSoon => AgentState::BackSoon,
        config::AgentState::Away => AgentState::Away,
        config::AgentState::Offline => AgentState::Offline,
    }
}
