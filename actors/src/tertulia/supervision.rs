//! The front of supervision: conversations in quarantine, and dead letters.

use std::{sync::Arc, time::Duration};

use tertulia_core::id::{ConnectionId, ConversationId};
use tokio::time::timeout;

use super::Tertulia;
use crate::{
    connection::{
        Replay,
        roster::{ListQuarantined, Release},
    },
    conversation::{CommandFailure, LetterOfCommand, QuarantinedConversation, ReleaseError},
    dead_letters::{DeadLetter, DeadLetterId, DeadLetterKind, DeadLetters, ReplayError},
    fleet::Address,
};

/// How long a connection's actor may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

impl Tertulia {
    /// The conversations of a connection that failed too often: they take no notifications and no commands. One that
    /// leaves the connection's subscriptions leaves the quarantine too. None where there is no such connection.
    pub async fn quarantined(&self, connection: &ConnectionId) -> Vec<QuarantinedConversation> {
        let answer = async {
            match self.registry.get(connection)?.address {
                Address::Socket(address) => address.send(ListQuarantined).await.ok(),
                Address::Intake(desk) => desk.address.send(ListQuarantined).await.ok(),
            }
        };
        timeout(PATIENCE, answer).await.ok().flatten().unwrap_or_default()
    }

    /// Begins a quarantined conversation anew, with a fresh state and its history caught up. Its events go on where they
    /// ended.
    ///
    /// # Errors
    /// [`ReleaseError`].
    pub async fn release(&self, connection: &ConnectionId, conversation: &ConversationId) -> Result<(), ReleaseError> {
        let member = self.registry.get(connection).ok_or(ReleaseError::UnknownConnection)?;
        let release = Release { conversation: conversation.clone() };
        let answer = async {
            match member.address {
                Address::Socket(address) => address.send(release).await,
                Address::Intake(desk) => desk.address.send(release).await,
            }
        };
        match timeout(PATIENCE, answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(ReleaseError::UnknownConnection),
        }
    }

    /// What could not be handled.
    #[must_use]
    pub fn dead_letters(&self) -> &Arc<DeadLetters> {
        &self.around.dead_letters
    }

    /// Hands a dead letter over again, to the conversation or connection that could not handle it, and forgets it. If it
    /// cannot be handled this time either, it comes back as another one.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub async fn replay_dead_letter(&self, id: &DeadLetterId) -> Result<(), ReplayError> {
        let letter = self.dead_letters().get(id).ok_or_else(|| ReplayError::Unknown(id.clone()))?;
        let not_replayable = || ReplayError::NotReplayable(id.clone());
        match letter.kind {
            _ if letter.is_cut => return Err(not_replayable()),
            DeadLetterKind::Answer | DeadLetterKind::Record | DeadLetterKind::History | DeadLetterKind::Delivery => {
                return Err(not_replayable());
            }
            DeadLetterKind::Command => self.replay_command(&letter)?,
            DeadLetterKind::State | DeadLetterKind::Records | DeadLetterKind::Frame => {
                self.replay_notification(Arc::clone(&letter)).await?;
            }
        }
        self.dead_letters().remove(id).await?;
        Ok(())
    }

    async fn replay_notification(&self, letter: Arc<DeadLetter>) -> Result<(), ReplayError> {
        let nobody = ReplayError::NobodyThere(letter.id.clone());
        let Some(member) = self.registry.get(&letter.connection) else { return Err(nobody) };
        let answer = async {
            match member.address {
                Address::Socket(address) => address.send(Replay(letter)).await.unwrap_or_else(|_| Err(nobody.clone())),
                Address::Intake(desk) => desk.replay(letter).await,
            }
        };
        timeout(PATIENCE, answer).await.unwrap_or_else(|_| Err(nobody.clone()))
    }

    fn replay_command(&self, letter: &DeadLetter) -> Result<(), ReplayError> {
        let id = || letter.id.clone();
        let handle = letter.conversation.as_ref().and_then(|id| self.conversation(&letter.connection, id));
        let handle = handle.ok_or_else(|| ReplayError::NobodyThere(id()))?;
        let LetterOfCommand { key, command } =
            serde_json::from_slice(&letter.body).map_err(|_| ReplayError::NotReplayable(id()))?;
        handle.hand_over(key, command).map_err(|failure| match failure {
            CommandFailure::Overloaded => ReplayError::Overloaded(id()),
            _ => ReplayError::NobodyThere(id()),
        })
    }
}
