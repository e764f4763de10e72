//! The commands of one conversation: waiting, in flight, and with an unknown outcome.

use std::{collections::VecDeque, time::Instant};

use actix::SpawnHandle;
use tertulia_core::{command::PlannedRequest, conversation::Message, id::CommandKey};

use super::{
    ConversationError, Durable, Perform, WaitingCommand,
    durable::Accepted,
    pending_command::{Caller, PendingCommand, Sent, State},
    waiting::CancelReply,
};

/// The most open commands of one conversation. Beyond it the oldest is forgotten, and may run again if it is submitted
/// again.
const OPEN: usize = 64;

/// The waiting commands of one conversation; the first one may be in flight. Bounded by the handle's
/// [`Depth`](crate::supervision::Depth).
#[derive(Default)]
pub(super) struct CommandQueue {
    waiting: VecDeque<PendingCommand>,
    /// Wakes the queue at the first command's deadline or next attempt.
    alarm: Option<SpawnHandle>,
    /// Durable commands whose outcome was reported as unknown, and that may be submitted again.
    open: VecDeque<PendingCommand>,
}

/// What became of a caller that submits a durable command.
pub(super) enum Joined {
    /// The queue does not know the key, so the caller is handed back.
    Unknown(Caller),
    /// The command had an unknown outcome, and waits again.
    Reopened,
    /// The caller waits with the others, or got an error because the key belongs to another command.
    Settled,
}

/// A command that was taken out of the queue because it was cancelled.
pub(super) struct Cancelled {
    pub(super) command: PendingCommand,
    /// The callers that cancelled the command.
    pub(super) replies: Vec<CancelReply>,
}

impl CommandQueue {
    /// The waiting command that comes first.
    pub(super) fn first(&self) -> Option<&PendingCommand> {
        self.waiting.front()
    }

    /// The first command and how it was sent, if it is in flight.
    pub(super) fn in_flight(&self) -> Option<(&PendingCommand, &Sent)> {
        let first = self.waiting.front()?;
        match first.state() {
            State::InFlight(sent) => Some((first, sent)),
            State::Accepting | State::Recovered { .. } | State::Queued { .. } | State::Unknown { .. } => None,
        }
    }

    /// Whether a command waits or is in flight.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether the queue has commands of a previous run.
    pub(super) fn are_recovered(&self) -> bool {
        self.waiting.iter().any(PendingCommand::is_recovered)
    }

    /// Whether the history must show the outcome of the first command.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.waiting.front().is_some_and(PendingCommand::is_in_doubt)
    }

    /// Whether the queue has neither waiting nor open commands.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.open.is_empty()
    }

    /// Whether the queue has a command with the caller's key of `durable`.
    pub(super) fn knows(&self, durable: &Durable) -> bool {
        self.waiting.iter().chain(&self.open).any(|known| known.has_key_of(durable))
    }

    /// The waiting commands as callers see them, in the order in which they will run.
    pub(super) fn listed(&self) -> Vec<WaitingCommand> {
        self.waiting.iter().map(PendingCommand::listed).collect()
    }

    /// Returns the waiting command that is sent with this key.
    pub(super) fn waiting_as(&self, key: &CommandKey) -> Option<&PendingCommand> {
        self.waiting.iter().find(|waiting| waiting.key() == key)
    }

    /// Returns the waiting command with the caller's key of `durable`.
    pub(super) fn waiting_for(&self, durable: &Durable) -> Option<&PendingCommand> {
        self.waiting.iter().find(|waiting| waiting.has_key_of(durable))
    }

    /// The durable commands that are on their way into the outbox.
    pub(super) fn accepting(&self) -> impl Iterator<Item = &Durable> {
        self.waiting.iter().filter(|waiting| waiting.is_accepting()).filter_map(PendingCommand::durable)
    }
}

/// Commands enter and leave the queue.
impl CommandQueue {
    /// Adds a command at the end.
    pub(super) fn submit(&mut self, perform: Perform) {
        let number = self.waiting.iter().chain(&self.open).map(|known| known.number() + 1).max().unwrap_or_default();
        self.waiting.push_back(PendingCommand::submitted(perform, number));
    }

    /// Adds a caller to a durable command whose key is already known.
    pub(super) fn join(&mut self, durable: &Durable, caller: Caller) -> Joined {
        let reused = || Err(ConversationError::KeyReused { key: durable.asked_as.clone() });
        if let Some(known) = self.waiting.iter_mut().find(|waiting| waiting.has_key_of(durable)) {
            match known.is_repeated_by(durable) {
                true => known.join(caller),
                false => caller.reply.send(reused()),
            }
            return Joined::Settled;
        }
        let Some(at) = self.open.iter().position(|open| open.has_key_of(durable)) else {
            return Joined::Unknown(caller);
        };
        if !self.open[at].is_repeated_by(durable) {
            caller.reply.send(reused());
            return Joined::Settled;
        }
        if let Some(mut open) = self.open.remove(at) {
            open.reopen(caller);
            self.waiting.push_back(open);
        }
        Joined::Reopened
    }

    /// Adds a command that the outbox has from a previous run, unless the queue has the command.
    pub(super) fn recover(&mut self, durable: Durable, accepted: Accepted) {
        if !self.knows(&durable) {
            self.waiting.push_back(PendingCommand::recovered(durable, accepted));
        }
    }

    /// The command `durable` is in the outbox and may be sent. Returns the command if it was cancelled meanwhile.
    pub(super) fn stored(&mut self, durable: &Durable) -> Option<Cancelled> {
        let at = self.accepting_at(durable)?;
        let replies = self.waiting[at].stored();
        if replies.is_empty() {
            return None;
        }
        self.waiting.remove(at).map(|command| Cancelled { command, replies })
    }

    /// Whether the command `durable` is on its way into the outbox.
    pub(super) fn is_accepting(&self, durable: &Durable) -> bool {
        self.accepting_at(durable).is_some()
    }

    /// Removes and returns the command `durable`, if it is on its way into the outbox.
    pub(super) fn withdraw_accepting(&mut self, durable: &Durable) -> Option<PendingCommand> {
        self.accepting_at(durable).and_then(|at| self.waiting.remove(at))
    }

    fn accepting_at(&self, durable: &Durable) -> Option<usize> {
        self.waiting.iter().position(|waiting| waiting.has_key_of(durable) && waiting.is_accepting())
    }

    /// Removes and returns the command with this key, if it was not sent.
    pub(super) fn withdraw(&mut self, key: &CommandKey) -> Option<PendingCommand> {
        let is_it = |waiting: &PendingCommand| waiting.key() == key && !waiting.may_have_been_sent();
        self.waiting.iter().position(is_it).and_then(|position| self.waiting.remove(position))
    }

    /// Cancels the command that a caller knows by this key, and returns it if nothing of it was sent. A command on its
    /// way into the outbox is cancelled when it has arrived there. Replies with an error if the command is unknown or
    /// may have been sent.
    pub(super) fn cancel(&mut self, key: &CommandKey, reply: CancelReply) -> Option<Cancelled> {
        let Some(at) = self.waiting.iter().position(|waiting| waiting.is_known_as(key)) else {
            let _ = reply.send(Err(ConversationError::UnknownCommand(key.clone())));
            return None;
        };
        match self.waiting[at].state() {
            State::Accepting => self.waiting[at].cancel_when_stored(reply),
            State::Queued { .. } => {
                return self.waiting.remove(at).map(|command| Cancelled { command, replies: vec![reply] });
            }
            State::Recovered { .. } | State::InFlight(_) | State::Unknown { .. } => {
                let _ = reply.send(Err(ConversationError::InFlight(key.clone())));
            }
        }
        None
    }

    /// Removes and returns the first command, whose outcome is decided.
    pub(super) fn finish_first(&mut self) -> Option<PendingCommand> {
        let finished = self.waiting.pop_front()?;
        // Most conversations have no commands most of the time, and the buffer is not small.
        if self.waiting.is_empty() {
            self.waiting.shrink_to_fit();
        }
        Some(finished)
    }

    /// Keeps a durable command whose outcome was reported as unknown. Returns the command that is forgotten in its
    /// place, if there are too many.
    pub(super) fn leave_open(&mut self, mut command: PendingCommand) -> Option<PendingCommand> {
        command.leave_open();
        self.open.push_back(command);
        if self.open.len() > OPEN { self.open.pop_front() } else { None }
    }

    /// The conversation leaves memory: removes the durable commands, which stay in the outbox, and replies to their
    /// callers that the outcome is unknown.
    pub(super) fn park(&mut self) {
        let (durable, others): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.waiting).into_iter().partition(|waiting| waiting.durable().is_some());
        self.waiting = others;
        for command in durable {
            let key = command.key().clone();
            command.answer(&Err(ConversationError::OutcomeUnknown { key }));
        }
    }

    /// Replies to the callers of all waiting commands because the conversation stops, and removes the commands.
    pub(super) fn answer_at_the_end(&mut self, failure: &ConversationError) {
        for waiting in self.waiting.drain(..) {
            waiting.answer_at_the_end(failure);
        }
    }
}

/// What happens to the commands in the queue.
impl CommandQueue {
    /// The actor was restarted: its timers are gone, and the response to the command in flight will not arrive.
    pub(super) fn restart(&mut self) {
        self.alarm = None;
        self.lose_response();
    }

    /// Replaces the alarm, and returns the previous one to cancel it.
    pub(super) fn replace_alarm(&mut self, alarm: Option<SpawnHandle>) -> Option<SpawnHandle> {
        std::mem::replace(&mut self.alarm, alarm)
    }

    /// Takes the right to send the first command; `false` if its caller gave up before.
    pub(super) fn claim_first(&mut self) -> bool {
        self.waiting.front_mut().is_none_or(PendingCommand::claim)
    }

    /// The first command is sent again although no history shows that it had no effect.
    pub(super) fn count_unseen_send(&mut self) {
        self.with_first(PendingCommand::count_unseen_send);
    }

    /// The first command was sent when the conversation had lost `links_lost` links.
    pub(super) fn sent(&mut self, planned: PlannedRequest, links_lost: u32) {
        self.with_first(|first| first.sent(planned, links_lost));
    }

    /// The first command had no effect; it is sent again, but not before `not_before`.
    pub(super) fn send_again(&mut self, not_before: Option<Instant>) {
        self.with_first(|first| first.send_again(not_before));
    }

    /// The response to the command in flight will not arrive.
    pub(super) fn lose_response(&mut self) {
        self.with_first(PendingCommand::lose_response);
    }

    /// The response to the command in flight was not a success; `throttled` says whether it was 429. The effect is
    /// looked up after a pause in which the echo may arrive, or by the resume plan if there is no link.
    pub(super) fn look_up_later(&mut self, is_linked: bool, throttled: bool) {
        self.with_first(|first| first.look_up_later(is_linked, throttled));
    }

    /// The history for the uncertain command is being read, or will be read by the resume plan.
    pub(super) fn looked_up(&mut self) {
        self.with_first(PendingCommand::looked_up);
    }

    /// A second request follows the response to the command in flight.
    pub(super) fn amend(&mut self, amended: PlannedRequest) {
        self.with_first(|first| first.amend(amended));
    }

    /// Takes the second request of the command in flight.
    pub(super) fn take_amended(&mut self) -> Option<PlannedRequest> {
        self.waiting.front_mut().and_then(PendingCommand::take_amended)
    }

    /// The platform closed the socket with `code` while the first command was in flight; `alone` says whether nothing
    /// else was. `keeps` says whether the suspicion can be stored. Returns the command.
    pub(super) fn suspect_first(&mut self, code: u16, alone: bool, keeps: bool) -> Option<&PendingCommand> {
        let first = self.waiting.front_mut()?;
        first.suspect(code, alone, keeps);
        Some(first)
    }

    /// Notes whether the suspicion of the command `key` is durable. Returns whether the command is still the first one
    /// and suspected.
    pub(super) fn suspicion_kept(&mut self, key: &CommandKey, is_kept: bool) -> bool {
        let first = self.waiting.front_mut().filter(|first| first.key() == key);
        first.is_some_and(|first| first.suspicion_kept(is_kept))
    }

    /// The message with this key was seen in its dialog. Returns the waiting commands that published it, as far as this
    /// is news.
    pub(super) fn found(&mut self, message: &Message, key: &CommandKey) -> impl Iterator<Item = &PendingCommand> {
        self.waiting.iter_mut().filter_map(move |waiting| waiting.notice(message, key).then_some(&*waiting))
    }

    /// The message with this key was seen in its dialog. Removes and returns the open command that published it, if
    /// this is news.
    pub(super) fn found_open(&mut self, message: &Message, key: &CommandKey) -> Option<PendingCommand> {
        let noticed = |(at, open): (usize, &mut PendingCommand)| open.notice(message, key).then_some(at);
        let last = self.open.iter_mut().enumerate().filter_map(noticed).last()?;
        self.open.remove(last)
    }

    fn with_first(&mut self, change: impl FnOnce(&mut PendingCommand)) {
        if let Some(first) = self.waiting.front_mut() {
            change(first);
        }
    }
}

impl Drop for CommandQueue {
    /// The actor was dropped without its stop handler, such as with its arbiter. Even then every caller gets a reply.
    fn drop(&mut self) {
        self.answer_at_the_end(&ConversationError::UnknownConversation);
    }
}
