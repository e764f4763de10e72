//! The reply channels of the caller of a command.

use tokio::sync::oneshot;

use super::{ConversationError, Done};

/// The reply channels of a command's caller.
pub(crate) struct Reply {
    outcome: oneshot::Sender<Result<Done, ConversationError>>,
    /// Receives a signal when a durable command is in the outbox. Dropped if the command never gets into the outbox.
    accepted: Option<oneshot::Sender<()>>,
}

impl From<oneshot::Sender<Result<Done, ConversationError>>> for Reply {
    fn from(outcome: oneshot::Sender<Result<Done, ConversationError>>) -> Self {
        Self { outcome, accepted: None }
    }
}

impl Reply {
    /// Returns the same reply, which also signals on `accepted` that the command is accepted.
    pub(crate) fn reporting(self, accepted: oneshot::Sender<()>) -> Self {
        Self { accepted: Some(accepted), ..self }
    }

    /// Tells the caller that the command is accepted.
    pub(crate) fn accept(&mut self) {
        if let Some(accepted) = self.accepted.take() {
            // The caller may be gone.
            let _ = accepted.send(());
        }
    }

    /// Tells the caller the outcome.
    pub(crate) fn send(self, outcome: Result<Done, ConversationError>) {
        // The caller may be gone.
        let _ = self.outcome.send(outcome);
    }
}
