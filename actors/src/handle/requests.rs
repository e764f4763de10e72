//! The front of what goes beyond the library's own: more subscriptions ([CN-F7](crate::rules#cn-f7)), any request of
//! the wire, and any notification ([CN-F4](crate::rules#cn-f4)).

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
    /// Sends any request of the wire, by the type and body given, within the same limits as every other
    /// ([CN-F4](crate::rules#cn-f4)); the answer's body, `null` where it has none. Nobody looks for its outcome if the
    /// answer is lost.
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

    /// As whom a connection speaks, once it has logged in for the first time: the agent's or consumer's ids and the
    /// agent's name. By it one tells one's own messages from others' (`Message::is_by`).
    ///
    /// # Errors
    /// [`RequestFailure::NotConnected`] before.
    pub async fn identity(&self) -> Result<Arc<Identity>, RequestFailure> {
        self.ask(|address, reply| address.do_send(AskIdentity { reply })).await
    }

    /// Sends a typed request of the wire as [`Self::request`] sends any; the answer's body, `null` where it has none.
    ///
    /// # Errors
    /// [`RequestFailure`].
    pub async fn ask_platform(&self, request: Request) -> Result<Value, RequestFailure> {
        let answer = self.send(request).await?;
        answer.read(|response| Ok(response.outcome()?.map(|body| body.to_value()).unwrap_or_default()))
    }

    /// Subscribes to more conversations than the connection's own settings name ([CN-F7](crate::rules#cn-f7)), now and
    /// after each reconnect. Every one that matches is in memory, and its events are told, until the result is dropped.
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
