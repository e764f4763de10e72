//! Converts a connection of the configuration to the actors' settings.

use tertulia_actors::{
    connection::{ConnectionSettings, Role},
    core::{id::AccountId, ums::ClientProperties},
    intake::IntakeSettings,
    platform::Proxy,
};

use crate::config::{self, Access, Connection};

#[cfg(test)]
mod tests;

/// The actors' settings of a connection.
#[derive(Clone)]
pub(crate) enum Described {
    /// A connection with a socket.
    Socket(Box<ConnectionSettings>),
    /// A connection that receives webhooks.
    Webhooks(Box<IntakeSettings>),
}

impl Described {
    pub(crate) fn account(&self) -> &AccountId {
        match self {
            Self::Socket(settings) => &settings.account,
            Self::Webhooks(settings) => &settings.account,
        }
    }

    pub(crate) fn role(&self) -> Role {
        match self {
            Self::Socket(settings) => settings.role(),
            Self::Webhooks(settings) => settings.role(),
        }
    }
}

/// The actors' settings of `connection`.
pub(crate) fn describe(connection: &Connection) -> Described {
    let (id, account) = (connection.id.as_str(), connection.account.as_str());
    match connection.access.clone() {
        Access::Brand(login) => socket(connection, ConnectionSettings::bot(id, account, login)),
        Access::Consumer(login) => socket(connection, ConnectionSettings::consumer(id, account, login)),
        Access::Connector(app) => webhooks(connection, IntakeSettings::connector(id, account, app)),
        Access::Intake { app, agent } => {
            webhooks(connection, IntakeSettings { agent, ..IntakeSettings::intake(id, account, app) })
        }
    }
}

fn socket(connection: &Connection, settings: ConnectionSettings) -> Described {
    let own = || (settings.stages.clone(), settings.agents.clone());
    let (stages, agents) = connection.subscribe.clone().unwrap_or_else(own);
    Described::Socket(Box::new(ConnectionSettings {
        proxy: proxy(connection),
        client_properties: client_properties(connection),
        stages,
        agents,
        rings: connection.rings,
        history: connection.history,
        agent_state: connection.agent_state.clone(),
        ..settings
    }))
}

fn webhooks(connection: &Connection, settings: IntakeSettings) -> Described {
    Described::Webhooks(Box::new(IntakeSettings {
        proxy: proxy(connection),
        client_properties: client_properties(connection),
        history: connection.history,
        ..settings
    }))
}

/// The proxy between `connection` and the platform.
pub(crate) fn proxy(connection: &Connection) -> Option<Proxy> {
    let config::Proxy { host, port, credentials, only_public } = connection.proxy.as_ref()?;
    Some(Proxy { host: host.clone(), port: *port, credentials: credentials.clone(), only_public: *only_public })
}

fn client_properties(connection: &Connection) -> ClientProperties {
    let Some(described) = &connection.client_properties else { return ClientProperties::default() };
    let mut properties = ClientProperties { features: described.features.clone(), ..ClientProperties::default() };
    for (name, text) in &described.texts {
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
