//! The outcome of a step-up, and how far a running step-up is.

use std::collections::{HashMap, HashSet};

use tertulia_core::{
    id::{ConversationId, UserId},
    session::Epoch,
};
use tokio::sync::oneshot;

use crate::{connection::ConnectionError, conversation::ConversationError, platform::ConsumerIdentity};

/// The new identity of the consumer, and the outcome for each conversation.
#[derive(Clone, Debug)]
pub struct SteppedUp {
    /// The new identity.
    pub user_id: UserId,
    /// The outcome for every conversation that was in memory.
    pub conversations: HashMap<ConversationId, Takeover>,
}

/// The outcome for a conversation in a step-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Takeover {
    /// It belongs to the new identity.
    Done,
    /// It has ended, so there is nothing to take over.
    Closed,
    /// It could not be taken over, and may still belong to the old identity.
    Failed(ConversationError),
}

/// The channel for the outcome of a step-up.
pub(super) type StepUpReply = oneshot::Sender<Result<SteppedUp, ConnectionError>>;

/// How far the step-up is, if one is running.
#[derive(Default)]
pub(super) struct StepUpProgress(Option<RunningStepUp>);

struct RunningStepUp {
    reply: StepUpReply,
    stage: Stage,
    /// The conversations held when the identity changed.
    held: HashSet<ConversationId>,
    /// Those of them that the new identity's snapshot lacks.
    missing: HashSet<ConversationId>,
}

enum Stage {
    /// The new token was requested.
    Requested,
    /// The token is used when the connection is ready.
    Granted(ConsumerIdentity),
    /// Waits for the new socket. The socket of this attempt, if it still exists, is the last one of the old identity.
    Reconnecting(Option<Epoch>),
    /// The new identity is connected, and its conversations are being taken over.
    TakingOver,
}

/// What a step-up does next.
pub(super) enum StepUpTask {
    /// Speak with the new identity.
    Become(ConsumerIdentity),
    /// Take over these conversations.
    TakeOver(Vec<ConversationId>),
}

impl StepUpProgress {
    pub(super) fn is_running(&self) -> bool {
        self.0.is_some()
    }

    /// The new token was requested.
    pub(super) fn begin(&mut self, reply: StepUpReply) {
        let (held, missing) = (HashSet::new(), HashSet::new());
        self.0 = Some(RunningStepUp { reply, stage: Stage::Requested, held, missing });
    }

    /// The platform granted the new identity.
    pub(super) fn granted(&mut self, identity: ConsumerIdentity) {
        if let Some(running) = &mut self.0 {
            running.stage = Stage::Granted(identity);
        }
    }

    /// Returns what to do on a ready socket. `held` are the conversations that the connection has.
    pub(super) fn next<'a>(
        &mut self,
        epoch: Epoch,
        held: impl Iterator<Item = &'a ConversationId>,
    ) -> Option<StepUpTask> {
        let running = self.0.as_mut()?;
        match &running.stage {
            Stage::Granted(identity) => {
                let identity = identity.clone();
                running.stage = Stage::Reconnecting(Some(epoch));
                running.held = held.cloned().collect();
                Some(StepUpTask::Become(identity))
            }
            Stage::Reconnecting(old) if *old != Some(epoch) => {
                running.stage = Stage::TakingOver;
                Some(StepUpTask::TakeOver(running.held.iter().cloned().collect()))
            }
            Stage::Requested | Stage::Reconnecting(_) | Stage::TakingOver => None,
        }
    }

    /// Records that the snapshot lacks these conversations, and keeps the conversations that are being taken over: they
    /// are removed from `missing`.
    pub(super) fn keep(&mut self, missing: &mut Vec<ConversationId>) {
        if let Some(running) = &mut self.0 {
            let kept = missing.extract_if(.., |id| running.held.contains(id));
            running.missing.extend(kept);
        }
    }

    /// The step-up ends. Returns the channel for its outcome, and the conversations that were kept although a snapshot
    /// lacks them.
    pub(super) fn end(&mut self) -> Option<(StepUpReply, HashSet<ConversationId>)> {
        self.0.take().map(|running| (running.reply, running.missing))
    }

    /// The actor was restarted: the responses it waited for will not arrive, except the replies of the conversations.
    /// Returns whether the step-up must end, because its token was among them.
    pub(super) fn restart(&mut self) -> bool {
        match self.0.as_mut().map(|running| &mut running.stage) {
            Some(Stage::Requested) => true,
            // The session numbers its attempts from the beginning again, and the socket is gone.
            Some(stage @ (Stage::TakingOver | Stage::Reconnecting(_))) => {
                *stage = Stage::Reconnecting(None);
                false
            }
            Some(Stage::Granted(_)) | None => false,
        }
    }
}
