//! The handle of one connection. This file has what every connection can do; one file each has what agents, consumers
//! and webhook connections can do.

mod agent;
mod consumer;
mod forward;
mod requests;
mod summaries;
mod supervision;
mod webhook;

use std::{fmt, sync::Arc, time::Duration};

use actix::Addr;
use tertulia_core::{
    id::{AccountId, ConnectionId, ConversationId},
    session::Phase,
};
use tokio::{sync::oneshot, time::timeout};

use crate::{
    connection::{
        Connection, ConnectionError, ConnectionStatus, RequestError, Restart, Role, connection_record, duty,
        webhook::WebhookInbox,
    },
    conversation::ConversationHandle,
    engine::StoreError,
    fleet::{Address, Member, StartContext},
    tertulia::System,
};

/// How long a request to a connection may take, including the wait for a reconnect.
const PATIENCE: Duration = Duration::from_secs(60);

/// The roles with a socket.
const SOCKET: &[Role] = &[Role::Agent, Role::Consumer];

/// The handle of a connection, by its id. Cheap to clone, usable from any thread. It stays usable when the connection
/// ends and when another connection with this id starts; as long as no connection has this id, each request fails.
#[derive(Clone)]
pub struct ConnectionHandle {
    id: ConnectionId,
    system: Arc<System>,
}

impl fmt::Debug for ConnectionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionHandle").field("id", &self.id).finish_non_exhaustive()
    }
}

impl ConnectionHandle {
    pub(crate) fn new(id: ConnectionId, system: Arc<System>) -> Self {
        Self { id, system }
    }

    /// The connection's id.
    #[must_use]
    pub fn id(&self) -> &ConnectionId {
        &self.id
    }

    /// Ends the connection and waits until it has ended.
    pub async fn disconnect(&self) {
        if let Some(member) = self.system.registry.remove(&self.id) {
            member.end(PATIENCE).await;
            self.hand_back().await;
        }
    }

    async fn hand_back(&self) {
        let (system, id) = (Arc::clone(&self.system), self.id.clone());
        let is_added_again = move || system.registry.get(&id).is_some();
        duty::hand_back(&self.system.process, &self.id, is_added_again).await;
        self.system.process.metrics.by_connection.forget(&self.id);
    }

    /// Ends the connection like [`Self::disconnect`], and deletes what the store keeps about the connection itself: the
    /// agent's state that a caller set, the consumer after a step-up, which conversations callers have loaded, and webhooks
    /// that other processes accepted for it. Its conversations stay stored.
    ///
    /// # Errors
    /// [`StoreError`]; the connection has ended, and some of its records may stay.
    pub async fn remove(&self) -> Result<(), StoreError> {
        let Some(member) = self.system.registry.remove(&self.id) else { return Ok(()) };
        let process = &self.system.process;
        // If the connection is added again meanwhile, this right is outdated, and the records stay.
        let acting = process.log.acting(&self.id);
        member.end(PATIENCE).await;
        let forgotten = connection_record::forget(&process.journal, acting, &self.id).await;
        self.hand_back().await;
        forgotten
    }

    /// Restarts a connection, even a failed one, with a new login and, if it has a socket, a new socket. Returns
    /// `false` if the connection does not exist. The progress is visible in its status.
    pub fn restart(&self) -> bool {
        let Some(member) = self.member() else { return false };
        let is_alive = match &member.address {
            Address::Socket(connection) => connection.connected() && connection.try_send(Restart).is_ok(),
            Address::Intake(inbox) => inbox.restart(),
        };
        if !is_alive {
            // The connection's actor panicked too often and was given up.
            let policy = &self.system.process.supervision.connection;
            let start = StartContext { pool: &self.system.pool, fleet: &self.system.fleet, policy };
            self.system.registry.begin_again(&self.id, member.life, &start);
        }
        true
    }

    /// The account of the connection.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        self.member().map(|member| member.origin.account)
    }

    /// The role of the connection; `None` if it does not exist.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        self.member().map(|member| member.role)
    }

    /// The status of the connection; `None` if it does not exist.
    #[must_use]
    pub fn status(&self) -> Option<ConnectionStatus> {
        self.member().map(|member| member.status.borrow().clone())
    }

    /// Waits until a connection has restored the data of a previous run and knows whether it may log in, and returns
    /// its status.
    pub async fn begun(&self) -> Option<ConnectionStatus> {
        let mut status = self.member()?.status.subscribe();
        let begun = status.wait_for(|status| status.state != Phase::Idle).await;
        begun.ok().map(|status| status.clone())
    }

    /// Waits until a connection is ready.
    ///
    /// # Errors
    /// [`ConnectionError::Failed`] as soon as the connection has given up, [`ConnectionError::NotReady`] after
    /// `patience`.
    pub async fn ready(&self, patience: Duration) -> Result<(), ConnectionError> {
        let mut status = self.known()?.status.subscribe();
        let settled = |status: &ConnectionStatus| status.is_ready() || status.has_ended();
        let trouble = |status: &ConnectionStatus| status.last_error.clone().unwrap_or_else(|| "none".to_owned());
        let outcome = timeout(patience, status.wait_for(settled)).await.map(|settled| settled.map(|now| now.clone()));
        match outcome {
            Ok(Ok(now)) if now.is_ready() => Ok(()),
            Ok(Ok(now)) => Err(ConnectionError::Failed { connection: self.id.clone(), reason: trouble(&now) }),
            Ok(Err(_)) => Err(self.unknown()),
            Err(_) => {
                let trouble = trouble(&status.borrow());
                Err(ConnectionError::NotReady { connection: self.id.clone(), trouble })
            }
        }
    }

    /// Returns the handle of a conversation of this connection, in memory or only in the store; `None` if the
    /// connection does not have the conversation.
    #[must_use]
    pub fn conversation(&self, conversation: &ConversationId) -> Option<ConversationHandle> {
        self.system.process.directory.get(&self.id, conversation)
    }

    /// Returns the handles of all conversations of this connection, in memory or only in the store.
    #[must_use]
    pub fn conversations(&self) -> Vec<ConversationHandle> {
        self.system.process.directory.of(&self.id)
    }

    /// Sends a request to the connection's actor and waits for the reply.
    async fn ask<T, E>(
        &self,
        method: &'static str,
        roles: &[Role],
        send: impl FnOnce(&Addr<Connection>, oneshot::Sender<Result<T, E>>),
    ) -> Result<T, ConnectionError>
    where
        ConnectionError: From<E>,
    {
        let (reply, answer) = oneshot::channel();
        send(&self.socket(method, roles)?, reply);
        answered(answer).await
    }

    /// The actor of a connection with a socket, if its role is one of `roles`.
    fn socket(&self, method: &'static str, roles: &[Role]) -> Result<Addr<Connection>, ConnectionError> {
        let member = self.known()?;
        match member.address {
            Address::Socket(connection) if roles.contains(&member.role) => Ok(connection),
            _ => Err(self.not_supported(method, member.role)),
        }
    }

    /// The entrance of a connection without a socket, if its role is one of `roles`.
    fn inbox(&self, method: &'static str, roles: &[Role]) -> Result<WebhookInbox, ConnectionError> {
        let member = self.known()?;
        match member.address {
            Address::Intake(inbox) if roles.contains(&member.role) => Ok(inbox),
            _ => Err(self.not_supported(method, member.role)),
        }
    }

    fn known(&self) -> Result<Member, ConnectionError> {
        self.member().ok_or_else(|| self.unknown())
    }

    fn member(&self) -> Option<Member> {
        self.system.registry.get(&self.id)
    }

    fn unknown(&self) -> ConnectionError {
        ConnectionError::UnknownConnection(self.id.clone())
    }

    fn not_supported(&self, method: &'static str, role: Role) -> ConnectionError {
        ConnectionError::NotSupported { connection: self.id.clone(), method, role }
    }
}

/// Waits for a reply, at most [`PATIENCE`].
async fn answered<T, E>(answer: oneshot::Receiver<Result<T, E>>) -> Result<T, ConnectionError>
where
    ConnectionError: From<E>,
{
    match timeout(PATIENCE, answer).await {
        Ok(Ok(answer)) => Ok(answer?),
        Ok(Err(_)) => Err(RequestError::ConnectionLost.into()),
        Err(_) => Err(RequestError::TimedOut.into()),
    }
}
