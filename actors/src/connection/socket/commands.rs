//! Commands on their way to the platform, and which of them are suspected when the platform closes the socket.

use serde_json::Value;
use tertulia_core::{command::closed_over_content, refusal::RequestType, session::Closure};

use super::{Connection, command_queue::HeldCommand, waiter::Waiter};
use crate::request::{Ask, RequestError};

impl Connection {
    /// Sends a command of a conversation as soon as it may be in flight together with the others.
    pub(super) fn ask_command(&mut self, ask: Ask, headers: Vec<Value>) {
        let refusal = self.refusal(ask.lane, RequestType::from(&ask.request));
        let is_full = self.commands.waiting() >= self.settings.max_requests;
        if let Some(failure) = refusal.or(is_full.then_some(RequestError::Overloaded)) {
            let _ = ask.reply.send(Err(failure));
            return;
        }
        let (is_suspected, now) = (ask.alone, self.now());
        let asked = now.before(ask.asked.elapsed());
        self.commands.offer(HeldCommand { ask, headers }, is_suspected, asked, now);
        self.send_commands();
    }

    /// Sends the commands that may be sent now.
    pub(super) fn send_commands(&mut self) {
        while let Some(HeldCommand { ask, headers }) = self.commands.next(self.pace.commands_together(), self.now()) {
            let is_sent = match self.refusal(ask.lane, RequestType::from(&ask.request)) {
                Some(failure) => {
                    let _ = ask.reply.send(Err(failure));
                    false
                }
                None => self.send(Waiter::Command(ask.reply), ask.request, headers, ask.metadata),
            };
            if !is_sent {
                self.commands.answered();
            }
        }
    }

    /// A command is no longer in flight.
    pub(super) fn command_ended(&mut self) {
        self.commands.answered();
        self.send_commands();
    }

    /// Informs the commands in flight that the platform closed the socket, and that one of them may be the cause.
    pub(super) fn suspect_commands(&mut self, closure: Closure) {
        let Some(code) = closed_over_content(closure) else { return };
        let alone = self.commands.is_alone();
        let suspects = self.requests.take_commands();
        if suspects.is_empty() {
            return;
        }
        tracing::warn!(
            connection = %self.settings.id,
            code,
            commands = suspects.len(),
            "the platform closed the socket over content; the commands in flight are sent again one by one"
        );
        for reply in suspects {
            let _ = reply.send(Err(RequestError::ClosedOverContent { code, alone }));
        }
    }

    /// The socket is gone: the waiting commands were not sent.
    pub(super) fn drop_held_commands(&mut self) {
        for HeldCommand { ask, .. } in self.commands.clear() {
            let _ = ask.reply.send(Err(RequestError::NotConnected));
        }
    }
}
