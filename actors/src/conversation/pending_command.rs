//! One command of a conversation, from its submission until its outcome is known.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tertulia_core::{
    command::{Command, PlannedRequest, Repeat, Suspicion},
    conversation::Message,
    id::CommandKey,
    time::Timestamp,
};
use tracing::Span;

use super::{
    Claim, ConversationError, Done, Durable, Perform, Reply, WaitingCommand, WaitingState, durable::Accepted,
    waiting::CancelReply,
};
use crate::{
    engine::{Change, RecordKey, Retention},
    supervision::DepthPermit,
};

/// The pause before a command without a successful response is looked up or sent again (protocol
/// [§9.3](crate::protocol#93)).
pub(super) const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// The longest such pause. The pause grows only if a command is repeated without a lookup.
const AGAIN_AFTER_AT_MOST: Duration = Duration::from_secs(32);

/// One command. Only the queue changes a command that is in it.
pub(super) struct PendingCommand {
    command: Command,
    key: CommandKey,
    /// The name of the caller that submitted the command first.
    caller: Option<Arc<str>>,
    deadline: Instant,
    submitted: Instant,
    span: Span,
    /// The callers that wait for the outcome. A command that was read from the outbox at the start has no callers.
    replies: Vec<Reply>,
    state: State,
    durable: Option<Durable>,
    /// Set if the platform may close the socket over the command.
    suspected: Option<Suspected>,
    /// How often the command was sent again without a lookup.
    sent_unseen: u32,
    /// Taken when the command is first sent.
    claim: Option<Claim>,
    /// Cancellations that wait until the command is in the outbox.
    cancellations: Vec<CancelReply>,
    /// The command's number within the conversation.
    number: u64,
    place: Option<DepthPermit>,
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

/// A caller that waits for the outcome of a durable command.
pub(super) struct Caller {
    pub(super) deadline: Instant,
    pub(super) reply: Reply,
    pub(super) place: DepthPermit,
}

impl PendingCommand {
    /// A submitted command. A durable command is on its way into the outbox; another one is accepted and queued.
    pub(super) fn submitted(perform: Perform, number: u64) -> Self {
        let Perform { command, key, caller, deadline, durable, mut reply, claim, span, place } = perform;
        let state = match durable {
            Some(_) => State::Accepting,
            None => {
                reply.accept();
                State::Queued { not_before: None }
            }
        };
        Self {
            key: command.own_key().unwrap_or(key),
            command,
            caller,
            deadline,
            submitted: Instant::now(),
            span,
            replies: vec![reply],
            state,
            durable,
            suspected: None,
            sent_unseen: 0,
            claim,
            cancellations: Vec::new(),
            number,
            place: Some(place),
        }
    }

    /// A command that the outbox has from a previous run.
    pub(super) fn recovered(durable: Durable, accepted: Accepted) -> Self {
        let deadline = accepted.deadline();
        let Accepted { number, command, caller, found, suspicion, .. } = accepted;
        Self {
            key: command.own_key().unwrap_or_else(|| durable.asked_as.clone()),
            command,
            caller,
            deadline,
            submitted: Instant::now(),
            span: Span::none(),
            replies: Vec::new(),
            state: State::Recovered { found },
            durable: Some(durable),
            suspected: suspicion.map(|suspicion| Suspected { suspicion, is_kept: true }),
            sent_unseen: 0,
            claim: None,
            cancellations: Vec::new(),
            number,
            place: None,
        }
    }

    pub(super) fn command(&self) -> &Command {
        &self.command
    }

    pub(super) fn key(&self) -> &CommandKey {
        &self.key
    }

    /// The name of the caller that submitted the command first.
    pub(super) fn caller(&self) -> Option<&Arc<str>> {
        self.caller.as_ref()
    }

    /// The time after which the command is not sent any more.
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// When the command was submitted or, after a restart of the process, restored.
    pub(super) fn submitted_at(&self) -> Instant {
        self.submitted
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    pub(super) fn durable(&self) -> Option<&Durable> {
        self.durable.as_ref()
    }

    /// The suspicion that the platform closes the socket over the command.
    pub(super) fn suspected(&self) -> Option<&Suspected> {
        self.suspected.as_ref()
    }

    /// The command's number within the conversation.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Whether a caller knows the command by this key.
    pub(super) fn is_known_as(&self, key: &CommandKey) -> bool {
        self.key == *key || self.durable.as_ref().is_some_and(|durable| durable.asked_as == *key)
    }

    /// Whether the command has the caller's key of `durable`. The command may still be another one, see
    /// [`Self::is_repeated_by`].
    pub(super) fn has_key_of(&self, durable: &Durable) -> bool {
        self.durable.as_ref().is_some_and(|own| own.asked_as == durable.asked_as)
    }

    /// Whether `durable`, which has the same caller's key, is the same command and not another one under a reused key.
    pub(super) fn is_repeated_by(&self, durable: &Durable) -> bool {
        self.durable.as_ref().is_some_and(|own| own.digest == durable.digest)
    }

    /// The command as callers see it.
    pub(super) fn listed(&self) -> WaitingCommand {
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
            asked: Timestamp(now.saturating_sub(millis(self.submitted.elapsed()))),
            deadline: Timestamp(now.saturating_add(millis(left))),
            suspected: self.suspected.as_ref().map(|suspected| suspected.suspicion.code()),
            number: self.number,
        }
    }

    /// The outbox record from which the next run restores the command, if the command is durable.
    pub(super) fn record(&self, conversation: &RecordKey, retention: Retention) -> Option<Change> {
        let durable = self.durable.as_ref()?;
        let mut accepted = Accepted::new(durable, self.number, &self.command, self.deadline);
        accepted.caller = self.caller.clone();
        accepted.found = self.found();
        accepted.suspicion = self.suspected.as_ref().map(|suspected| suspected.suspicion);
        durable.put(conversation, &accepted, retention)
    }

    /// The sequence at which the command's message was seen in its dialog.
    fn found(&self) -> Option<u64> {
        match &self.state {
            State::InFlight(sent) | State::Unknown { sent, .. } => sent.found,
            State::Recovered { found } => *found,
            State::Accepting | State::Queued { .. } => None,
        }
    }

    /// Whether only the command's message in its dialog shows the effect, because no response came.
    pub(super) fn is_found_without_response(&self) -> bool {
        !matches!(self.state, State::InFlight(_)) && self.found().is_some()
    }

    /// Whether the command may have had its effect.
    pub(super) fn may_have_been_sent(&self) -> bool {
        match self.state {
            State::Accepting | State::Queued { .. } => false,
            State::Recovered { .. } | State::InFlight(_) | State::Unknown { .. } => true,
        }
    }

    /// Whether the command is on its way into the outbox.
    pub(super) fn is_accepting(&self) -> bool {
        matches!(self.state, State::Accepting)
    }

    /// Whether a previous run left the command.
    pub(super) fn is_recovered(&self) -> bool {
        matches!(self.state, State::Recovered { .. })
    }

    /// Whether the history must show the outcome.
    pub(super) fn is_in_doubt(&self) -> bool {
        match &self.state {
            State::Unknown { sent, .. } => sent.found.is_none() && matches!(sent.planned.repeat, Repeat::Lookup { .. }),
            State::Recovered { found } => found.is_none(),
            State::Accepting | State::Queued { .. } | State::InFlight(_) => false,
        }
    }

    /// Notes that this command published the message; returns whether this was news.
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
}

/// What happens to a command.
impl PendingCommand {
    /// The command is in the outbox. Returns the cancellations that waited for it.
    pub(super) fn stored(&mut self) -> Vec<CancelReply> {
        self.state = State::Queued { not_before: None };
        self.replies.iter_mut().for_each(Reply::accept);
        std::mem::take(&mut self.cancellations)
    }

    /// Cancels the command as soon as it is in the outbox.
    pub(super) fn cancel_when_stored(&mut self, cancellation: CancelReply) {
        self.cancellations.push(cancellation);
    }

    /// Another caller waits for the outcome too. The command keeps its deadline and its place.
    pub(super) fn join(&mut self, Caller { mut reply, .. }: Caller) {
        if !self.is_accepting() {
            reply.accept();
        }
        self.replies.push(reply);
    }

    /// A caller submits the command again after its outcome was reported as unknown.
    pub(super) fn reopen(&mut self, Caller { deadline, mut reply, place }: Caller) {
        reply.accept();
        (self.deadline, self.replies, self.place) = (deadline, vec![reply], Some(place));
    }

    /// The outcome was reported as unknown. The command waits until a caller submits it again.
    pub(super) fn leave_open(&mut self) {
        self.state = State::Recovered { found: self.found() };
        self.place = None;
    }

    /// Takes the right to send the command; `false` if its caller gave up before.
    pub(super) fn claim(&mut self) -> bool {
        self.claim.take().is_none_or(|claim| claim.take())
    }

    /// The command is sent again although no history shows that it had no effect.
    pub(super) fn count_unseen_send(&mut self) {
        self.sent_unseen += 1;
    }

    pub(super) fn sent(&mut self, planned: PlannedRequest, links_lost: u32) {
        self.state = State::InFlight(Sent { planned, links_lost, found: None, amended: None });
    }

    /// The command had no effect; it is sent again, but not before `not_before`.
    pub(super) fn send_again(&mut self, not_before: Option<Instant>) {
        self.state = State::Queued { not_before };
    }

    /// The response will not arrive, if the command is in flight.
    pub(super) fn lose_response(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Queued { not_before: None }) {
            State::InFlight(sent) => State::Unknown { sent, look: Look::AT_RESUME },
            state => state,
        };
    }

    /// The response was not a success. The effect is looked up after a pause in which the echo may arrive, or by the
    /// resume plan if there is no link.
    pub(super) fn look_up_later(&mut self, is_linked: bool, throttled: bool) {
        self.lose_response();
        if let State::Unknown { look, .. } = &mut self.state {
            let pause = AGAIN_AFTER.saturating_mul(1 << self.sent_unseen.min(5)).min(AGAIN_AFTER_AT_MOST);
            *look = Look { at: is_linked.then(|| Instant::now() + pause), throttled };
        }
    }

    /// The history that shows the effect is being read, or will be read by the resume plan.
    pub(super) fn looked_up(&mut self) {
        if let State::Unknown { look, .. } = &mut self.state {
            look.at = None;
        }
    }

    /// A second request follows the response to the first one.
    pub(super) fn amend(&mut self, amended: PlannedRequest) {
        if let State::InFlight(sent) = &mut self.state {
            sent.amended = Some(amended);
        }
    }

    /// Takes the second request, if the command is in flight and has one.
    pub(super) fn take_amended(&mut self) -> Option<PlannedRequest> {
        match &mut self.state {
            State::InFlight(sent) => sent.amended.take(),
            State::Accepting | State::Recovered { .. } | State::Queued { .. } | State::Unknown { .. } => None,
        }
    }

    /// The platform closed the socket with `code` while the command was in flight; `alone` says whether nothing else
    /// was. `keeps` says whether the suspicion can be stored.
    pub(super) fn suspect(&mut self, code: u16, alone: bool, keeps: bool) {
        let before = self.suspected.as_ref().map(|suspected| suspected.suspicion);
        let is_kept = self.durable.is_none() || !keeps;
        self.suspected = Some(Suspected { suspicion: Suspicion::after(before, code, alone), is_kept });
    }

    /// Notes whether the suspicion is durable. Returns whether the command is suspected.
    pub(super) fn suspicion_kept(&mut self, is_kept: bool) -> bool {
        let Some(suspected) = &mut self.suspected else { return false };
        suspected.is_kept = is_kept;
        true
    }

    /// Takes the durable identity: the command is removed from the outbox and is not open any more.
    pub(super) fn take_durable(&mut self) -> Option<Durable> {
        self.durable.take()
    }

    /// Takes the tracing span from the caller to the reply.
    pub(super) fn take_span(&mut self) -> Span {
        std::mem::replace(&mut self.span, Span::none())
    }

    /// Takes the callers that wait for the outcome.
    pub(super) fn take_replies(&mut self) -> Vec<Reply> {
        std::mem::take(&mut self.replies)
    }

    /// Replies with the outcome to every caller that waits for it.
    pub(super) fn answer(self, outcome: &Result<Done, ConversationError>) {
        self.replies.into_iter().for_each(|reply| reply.send(outcome.clone()));
    }

    /// Replies to the waiting callers because the conversation stops. They get `failure` if the command was not sent
    /// and never will be, and otherwise an unknown outcome.
    pub(super) fn answer_at_the_end(self, failure: &ConversationError) {
        let is_open = self.durable.is_some() || self.may_have_been_sent();
        let unknown = || ConversationError::OutcomeUnknown { key: self.key.clone() };
        let failure = if is_open { unknown() } else { failure.clone() };
        self.answer(&Err(failure));
    }
}
