//! Connections without a socket: webhooks, consumers, loading and unloading.

use bytes::Bytes;
use serde_json::Value;
use tertulia_core::{
    id::{ConversationId, ExternalConsumerId},
    rest::RestRequest,
    ums::ConversationRequest,
};
use tokio::sync::oneshot;

use super::{ConnectionHandle, answered};
use crate::{
    connection::webhook::{
        AskRest, ConsumerProfile, Load, LoadError, OpenConversation, Unload, UnloadError, WebhookError, WebhookInbox,
    },
    conversation::ConversationHandle,
    fleet::Address,
    request::RequestFailure,
};

impl ConnectionHandle {
    /// Processes a webhook of the platform: `signature` is its header `x-liveperson-signature`, `body` its raw bytes
    /// (protocol [§10.4](crate::protocol#104)). Returns when the webhook is in the queues of its conversations, so that
    /// a later request to them runs after it. A repeated webhook is accepted and changes nothing.
    ///
    /// # Errors
    /// [`WebhookError`]; each variant names the status to respond with. A wrong signature is counted.
    pub async fn receive_webhook(&self, signature: Option<&str>, body: Bytes) -> Result<(), WebhookError> {
        let inbox = self.inbox().ok_or_else(|| WebhookError::UnknownConnection(self.id.clone()))?;
        inbox.verify(signature, &body)?;
        inbox.take(body).await
    }

    /// Returns whether [`Self::receive_webhook`] may accept a webhook with this signature, before its body is read.
    ///
    /// # Errors
    /// [`WebhookError`]: the connection does not accept webhooks, or the signature is missing or malformed. A missing
    /// or malformed signature is counted.
    pub fn expects_webhook(&self, signature: Option<&str>) -> Result<(), WebhookError> {
        let inbox = self.inbox().ok_or_else(|| WebhookError::UnknownConnection(self.id.clone()))?;
        inbox.expects(signature)
    }

    /// Processes a notification from a trusted source, such as the caller's own queue, without a signature
    /// ([CN-F14](crate::rules#cn-f14)). Otherwise like [`Self::receive_webhook`].
    ///
    /// # Errors
    /// [`WebhookError`], but never for a signature.
    pub async fn receive_notification(&self, body: Bytes) -> Result<(), WebhookError> {
        let inbox = self.inbox().ok_or_else(|| WebhookError::UnknownConnection(self.id.clone()))?;
        inbox.take(body).await
    }

    /// Opens a conversation for a connector's consumer, identified by the connector's own id for them. Members absent
    /// from `request` have the platform's defaults. If the response is lost, a conversation may have been opened; its
    /// notifications will show it.
    ///
    /// # Errors
    /// [`RequestFailure`].
    pub async fn create_conversation_for(
        &self,
        consumer: ExternalConsumerId,
        profile: ConsumerProfile,
        request: ConversationRequest,
    ) -> Result<ConversationHandle, RequestFailure> {
        self.status().ok_or(RequestFailure::NotConnected)?;
        let no_connector = RequestFailure::NotSupported("only a connector opens conversations for consumers it names");
        let inbox = self.inbox().ok_or(no_connector)?;
        let (reply, answer) = oneshot::channel();
        inbox.address.do_send(OpenConversation { consumer, profile, request, reply });
        let id = answered(answer).await?;
        self.conversation(&id).ok_or(RequestFailure::ConnectionLost)
    }

    /// Sends a request of the platform's REST API as the agent of an intake. Use it where a conversation has no
    /// command, such as to read a conversation that is not in memory or to let another agent take part. A request that
    /// changes something is conditional on the version read just before, and is repeated a few times if another client
    /// changed the conversation in between. Returns the body for a read, and `null` for a change.
    ///
    /// # Errors
    /// [`RequestFailure`].
    pub async fn rest(&self, row: RestRequest) -> Result<Value, RequestFailure> {
        let no_intake = RequestFailure::NotSupported("the connection has a socket to ask");
        let inbox = self.inbox().ok_or(no_intake)?;
        let (reply, answer) = oneshot::channel();
        inbox.address.do_send(AskRest { row, reply });
        let answer = answered(answer).await?;
        answer.read(|response| Ok(response.outcome()?.map(|body| body.to_value()).unwrap_or_default()))
    }

    /// Loads a conversation into memory from its snapshot ([CN-F13](crate::rules#cn-f13)). It stays until
    /// [`Self::unload`] was called as often as this. A conversation that is already in memory stays as it is.
    ///
    /// # Errors
    /// [`LoadError`].
    pub async fn load(&self, snapshot: &str) -> Result<ConversationHandle, LoadError> {
        let unknown = || LoadError::UnknownConnection(self.id.clone());
        let inbox = self.inbox().ok_or_else(unknown)?;
        let id = inbox.address.send(Load { snapshot: snapshot.to_owned() }).await.unwrap_or_else(|_| Err(unknown()))?;
        self.conversation(&id).ok_or_else(unknown)
    }

    /// Unloads a conversation that was loaded, or that a notification to an intake created
    /// ([CV-F15](crate::rules#cv-f15)). Take its snapshot first; commands that wait fail.
    ///
    /// # Errors
    /// [`UnloadError`].
    pub async fn unload(&self, conversation: &ConversationId) -> Result<(), UnloadError> {
        let unknown = || UnloadError::UnknownConnection(self.id.clone());
        let inbox = self.inbox().ok_or_else(unknown)?;
        let unload = Unload { conversation: conversation.clone() };
        inbox.address.send(unload).await.unwrap_or_else(|_| Err(unknown()))
    }

    fn inbox(&self) -> Option<WebhookInbox> {
        match self.member()?.address {
            Address::Intake(inbox) => Some(inbox),
            Address::Socket(_) => None,
        }
    }
}
