//! Access to the platform beyond the typed methods: additional subscriptions ([CN-F7](crate::rules#cn-f7)), any request
//! of the protocol, and any notification ([CN-F4](crate::rules#cn-f4)).

use std::sync::Arc;

use serde_json::Value;
use tertulia_core::{
    command::Identity,
    ums::{ConversationQuery, Request},
};

use super::ConnectionHandle;
use crate::{
    connection::{AskIdentity, AskWith, ConversationSubscription, SubscribeTo},
    request::{Answer, Ask, Lane, RequestFailure},
};

impl ConnectionHandle {
    /// Sends any request of the protocol, with the given type and body, within the same limits as every other request
    /// ([CN-F4](crate::rules#cn-f4)). Returns the body of the response, or `null` if it has none. If the response is
    /// lost, the library does not search for the outcome.
    ///
    /// # Errors
    /// [`RequestFailure`].
    pub async fn request(
        &self,
        kind: impl Into<String>,
        body: Value,
        headers: Vec<Value>,
        metadata: Vec<Value>,
    ) -> Result<Value, RequestFailure> {
        let request = Request::Raw { kind: kind.into(), body };
        let answer = self.send_with(request, headers, metadata).await?;
        answer.read(|response| Ok(response.outcome()?.map(|body| body.to_value()).unwrap_or_default()))
    }

    /// Returns the identity of the connection once it has logged in: the ids of the agent or consumer, and the agent's
    /// name. With it a caller recognizes the connection's own messages (`Message::is_by`).
    ///
    /// # Errors
    /// [`RequestFailure::NotConnected`] before the first login.
    pub async fn identity(&self) -> Result<Arc<Identity>, RequestFailure> {
        self.ask(|address, reply| address.do_send(AskIdentity { reply })).await
    }

    /// Sends a typed request of the protocol, in the same way as [`Self::request`]. Returns the body of the response,
    /// or `null` if it has none.
    ///
    /// # Errors
    /// [`RequestFailure`].
    pub async fn ask_platform(&self, request: Request) -> Result<Value, RequestFailure> {
        let answer = self.send(request).await?;
        answer.read(|response| Ok(response.outcome()?.map(|body| body.to_value()).unwrap_or_default()))
    }

    /// Subscribes to more conversations than the connection's settings name, now and after each reconnect
    /// ([CN-F7](crate::rules#cn-f7)). Every matching conversation is in memory and its events are emitted until the
    /// returned subscription is dropped.
    ///
    /// # Errors
    /// [`RequestFailure`].
    pub async fn subscribe_conversations(
        &self,
        query: ConversationQuery,
    ) -> Result<ConversationSubscription, RequestFailure> {
        self.ask(|address, reply| address.do_send(SubscribeTo { query, reply })).await
    }

    pub(super) async fn send(&self, request: Request) -> Result<Answer, RequestFailure> {
        self.send_with(request, Vec::new(), Vec::new()).await
    }

    async fn send_with(
        &self,
        request: Request,
        headers: Vec<Value>,
        metadata: Vec<Value>,
    ) -> Result<Answer, RequestFailure> {
        self.ask(|address, reply| {
            let ask = Ask { metadata, ..Ask::new(request, Lane::Command, reply) };
            address.do_send(AskWith { ask, headers });
        })
        .await
    }
}
