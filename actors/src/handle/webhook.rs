//! What the front does with connections that have no socket: webhooks, consumers, loading and unloading.

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
    /// Takes a webhook of the platform: `signature` is its `x-liveperson-signature`, `body` its raw bytes (protocol
    /// [§10.4](crate::protocol#104)). It is done when the conversations concerned have it in their queues, so that
    /// whatever is asked of them afterwards comes behind it. A repetition is taken and changes nothing.
    ///
    /// # Errors
    /// [`WebhookError`]; each says with which status to answer. A wrong signature is counted.
    pub async fn receive_webhook(&self, signature: Option<&str>, body: Bytes) -> Result<(), WebhookError> {
        let inbox = self.inbox().ok_or_else(|| WebhookError::UnknownConnection(self.id.clone()))?;
        inbox.verify(signature, &body)?;
        inbox.take(body).await
    }

    /// Whether [`Self::receive_webhook`] may take a webhook with this signature, before its body was read.
    ///
    /// # Errors
    /// [`WebhookError`]: the connection takes no webhooks, or the signature can be that of no body. A missing or
    /// malformed signature is counted.
    pub fn expects_webhook(&self, signature: Option<&str>) -> Result<(), WebhookError> {
        let inbox = self.inbox().ok_or_else(|| WebhookError::UnknownConnection(self.id.clone()))?;
        inbox.expects(signature)
    }

    /// Takes a notification whose way here vouches for it, such as a queue of one's own
    /// ([CN-F14](crate::rules#cn-f14)). Everything else is as with [`Self::receive_webhook`].
    ///
    /// # Errors
    /// [`WebhookError`], but never for a signature.
    pub async fn receive_notification(&self, body: Bytes) -> Result<(), WebhookError> {
        let inbox = self.inbox().ok_or_else(|| WebhookError::UnknownConnection(self.id.clone()))?;
        inbox.take(body).await
    }

    /// Opens a conversation for a consumer of a connector, who is named by the connector's own name for them. What is
    /// not told of the request has the platform's defaults. If the answer is lost, a conversation may have been opened;
    /// its notifications tell.
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

    /// Asks a row of the platform's REST as the agent of an intake: what no command of a conversation asks, such as
    /// reading a conversation that is not in memory, or another agent's taking part. A row that changes something is
    /// written against the version read just before, and begun anew a few times where somebody else came between.
    /// Answers what was read, and `null` for a change.
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

    /// Takes a conversation into memory by its snapshot ([CN-F13](crate::rules#cn-f13)), until it is unloaded as often
    /// as it was loaded. One that is in memory already stays as it is.
    ///
    /// # Errors
    /// [`LoadError`].
    pub async fn load(&self, snapshot: &str) -> Result<ConversationHandle, LoadError> {
        let unknown = || LoadError::UnknownConnection(self.id.clone());
        let inbox = self.inbox().ok_or_else(unknown)?;
        let id = inbox.address.send(Load { snapshot: snapshot.to_owned() }).await.unwrap_or_else(|_| Err(unknown()))?;
        self.conversation(&id).ok_or_else(unknown)
    }

    /// Takes a conversation out of memory that was loaded, or that a notification to an intake brought
    /// ([CV-F15](crate::rules#cv-f15)). Its snapshot is to be taken before; commands that wait fail.
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
