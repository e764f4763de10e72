//! Connections without a socket: webhooks, consumers, loading and unloading.

use bytes::Bytes;
use serde_json::Value;
use tertulia_core::{
    id::{ConversationId, ExternalConsumerId},
    rest::RestRequest,
    ums::{ConversationRequest, UserProfile},
};
use tokio::sync::oneshot;

use super::{ConnectionHandle, answered};
use crate::{
    connection::{
        ConnectionError, RequestError, Role,
        webhook::{AskRest, Load, OpenConversation, Unload},
    },
    conversation::ConversationHandle,
};

/// The roles without a socket.
const WEBHOOK: &[Role] = &[Role::Connector, Role::Intake, Role::RestAgent];
/// The roles that speak for consumers.
const FOR_CONSUMERS: &[Role] = &[Role::Connector, Role::Intake];

impl ConnectionHandle {
    /// Processes a webhook of the platform: `signature` is its header `x-liveperson-signature`, `body` its raw bytes
    /// (protocol [§10.4](crate::protocol#104)). Returns when the webhook is in the queues of its conversations, so that
    /// a later request to them runs after it. A repeated webhook is accepted and changes nothing.
    ///
    /// # Errors
    /// [`ConnectionError`]; each variant names the status to respond with. A wrong signature is counted.
    pub async fn receive_webhook(&self, signature: Option<&str>, body: Bytes) -> Result<(), ConnectionError> {
        let inbox = self.inbox("receive_webhook", WEBHOOK)?;
        inbox.verify(signature, &body)?;
        inbox.take_new(body).await
    }

    /// Returns whether [`Self::receive_webhook`] may accept a webhook with this signature, before its body is read.
    ///
    /// # Errors
    /// [`ConnectionError`]: the connection does not accept webhooks, or the signature is missing or malformed. A missing
    /// or malformed signature is counted.
    pub fn expects_webhook(&self, signature: Option<&str>) -> Result<(), ConnectionError> {
        let inbox = self.inbox("expects_webhook", WEBHOOK)?;
        inbox.expects(signature)
    }

    /// Processes a notification from a trusted source, such as the caller's own queue, without a signature
    /// ([CN-F14](crate::rules#cn-f14)). Otherwise like [`Self::receive_webhook`].
    ///
    /// # Errors
    /// [`ConnectionError`], but never for a signature.
    pub async fn receive_notification(&self, body: Bytes) -> Result<(), ConnectionError> {
        let inbox = self.inbox("receive_notification", WEBHOOK)?;
        inbox.take_new(body).await
    }

    /// Makes the connection handle the webhooks that another process has put into
    /// [`Table::Inbox`](crate::engine::Table::Inbox) for it. Until it has, [`Self::receive_webhook`] returns
    /// [`ConnectionError::Overloaded`], so that webhooks keep their order. The connection also looks at the inbox by
    /// itself, after its start and every few seconds.
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub fn look_into_inbox(&self) -> Result<(), ConnectionError> {
        self.inbox("look_into_inbox", WEBHOOK)?.backlog.report();
        Ok(())
    }

    /// Opens a conversation for a connector's consumer, identified by the connector's own id for them, and sets the
    /// consumer's profile. Members absent from `request` have the platform's defaults. If the response is lost, a
    /// conversation may have been opened; its notifications will show it.
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub async fn create_conversation_for(
        &self,
        consumer: ExternalConsumerId,
        profile: UserProfile<'static>,
        request: ConversationRequest,
    ) -> Result<ConversationHandle, ConnectionError> {
        let inbox = self.inbox("create_conversation_for", FOR_CONSUMERS)?;
        let (reply, answer) = oneshot::channel();
        inbox.address.do_send(OpenConversation { consumer, profile, request, reply });
        let id = answered(answer).await?;
        self.conversation(&id).ok_or(ConnectionError::Request(RequestError::ConnectionLost))
    }

    /// Sends a request of the platform's REST API as the agent of an intake. Use it where a conversation has no
    /// command, such as to read a conversation that is not in memory or to let another agent take part. A request that
    /// changes something is conditional on the version read just before, and is repeated a few times if another client
    /// changed the conversation in between. Returns the body for a read, and `null` for a change.
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub async fn rest(&self, request: RestRequest) -> Result<Value, ConnectionError> {
        let inbox = self.inbox("rest", &[Role::RestAgent])?;
        let (reply, answer) = oneshot::channel();
        inbox.address.do_send(AskRest { request, reply });
        let answer = answered(answer).await?;
        Ok(answer.read(|response| Ok(response.outcome()?.map(|body| body.to_value()).unwrap_or_default()))?)
    }

    /// Loads a conversation into memory from its snapshot ([CN-F13](crate::rules#cn-f13)). It stays until
    /// [`Self::unload`] was called as often as this, with a store also after a restart of the process. A conversation that is already in memory stays as it is.
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub async fn load(&self, snapshot: &str) -> Result<ConversationHandle, ConnectionError> {
        let inbox = self.inbox("load", WEBHOOK)?;
        let load = Load { snapshot: snapshot.to_owned() };
        let id = inbox.address.send(load).await.unwrap_or_else(|_| Err(self.unknown()))?;
        let conversation = self.conversation(&id).ok_or_else(|| self.unknown())?;
        if self.system.process.journal.keeps() {
            // The conversation answers after it has written its record. A quarantined one has no record to write.
            let _ = conversation.state().await;
            self.system.process.journal.settled().await;
        }
        Ok(conversation)
    }

    /// Unloads a conversation that was loaded, or that a notification to an intake created
    /// ([CV-F15](crate::rules#cv-f15)). Take its snapshot first; commands that wait fail.
    ///
    /// # Errors
    /// [`ConnectionError`].
    pub async fn unload(&self, conversation: &ConversationId) -> Result<(), ConnectionError> {
        let inbox = self.inbox("unload", WEBHOOK)?;
        let unload = Unload { conversation: conversation.clone() };
        inbox.address.send(unload).await.unwrap_or_else(|_| Err(self.unknown()))?;
        self.system.process.journal.settled().await;
        Ok(())
    }
}
