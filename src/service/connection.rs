//! A connection of the configuration, as the actors are told of it.

use tertulia_actors::{
    connection::{self as actors, ConnectionSettings},
    core::{
        id::AgentId,
        ums::{AgentState, Stage},
    },
    platform::{AgentLogin, ConsumerLogin},
};

use super::ServiceError;
use crate::config::{self, Agents, Connection, Login, Rings, Role};

/// What the actors are told of `connection`.
pub(super) fn settings(connection: &Connection) -> Result<ConnectionSettings, ServiceError> {
    let (id, account) = (connection.id.as_str(), connection.account.as_str());
    let settings = match login(connection)? {
        actors::Login::Agent(login) => ConnectionSettings::bot(id, account, login),
        actors::Login::Consumer(login) => ConnectionSettings::consumer(id, account, login),
    };
    let subscribe = connection.subscribe.as_ref().map(|subscription| subscribe(subscription, connection.role));
    Ok(ConnectionSettings {
        subscribe: subscribe.unwrap_or_else(|| settings.subscribe.clone()),
        rings: match connection.rings {
            Rings::Accept => actors::Rings::Accept,
            Rings::Manual => actors::Rings::Manual,
            Rings::Off => actors::Rings::Off,
        },
        agent_state: connection.agent_state.map(agent_state),
        ..settings
    })
}

/// How `connection` proves who it is.
pub(crate) fn login(connection: &Connection) -> Result<actors::Login, ServiceError> {
    let unsupported = |role| ServiceError::UnsupportedRole { connection: connection.id.clone(), role };
    let mismatched = || ServiceError::UnsupportedLogin { connection: connection.id.clone() };
    match connection.role {
        Role::Brand => connection.login.as_ref().and_then(agent).map(actors::Login::Agent).ok_or_else(mismatched),
        Role::Consumer => consumer(connection.login.as_ref()).map(actors::Login::Consumer).ok_or_else(mismatched),
        Role::Connector => Err(unsupported("connector")),
        Role::Intake => Err(unsupported("intake")),
    }
}

fn agent(login: &Login) -> Option<AgentLogin> {
    match login {
        Login::Password { username, password } => {
            Some(AgentLogin::Password { username: username.clone(), password: password.clone() })
        }
        Login::KeySet { username, app_key, secret, access_token, access_token_secret } => Some(AgentLogin::ApiKey {
            username: username.clone(),
            app_key: app_key.clone().into(),
            secret: secret.clone(),
            access_token: access_token.clone(),
            access_token_secret: access_token_secret.clone(),
        }),
        Login::Bearer { bearer, user_id } => {
            Some(AgentLogin::Bearer { bearer: bearer.clone(), user_id: user_id.clone() })
        }
        Login::Assertion { assertion } => Some(AgentLogin::Assertion(assertion.clone())),
        Login::Application { .. } => None,
    }
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

fn agent_state(state: config::AgentState) -> AgentState {
    match state {
        config::AgentState::Online => AgentState::Online,
        config::AgentState::Occupied => AgentState::Occupied,
        config::AgentState::BackSoon => AgentState::BackSoon,
        config::AgentState::Away => AgentState::Away,
        config::AgentState::Offline => AgentState::Offline,
    }
}
