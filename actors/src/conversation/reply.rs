//! The way back to the caller of a command.

use tokio::sync::oneshot;

use super::{ConversationError, Done};

/// The reply channels of a command's caller.
pub(crate) struct Reply {
    outcome: oneshot::Sender<Result<Done, ConversationError>>,
    /// Told when a durable command is in the outbox. Dropped if the command never gets there.
    accepted: Option<oneshot::Sender<()>>,
}

impl From<oneshot::Sender<Result<Done, ConversationError>>> for Reply {
    fn from(outcome: oneshot::Sender<Result<Done, ConversationError>>) -> Self {
        Self { outcome, accepted: None }
    }
}

impl Reply {
    /// The same reply, which also tells when the command is accepted.
    pub(crate) fn telling(self, accepted: oneshot::Sender<()>) -> Self {
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
