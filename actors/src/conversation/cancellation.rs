//! Lists the waiting commands, and cancels commands before they are sent.

use actix::Context;
use tertulia_core::id::CommandKey;

use super::{
    Conversation, ConversationError, WaitingCommand,
    command_queue::{State, Waiting},
    waiting::CancelReply,
};

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
