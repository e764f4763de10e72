//! Access to the platform beyond the typed methods: additional subscriptions ([CN-F7](crate::rules#cn-f7)), any request
//! of the protocol, and any notification ([CN-F4](crate::rules#cn-f4)).

use std::sync::Arc;

use serde_json::Value;
use tertulia_core::{
    command::Identity,
    ums::{ConversationQuery, Request},
};

use super::{ConnectionHandle, SOCKET};
use crate::{
    connection::{AskIdentity, AskWith, ConnectionError, ConversationSubscription, Role, SubscribeTo},
    request::{Answer, Ask, Lane},
};

impl ConnectionHandle {
    /// Sends any request of the protocol, with the given type and body, within the same limits as every other request
    /// ([CN-F4](crate::rules#cn-f4)). Returns the body of the response, or `null` if it has none. If the response is
    /// lost, the library does not search for the outcome.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doctests/stage.rs"));
    /// # fn main() { stage::run(async |tertulia, _| {
    /// # let bot = stage::bot(tertulia).await;
    /// use serde_json::json;
    ///
    /// let clock = bot.request(".GetClock", json!({}), Vec::new(), Vec::new()).await?;
    /// println!("the platform's time is {}", clock["currentTime"]);
    /// # assert!(clock["currentTime"].is_u64());
    /// # Ok(())
    /// # }) }
    /// ```
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub async fn request(
        &self,
        kind: impl Into<String>,
        body: Value,
        headers: Vec<Value>,
        metadata: Vec<Value>,
    ) -> Result<Value, ConnectionError> {
        let request = Request::Raw { kind: kind.into(), body };
        let answer = self.send_with("request", SOCKET, request, headers, metadata).await?;
        Ok(answer.read(|response| Ok(response.outcome()?.map(|body| body.to_value()).unwrap_or_default()))?)
    }

    /// Returns the identity of the connection once it has logged in: the ids of the agent or consumer, and the agent's
    /// name. With it a caller recognizes the connection's own messages (`Message::is_by`).
    ///
    /// # Errors
    /// [`RequestError::NotConnected`](crate::connection::RequestError::NotConnected) before the first login.
    pub async fn identity(&self) -> Result<Arc<Identity>, ConnectionError> {
        self.ask("identity", SOCKET, |address, reply| address.do_send(AskIdentity { reply })).await
    }

    /// Sends a typed request of the protocol, in the same way as [`Self::request`]. Returns the body of the response,
    /// or `null` if it has none.
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub async fn ask_platform(&self, request: Request) -> Result<Value, ConnectionError> {
        let answer = self.send("ask_platform", SOCKET, request).await?;
        Ok(answer.read(|response| Ok(response.outcome()?.map(|body| body.to_value()).unwrap_or_default()))?)
    }

    /// Subscribes to more conversations than the connection's settings name, now and after each reconnect
    /// ([CN-F7](crate::rules#cn-f7)). Every matching conversation is in memory and its events are emitted until the
    /// returned subscription is dropped.
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub async fn subscribe_conversations(
        &self,
        query: ConversationQuery,
    ) -> Result<ConversationSubscription, ConnectionError> {
        self.ask("subscribe_conversations", SOCKET, |address, reply| address.do_send(SubscribeTo { query, reply }))
            .await
    }

    pub(super) async fn send(
        &self,
        method: &'static str,
        roles: &[Role],
        request: Request,
    ) -> Result<Answer, ConnectionError> {
        self.send_with(method, roles, request, Vec::new(), Vec::new()).await
    }

    async fn send_with(
        &self,
        method: &'static str,
        roles: &[Role],
        request: Request,
        headers: Vec<Value>,
        metadata: Vec<Value>,
    ) -> Result<Answer, ConnectionError> {
        self.ask(method, roles, |address, reply| {
            let ask = Ask { metadata, ..Ask::new(request, Lane::Command, reply) };
            address.do_send(AskWith { ask, headers });
        })
        .await
    }
}
