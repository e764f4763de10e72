//! The caller of a request, and the connections that they reach.

use std::{
    future::{Ready, ready},
    sync::Arc,
};

use actix_web::{FromRequest, HttpMessage as _, HttpRequest, dev::Payload, http::StatusCode, web::Data};
use serde_json::Value;
use tertulia_actors::{
    ConnectionHandle, Tertulia,
    conversation::ConversationHandle,
    core::id::{ConnectionId, ConversationId},
};
use tokio_util::sync::CancellationToken;

use super::{State, bulk::CallersJobs, dead_letters::CallersLetters, webhooks::CallersWebhooks};
use crate::{
    config::{Environment, Scope},
    fleet::{AddConnectionError, Adding, Described},
    gateway::{access::Holder, problem::Problem},
    reach::Reach,
};

/// The caller of a request. Everything else is for them as if it did not exist.
#[derive(Clone)]
pub(in crate::gateway) struct Caller {
    state: Data<State>,
    holder: Arc<Holder>,
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let state = request.app_data::<Data<State>>().cloned();
        let holder = request.extensions().get::<Arc<Holder>>().cloned();
        // Fails only for a resource that does not require an admitted caller.
        let unknown =
            || Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the request failed inside the service");
        ready(state.zip(holder).map(|(state, holder)| Self { state, holder }).ok_or_else(unknown))
    }
}

impl Caller {
    /// The name of the token; `None` without tokens.
    pub(in crate::gateway) fn name(&self) -> Option<Arc<str>> {
        self.holder.name.clone()
    }

    pub(in crate::gateway) fn scope(&self) -> Scope {
        self.holder.scope
    }

    pub(in crate::gateway) fn reach(&self) -> &Reach {
        &self.holder.reach
    }

    pub(in crate::gateway) fn holder(&self) -> &Arc<Holder> {
        &self.holder
    }

    /// The largest body of a request to a service of the platform, in bytes.
    pub(in crate::gateway) fn forwarded_bytes(&self) -> u64 {
        self.holder.forwarded_bytes
    }

    /// Cancelled when the token is no longer valid, and when the gateway stops.
    pub(in crate::gateway) fn gone(&self) -> &CancellationToken {
        &self.holder.gone
    }

    pub(in crate::gateway) fn state(&self) -> &Data<State> {
        &self.state
    }

    /// Everything, for a caller who may administer the whole service.
    ///
    /// # Errors
    /// The token has another scope, or does not reach every connection.
    pub(in crate::gateway) fn administer(&self) -> Result<&Arc<Tertulia>, Problem> {
        let refused = |detail: &'static str| Err(Problem::new(StatusCode::FORBIDDEN, "not-permitted", detail));
        if self.holder.scope < Scope::Admin {
            return refused("this request needs a token with the scope admin");
        }
        if !self.reach().is_everything() {
            return refused("this request needs a token that reaches every connection");
        }
        Ok(&self.state.tertulia)
    }

    /// The ids of the caller's connections, sorted.
    pub(in crate::gateway) fn connections(&self) -> Vec<ConnectionId> {
        let mut ids = self.state.tertulia.connections();
        ids.retain(|id| self.reach().sees(id.as_str()));
        ids.sort_unstable();
        ids
    }

    /// The caller's connections that no node runs at the moment, as far as this node knows them.
    pub(in crate::gateway) fn unheld(&self) -> Vec<(ConnectionId, Described)> {
        let mut unheld = self.state.added.unheld();
        unheld.retain(|(id, _)| self.reach().sees(id.as_str()));
        unheld
    }

    /// A connection.
    ///
    /// # Errors
    /// The caller has no connection with this id.
    pub(in crate::gateway) fn connection(&self, id: &ConnectionId) -> Result<ConnectionHandle, Problem> {
        let handle = Some(self.state.tertulia.connection(id)).filter(|_| self.reach().sees(id.as_str()));
        handle.filter(|handle| handle.status().is_some()).ok_or_else(|| Problem::unknown_connection(id))
    }

    /// The requested connection, or all connections by name.
    pub(in crate::gateway) fn candidates(
        &self,
        asked: Option<&ConnectionId>,
    ) -> Result<Vec<ConnectionHandle>, Problem> {
        match asked {
            Some(id) => Ok(vec![self.connection(id)?]),
            None => Ok(self.connections().iter().map(|id| self.state.tertulia.connection(id)).collect()),
        }
    }

    /// A conversation of a connection, whose commands name the caller.
    pub(in crate::gateway) fn conversation(
        &self,
        connection: &ConnectionHandle,
        id: &ConversationId,
    ) -> Option<ConversationHandle> {
        Some(connection.conversation(id)?.called_by(self.name()))
    }

    /// One page of the conversations of `connections`; see [`Tertulia::conversations_page`].
    pub(in crate::gateway) fn conversations_page(
        &self,
        connections: &[ConnectionHandle],
        after: Option<(&str, &str)>,
        limit: usize,
        is_meant: impl Fn(&ConversationHandle) -> bool,
    ) -> (Vec<ConversationHandle>, bool) {
        let ids: Vec<ConnectionId> = connections.iter().map(|connection| connection.id().clone()).collect();
        self.state.tertulia.conversations_page(&ids, after, limit, is_meant)
    }

    /// Adds a connection, which must be within the caller's reach.
    ///
    /// # Errors
    /// [`AddConnectionError`].
    pub(in crate::gateway) async fn add_connection(&self, definition: Value) -> Result<Adding, AddConnectionError> {
        self.state.added.add(definition, &Environment::of_process(), self.reach()).await
    }

    /// Removes a connection.
    ///
    /// # Errors
    /// The caller has no connection with this id, or the service is stopping.
    pub(in crate::gateway) async fn remove_connection(&self, id: &ConnectionId) -> Result<(), Problem> {
        self.connection(id)?;
        if self.state.added.remove(id).await? { Ok(()) } else { Err(Problem::unknown_connection(id)) }
    }

    pub(in crate::gateway) fn webhooks(&self) -> CallersWebhooks<'_> {
        CallersWebhooks { webhooks: &self.state.webhooks, reach: self.reach() }
    }

    pub(in crate::gateway) fn jobs(&self) -> CallersJobs<'_> {
        CallersJobs { bulk: &self.state.bulk, reach: self.reach(), name: self.name() }
    }

    pub(in crate::gateway) fn dead_letters(&self) -> CallersLetters<'_> {
        CallersLetters { tertulia: &self.state.tertulia, webhooks: self.webhooks(), reach: self.reach() }
    }
}
