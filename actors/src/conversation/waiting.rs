//! The commands that wait in a conversation: listed, and cancelled before they are sent.

use std::time::Instant;

use actix::Context;
use tertulia_core::{id::CommandKey, time::Timestamp};
use tokio::sync::oneshot;

use super::{
    Conversation, ConversationError,
    command_queue::{State, Waiting},
};

/// A command that waits in a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingCommand {
    /// The caller's key, or the generated one.
    pub key: CommandKey,
    /// The kind of the command, as in events.
    pub command: &'static str,
    /// How far the command has progressed.
    pub state: WaitingState,
    /// Whether the command survives the process.
    pub is_durable: bool,
    /// When the command was submitted or, after a restart, restored by this process.
    pub asked: Timestamp,
    /// When the command fails if it is still waiting.
    pub deadline: Timestamp,
    /// The code with which the platform closed the socket while the command was in flight.
    pub suspected: Option<u16>,
    /// The command's number, which grows along the queue.
    pub number: u64,
}

/// How far a command has progressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitingState {
    /// Not sent.
    Queued,
    /// Sent; waiting for the response.
    InFlight,
    /// May have been sent; its effect is looked up before it is sent again.
    Unknown,
}

/// The reply channel of a cancellation.
pub(crate) type CancelReply = oneshot::Sender<Result<(), ConversationError>>;

impl Waiting {
    fn is_called(&self, key: &CommandKey) -> bool {
        self.key == *key || self.durable.as_ref().is_some_and(|durable| durable.asked_as == *key)
    }

    fn told(&self) -> WaitingCommand {
        let now = jiff::Timestamp::now().as_millisecond();
        let millis = |span: std::time::Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
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
}

impl Conversation {
    /// The waiting commands, in the order in which they will run.
    pub(super) fn waiting_commands(&self) -> Vec<WaitingCommand> {
        self.commands.waiting.iter().map(Waiting::told).collect()
    }

    /// Cancels a command that was not sent. Replies when it is durable that no later run of the process will send the
    /// command.
    pub(super) fn cancel(&mut self, key: &CommandKey, reply: CancelReply, ctx: &mut Context<Self>) {
        let Some(place) = self.commands.waiting.iter().position(|waiting| waiting.is_called(key)) else {
            let _ = reply.send(Err(ConversationError::UnknownCommand(key.clone())));
            return;
        };
        match self.commands.waiting[place].state {
            // The command's record is on its way into the outbox; it is removed when it has arrived there.
            State::Accepting => self.commands.waiting[place].cancelled.push(reply),
            State::Queued { .. } => self.end_cancelled(place, vec![reply], ctx),
            State::Recovered { .. } | State::InFlight(_) | State::Unknown { .. } => {
                let _ = reply.send(Err(ConversationError::InFlight(key.clone())));
            }
        }
    }

    /// Ends a command of which nothing was sent.
    pub(super) fn end_cancelled(&mut self, place: usize, replies: Vec<CancelReply>, ctx: &mut Context<Self>) {
        let Some(cancelled) = self.commands.waiting.remove(place) else { return };
        self.finish(cancelled, Err(ConversationError::Cancelled));
        self.afterwards(Box::new(move || {
            replies.into_iter().for_each(|reply| drop(reply.send(Ok(()))));
        }));
        self.next_command(ctx);
    }
}
