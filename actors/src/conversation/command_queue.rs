//! The commands of one conversation: waiting, in flight, and with an unknown outcome.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::SpawnHandle;
use tertulia_core::{
    command::{Command, PlannedRequest, Repeat, Suspicion},
    conversation::Message,
    id::CommandKey,
    time::Timestamp,
};
use tracing::Span;

use super::{Claim, ConversationError, Durable, Reply, WaitingCommand, WaitingState, waiting::CancelReply};
use crate::supervision::DepthPermit;

/// The waiting commands of one conversation; the first one may be in flight. Bounded by the handle's
/// [`Depth`](crate::supervision::Depth).
#[derive(Default)]
pub(super) struct CommandQueue {
    pub(super) waiting: VecDeque<Waiting>,
    /// Wakes the queue at the first command's deadline or next attempt.
    pub(super) alarm: Option<SpawnHandle>,
    /// Durable commands whose callers were told that the outcome is unknown, and that may be submitted again.
    pub(super) open: VecDeque<Waiting>,
}

/// One command.
pub(super) struct Waiting {
    pub(super) command: Command,
    pub(super) key: CommandKey,
    /// The name of the caller that asked for the command first.
    pub(super) caller: Option<Arc<str>>,
    pub(super) deadline: Instant,
    pub(super) asked: Instant,
    pub(super) span: Span,
    /// The callers that wait for the outcome. A command that was read from the outbox at the start has no callers.
    pub(super) replies: Vec<Reply>,
    pub(super) state: State,
    pub(super) durable: Option<Durable>,
    /// Set if the platform may close the socket over the command.
    pub(super) suspicion: Option<Suspected>,
    /// How often it was sent again without a lookup.
    pub(super) unseen: u32,
    /// Taken when the command is first sent.
    pub(super) claim: Option<Claim>,
    /// Cancellations that wait until the command is in the outbox.
    pub(super) cancelled: Vec<CancelReply>,
    /// The command's number within the conversation.
    pub(super) number: u64,
    pub(super) _place: Option<DepthPermit>,
}

/// The state of a command.
pub(super) enum State {
    /// On its way into the outbox.
    Accepting,
    /// Read from the outbox at the start. The previous run of the process may have sent the command. `found` is the
    /// sequence of its message in the dialog, if the message was seen there.
    Recovered { found: Option<u64> },
    /// Not sent, or known to have had no effect. Not sent before the given time.
    Queued { not_before: Option<Instant> },
    /// Sent; waiting for the response.
    InFlight(Sent),
    /// Sent; the response was lost or was not a success. The effect is being looked up.
    Unknown { sent: Sent, look: Look },
}

/// A command that was in flight when the platform closed the socket over content.
pub(super) struct Suspected {
    pub(super) suspicion: Suspicion,
    /// Whether the suspicion is durable, so that the next run would know of it. Only then is the command sent again.
    pub(super) is_kept: bool,
}

impl Suspected {
    /// The suspicion of a stored command.
    pub(super) fn kept(suspicion: Suspicion) -> Self {
        Self { suspicion, is_kept: true }
    }
}

/// How the effect of a sent command is looked up.
#[derive(Clone, Copy)]
pub(super) struct Look {
    /// When to read the dialog's history; `None` after it was read, or if the resume plan reads it.
    pub(super) at: Option<Instant>,
    /// The platform responded with 429, which says that the command had no effect.
    pub(super) throttled: bool,
}

impl Look {
    /// The next resume plan looks the effect up.
    const AT_RESUME: Self = Self { at: None, throttled: false };
}

/// A command that was sent.
pub(super) struct Sent {
    pub(super) planned: PlannedRequest,
    /// How many links the conversation had lost when the command was sent.
    pub(super) links_lost: u32,
    /// The sequence at which the message was seen in the dialog, before the response or without one.
    pub(super) found: Option<u64>,
    /// A second request to send after the response, because the first one would overwrite another client's note.
    pub(super) amended: Option<PlannedRequest>,
}

impl Waiting {
    /// Whether a caller knows the command by this key.
    pub(super) fn is_called(&self, key: &CommandKey) -> bool {
        self.key == *key || self.durable.as_ref().is_some_and(|durable| durable.asked_as == *key)
    }

    /// The command as callers see it.
    pub(super) fn told(&self) -> WaitingCommand {
        let now = jiff::Timestamp::now().as_millisecond();
        let millis = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        let left = self.deadline.saturating_duration_since(Instant::now());
        WaitingCommand {
            key: self.durable.as_ref().map_or(&self.key, |durable| &durable.asked_as).clone(),
            command: self.command.name(),
            state: match self.state {
                State::Accepting | State::Queued { .. } => WaitingState::Queued,
                State::InFlight(_) => WaitingState::InFlight,
                State::Recovered { .. } | State::Unknown { .. } => WaitingState::Unknown,
            },
            is_durable: self.durable.is_some(),
            asked: Timestamp(now.saturating_sub(millis(self.asked.elapsed()))),
            deadline: Timestamp(now.saturating_add(millis(left))),
            suspected: self.suspicion.as_ref().map(|suspected| suspected.suspicion.code()),
            number: self.number,
        }
    }

    /// Notes that this command published the message; returns whether it did.
    pub(super) fn notice(&mut self, message: &Message, key: &CommandKey) -> bool {
        let found = match &mut self.state {
            State::InFlight(sent) | State::Unknown { sent, .. } => {
                let Repeat::Lookup { dialog_id, key: own, from } = &sent.planned.repeat else { return false };
                if message.dialog_id != *dialog_id || message.sequence < *from || own != key {
                    return false;
                }
                &mut sent.found
            }
            State::Recovered { found } if self.key == *key => found,
            State::Recovered { .. } | State::Accepting | State::Queued { .. } => return false,
        };
        found.replace(message.sequence).is_none()
    }

    /// The sequence at which the command's message was seen in its dialog.
    pub(super) fn found(&self) -> Option<u64> {
        match &self.state {
            State::InFlight(sent) | State::Unknown { sent, .. } => sent.found,
            State::Recovered { found } => *found,
            State::Accepting | State::Queued { .. } => None,
        }
    }

    /// Whether the command may have had its effect.
    pub(super) fn may_have_been_sent(&self) -> bool {
        match self.state {
            State::Accepting | State::Queued { .. } => false,
            State::Recovered { .. } | State::InFlight(_) | State::Unknown { .. } => true,
        }
    }

    /// Replies to the waiting callers because the conversation stops. They get `failure` if the command was not sent
    /// and never will be, and otherwise an unknown outcome.
    pub(super) fn answer_at_the_end(self, failure: &ConversationError) {
        let is_open = self.durable.is_some() || self.may_have_been_sent();
        for reply in self.replies {
            let unknown = || ConversationError::OutcomeUnknown { key: self.key.clone() };
            reply.send(Err(if is_open { unknown() } else { failure.clone() }));
        }
    }

    pub(super) fn is_asked_as(&self, durable: &Durable) -> bool {
        self.durable.as_ref().is_some_and(|own| own.asked_as == durable.asked_as)
    }
}

impl CommandQueue {
    /// Whether the queue has commands of a previous run.
    pub(super) fn are_recovered(&self) -> bool {
        self.waiting.iter().any(|waiting| matches!(waiting.state, State::Recovered { .. }))
    }

    /// Whether the history must show the outcome of the first command.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.waiting.front().is_some_and(|first| match &first.state {
            State::Unknown { sent, .. } => sent.found.is_none() && matches!(sent.planned.repeat, Repeat::Lookup { .. }),
            State::Recovered { found } => found.is_none(),
            State::Accepting | State::Queued { .. } | State::InFlight(_) => false,
        })
    }

    /// Whether the queue has neither waiting nor open commands.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.open.is_empty()
    }

    /// Whether the queue has the command that `durable` identifies.
    pub(super) fn is_asked_as(&self, durable: &Durable) -> bool {
        self.waiting.iter().chain(&self.open).any(|known| known.is_asked_as(durable))
    }

    pub(super) fn next_number(&self) -> u64 {
        self.waiting.iter().chain(&self.open).map(|waiting| waiting.number + 1).max().unwrap_or_default()
    }

    /// Returns the waiting command with this key.
    pub(super) fn waiting_as(&self, key: &CommandKey) -> Option<&Waiting> {
        self.waiting.iter().find(|waiting| waiting.key == *key)
    }

    /// Removes and returns the command with this key, if it was not sent.
    pub(super) fn withdraw(&mut self, key: &CommandKey) -> Option<Waiting> {
        let is_it = |waiting: &Waiting| waiting.key == *key && !waiting.may_have_been_sent();
        self.waiting.iter().position(is_it).and_then(|position| self.waiting.remove(position))
    }

    /// The actor was restarted: its timers are gone, and the response to the command in flight will not arrive.
    pub(super) fn restart(&mut self) {
        self.alarm = None;
        self.lose_answer();
    }

    /// The history for the uncertain command is being read, or will be read by the resume plan.
    pub(super) fn looked_up(&mut self) {
        if let Some(Waiting { state: State::Unknown { look, .. }, .. }) = self.waiting.front_mut() {
            look.at = None;
        }
    }

    /// The response to the command in flight will not arrive.
    pub(super) fn lose_answer(&mut self) {
        if let Some(waiting) = self.waiting.front_mut() {
            waiting.state = match std::mem::replace(&mut waiting.state, State::Queued { not_before: None }) {
                State::InFlight(sent) => State::Unknown { sent, look: Look::AT_RESUME },
                state => state,
            };
        }
    }
}

impl Drop for CommandQueue {
    /// The actor was dropped without its stop handler, such as with its arbiter. Even then every caller gets a reply.
    fn drop(&mut self) {
        for waiting in self.waiting.drain(..) {
            waiting.answer_at_the_end(&ConversationError::UnknownConversation);
        }
    }
}
