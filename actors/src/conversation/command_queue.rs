//! The commands of one conversation: those that wait, the one in flight, and those whose outcome is unknown.

use std::{collections::VecDeque, time::Instant};

use actix::SpawnHandle;
use tertulia_core::{
    command::{Command, PlannedRequest, Repeat, Suspicion},
    conversation::Message,
    id::CommandKey,
};
use tokio::sync::oneshot;
use tracing::Span;

use super::{Claim, CommandFailure, commands::Done, durable::Durable, waiting::CancelReply};
use crate::supervision::DepthPermit;

/// Commands of one conversation that wait for their turn, and the one whose turn it is. Bounded by the handle's
/// [`Depth`](crate::supervision::Depth).
#[derive(Default)]
pub(super) struct CommandQueue {
    pub(super) waiting: VecDeque<Waiting>,
    /// Wakes the queue for the first command's deadline or its next try.
    pub(super) alarm: Option<SpawnHandle>,
    /// Durable commands whose callers were told that their outcome is unknown, and that may be asked for again.
    pub(super) open: VecDeque<Waiting>,
}

/// Where an outcome goes.
pub(super) type Reply = oneshot::Sender<Result<Done, CommandFailure>>;

/// One command.
pub(super) struct Waiting {
    pub(super) command: Command,
    pub(super) key: CommandKey,
    pub(super) deadline: Instant,
    pub(super) asked: Instant,
    pub(super) span: Span,
    /// The callers that wait for the outcome. A command that was read from the outbox at the start has none.
    pub(super) replies: Vec<Reply>,
    pub(super) state: State,
    pub(super) durable: Option<Durable>,
    /// Whether the platform closes the socket over it, as far as is known.
    pub(super) suspicion: Option<Suspected>,
    /// How often it was sent again although nobody could look it up.
    pub(super) unseen: u32,
    /// Taken when it is first sent.
    pub(super) claim: Option<Claim>,
    /// Who wants it cancelled as soon as it is in the outbox.
    pub(super) cancelled: Vec<CancelReply>,
    /// Its place among the conversation's commands.
    pub(super) number: u64,
    pub(super) _place: Option<DepthPermit>,
}

/// Where a command is.
pub(super) enum State {
    /// Asked for, and on its way into the outbox.
    Accepting,
    /// Read from the outbox at the start. The previous run of the process may have sent it. `found` is its place in the
    /// dialog, if it was seen there.
    Recovered { found: Option<u64> },
    /// Not sent, or known to have had no effect; not before the time, if there is one.
    Queued { not_before: Option<Instant> },
    /// Sent; the answer is awaited.
    InFlight(Sent),
    /// Sent; the answer was lost, or was not success. Its effect is looked for.
    Unknown { sent: Sent, look: Look },
}

/// A command that was in flight when the platform closed the socket over content.
pub(super) struct Suspected {
    pub(super) suspicion: Suspicion,
    /// Whether the next life of the process would know. Only then is the command sent again.
    pub(super) is_kept: bool,
}

impl Suspected {
    /// Of a command whose record was read.
    pub(super) fn kept(suspicion: Suspicion) -> Self {
        Self { suspicion, is_kept: true }
    }
}

/// How the effect of a sent command is looked for.
#[derive(Clone, Copy)]
pub(super) struct Look {
    /// When the dialog's history is to be read; `None` once it is, or where the resume plan does it.
    pub(super) at: Option<Instant>,
    /// The platform answered 429, and so says that there is no effect.
    pub(super) throttled: bool,
}

impl Look {
    /// The next resume plan looks.
    const AT_RESUME: Self = Self { at: None, throttled: false };
}

/// A command that was sent.
pub(super) struct Sent {
    pub(super) planned: PlannedRequest,
    /// How many links the conversation had lost when it was sent.
    pub(super) links_lost: u32,
    /// Where it was seen in the dialog, before or instead of the answer.
    pub(super) found: Option<u64>,
    /// What is to be sent when the answer has come, because another's note would be wiped out otherwise.
    pub(super) amended: Option<PlannedRequest>,
}

impl Waiting {
    /// Notes that this command published the message, if it did.
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

    /// Where it was seen in its dialog.
    pub(super) fn found(&self) -> Option<u64> {
        match &self.state {
            State::InFlight(sent) | State::Unknown { sent, .. } => sent.found,
            State::Recovered { found } => *found,
            State::Accepting | State::Queued { .. } => None,
        }
    }

    /// Whether it may have had its effect.
    pub(super) fn may_have_been_sent(&self) -> bool {
        match self.state {
            State::Accepting | State::Queued { .. } => false,
            State::Recovered { .. } | State::InFlight(_) | State::Unknown { .. } => true,
        }
    }

    /// Answers the callers that wait, because the conversation stops. They are told `failure` if the command was not sent and
    /// never will be, and otherwise that its outcome is unknown.
    pub(super) fn answer_at_the_end(self, failure: &CommandFailure) {
        let is_open = self.durable.is_some() || self.may_have_been_sent();
        for reply in self.replies {
            let unknown = || CommandFailure::OutcomeUnknown { key: self.key.clone() };
            let _ = reply.send(Err(if is_open { unknown() } else { failure.clone() }));
        }
    }

    pub(super) fn is_asked_as(&self, durable: &Durable) -> bool {
        self.durable.as_ref().is_some_and(|own| own.asked_as == durable.asked_as)
    }
}

impl CommandQueue {
    /// Whether there are commands of an earlier life.
    pub(super) fn are_recovered(&self) -> bool {
        self.waiting.iter().any(|waiting| matches!(waiting.state, State::Recovered { .. }))
    }

    /// Whether the history has to tell the outcome of the first command.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.waiting.front().is_some_and(|first| match &first.state {
            State::Unknown { sent, .. } => sent.found.is_none() && matches!(sent.planned.repeat, Repeat::Lookup { .. }),
            State::Recovered { found } => found.is_none(),
            State::Accepting | State::Queued { .. } | State::InFlight(_) => false,
        })
    }

    /// Whether nothing waits and nothing is open.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.open.is_empty()
    }

    /// Whether a command is known that is asked for as `durable` is.
    pub(super) fn is_asked_as(&self, durable: &Durable) -> bool {
        self.waiting.iter().chain(&self.open).any(|known| known.is_asked_as(durable))
    }

    pub(super) fn next_number(&self) -> u64 {
        self.waiting.iter().chain(&self.open).map(|waiting| waiting.number + 1).max().unwrap_or_default()
    }

    /// The command with this key.
    pub(super) fn waiting_as(&self, key: &CommandKey) -> Option<&Waiting> {
        self.waiting.iter().find(|waiting| waiting.key == *key)
    }

    /// Takes the command with this key out, if it was not sent.
    pub(super) fn withdraw(&mut self, key: &CommandKey) -> Option<Waiting> {
        let is_it = |waiting: &Waiting| waiting.key == *key && !waiting.may_have_been_sent();
        self.waiting.iter().position(is_it).and_then(|position| self.waiting.remove(position))
    }

    /// The actor begins a new life: its timers are gone, and the answer of the command in flight will not come.
    pub(super) fn restart(&mut self) {
        self.alarm = None;
        self.lose_answer();
    }

    /// The history of the command in doubt is being read, or will be by the resume plan.
    pub(super) fn looked_up(&mut self) {
        if let Some(Waiting { state: State::Unknown { look, .. }, .. }) = self.waiting.front_mut() {
            look.at = None;
        }
    }

    /// The answer of the command in flight will not come.
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
    /// The actor went without its own end, such as with its arbiter: nobody is left without an answer all the same.
    fn drop(&mut self) {
        for waiting in self.waiting.drain(..) {
            waiting.answer_at_the_end(&CommandFailure::UnknownConversation);
        }
    }
}
