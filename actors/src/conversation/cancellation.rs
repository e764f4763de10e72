//! Lists the waiting commands, and cancels commands before they are sent.

use actix::Context;
use tertulia_core::id::CommandKey;

use super::{Conversation, ConversationError, WaitingCommand, command_queue::Cancelled, waiting::CancelReply};

impl Conversation {
    /// The waiting commands, in the order in which they will run.
    pub(super) fn waiting_commands(&self) -> Vec<WaitingCommand> {
        self.commands.listed()
    }

    /// Cancels a command that was not sent. Replies when it is durable that no later run of the process will send the
    /// command.
    pub(super) fn cancel(&mut self, key: &CommandKey, reply: CancelReply, ctx: &mut Context<Self>) {
        if let Some(cancelled) = self.commands.cancel(key, reply) {
            self.end_cancelled(cancelled, ctx);
        }
    }

    /// Ends a command of which nothing was sent.
    pub(super) fn end_cancelled(&mut self, Cancelled { command, replies }: Cancelled, ctx: &mut Context<Self>) {
        self.finish(command, Err(ConversationError::Cancelled));
        self.afterwards(Box::new(move || {
            replies.into_iter().for_each(|reply| drop(reply.send(Ok(()))));
        }));
        self.next_command(ctx);
    }
}
