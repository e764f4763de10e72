//! Supervision of a connection: its conversations in quarantine, and the replay of dead letters.

use std::{sync::Arc, time::Duration};

use tertulia_core::id::ConversationId;
use tokio::time::timeout;

use super::ConnectionHandle;
use crate::{
    connection::{
        ConnectionError, QuarantinedConversation, Replay,
        roster::{ListQuarantined, Release},
    },
    conversation::{ConversationError, LetterOfCommand},
    dead_letters::{DeadLetter, ReplayError},
    fleet::Address,
};

/// How long a connection's actor may take to reply.
const PATIENCE: Duration = Duration::from_secs(10);

impl ConnectionHandle {
    /// Returns the conversations of the connection that panicked too often and therefore receive no notifications and
    /// no commands. A conversation that leaves the connection's subscriptions leaves the quarantine too. Returns an
    /// empty list if the connection does not exist.
    pub async fn quarantined(&self) -> Vec<QuarantinedConversation> {
        let answer = async {
            match self.member()?.address {
                Address::Socket(address) => address.send(ListQuarantined).await.ok(),
                Address::Intake(inbox) => inbox.address.send(ListQuarantined).await.ok(),
            }
        };
        timeout(PATIENCE, answer).await.ok().flatten().unwrap_or_default()
    }

    /// Restarts a quarantined conversation with a fresh state and its history caught up. The sequence of its events
    /// continues.
    ///
    /// # Errors
    /// [`ConnectionError::NotQuarantined`], [`ConnectionError::UnknownConnection`].
    pub async fn release(&self, conversation: &ConversationId) -> Result<(), ConnectionError> {
        let member = self.known()?;
        let release = Release { conversation: conversation.clone() };
        let answer = async {
            match member.address {
                Address::Socket(address) => address.send(release).await,
                Address::Intake(inbox) => inbox.address.send(release).await,
            }
        };
        match timeout(PATIENCE, answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(self.unknown()),
        }
    }

    pub(crate) async fn replay_notification(&self, letter: Arc<DeadLetter>) -> Result<(), ReplayError> {
        let nobody = ReplayError::NobodyThere(letter.id.clone());
        let Some(member) = self.member() else { return Err(nobody) };
        let answer = async {
            match member.address {
                Address::Socket(address) => address.send(Replay(letter)).await.unwrap_or_else(|_| Err(nobody.clone())),
                Address::Intake(inbox) => inbox.replay(letter).await,
            }
        };
        timeout(PATIENCE, answer).await.unwrap_or_else(|_| Err(nobody.clone()))
    }

    pub(crate) fn replay_command(&self, letter: &DeadLetter) -> Result<(), ReplayError> {
        let id = || letter.id.clone();
        let handle = letter.conversation.as_ref().and_then(|id| self.conversation(id));
        let handle = handle.ok_or_else(|| ReplayError::NobodyThere(id()))?;
        let LetterOfCommand { key, command, caller } =
            serde_json::from_slice(&letter.body).map_err(|_| ReplayError::NotReplayable(id()))?;
        handle.called_by(caller).hand_over(key, command).map_err(|failure| match failure {
            ConversationError::Overloaded => ReplayError::Overloaded(id()),
            _ => ReplayError::NobodyThere(id()),
        })
    }
}
