//! `tertulia check --connect`: checks that the platform can be reached and that each connection can log in.

use std::{sync::Arc, time::Duration};

use futures_util::{Stream, StreamExt as _, stream};
use tertulia_actors::{
    core::id::AccountId,
    platform::{AgentLogin, ConsumerLogin, HttpError, Platform, PlatformClient, PlatformSettings, Service},
};
use tokio::time::timeout;

use crate::{
    config::{Access, Configuration, Connection},
    fleet::proxy,
    service::platform,
};

/// Connections that are tried at the same time.
const PARALLEL: usize = 8;
/// How long one request may take: short, because a person waits.
const REQUEST_WITHIN: Duration = Duration::from_secs(5);
/// How long one connection may take.
const WITHIN: Duration = Duration::from_secs(20);

/// Why a connection would fail.
#[derive(Debug, thiserror::Error)]
pub(super) enum TrialError {
    /// The platform cannot be reached, or refuses.
    #[error(transparent)]
    Platform(#[from] HttpError),
    /// The platform did not answer in time.
    #[error("no answer within {WITHIN:?}")]
    TimedOut,
}

impl TrialError {
    /// The failure, and what to change in the configuration if that would help.
    pub(super) fn with_advice(&self) -> String {
        match self.advice() {
            Some(advice) => format!("{self}; {advice}"),
            None => self.to_string(),
        }
    }

    fn advice(&self) -> Option<&'static str> {
        match self {
            // The transport reports this failure only as text.
            Self::Platform(HttpError::Unreachable { detail, .. }) if detail.contains("UnknownIssuer") => {
                Some("the authority that signed the platform's certificate is not trusted: set platform.ca_file")
            }
            _ => None,
        }
    }
}

/// The outcome of one connection's trial.
pub(super) struct Trial<'a> {
    pub(super) connection: &'a Connection,
    /// On success, what was done.
    pub(super) outcome: Result<String, TrialError>,
}

/// Tries every connection and yields the outcomes in the order of the file. Must be called inside an actix system.
///
/// # Errors
/// The certificate authority of the configuration cannot be used.
pub(super) fn try_all(configuration: &Configuration) -> anyhow::Result<impl Stream<Item = Trial<'_>>> {
    let settings = PlatformSettings { request_timeout: REQUEST_WITHIN, ..platform(configuration)? };
    let platform = Platform::new(settings)?;
    let trials = configuration.connections.iter().map(move |connection| {
        let platform = Arc::clone(&platform);
        async move {
            let outcome = timeout(WITHIN, try_one(connection, platform)).await.unwrap_or(Err(TrialError::TimedOut));
            Trial { connection, outcome }
        }
    });
    Ok(stream::iter(trials).buffered(PARALLEL))
}

async fn try_one(connection: &Connection, platform: Arc<Platform>) -> Result<String, TrialError> {
    let client = PlatformClient::through(proxy(connection), platform, AccountId::from(connection.account.as_str()));
    match &connection.access {
        Access::Connector(app) | Access::Intake { app, .. } => {
            client.try_app(app).await?;
            Ok(format!("got the application's token at {}", client.host(Service::Sentinel).await?))
        }
        Access::Brand(AgentLogin::Bearer { .. }) => presented(&client, Service::AgentLogin).await,
        Access::Brand(login @ AgentLogin::Session { .. }) => {
            let session = client.log_in(login).await?;
            client.refresh(&session).await?;
            Ok(format!("prolonged the session of {} at {}", session.agent_id, client.host(Service::AgentLogin).await?))
        }
        Access::Brand(login) => {
            let session = client.log_in(login).await?;
            let done = format!("logged in as {} at {}", session.agent_id, client.host(Service::AgentLogin).await?);
            Ok(match client.log_out(&session).await {
                Ok(()) => format!("{done}, and logged out"),
                Err(error) => format!("{done}; the logout failed: {error}"),
            })
        }
        Access::Consumer(ConsumerLogin::Token(_)) => presented(&client, Service::Identity).await,
        Access::Consumer(login) => {
            client.consumer_token(login, None).await?;
            Ok(format!("got a consumer's token at {}", client.host(Service::Identity).await?))
        }
    }
}

/// A bearer token needs no login. Only opening a socket would test the token, and could close the socket in use.
async fn presented(client: &PlatformClient, service: Service) -> Result<String, TrialError> {
    let host = client.host(service).await?;
    Ok(format!("found the platform at {host}; the bearer token was not tried, because only a socket can try it"))
}
