//! The command queue: one at a time, in order, each answered, none twice (promise 4).

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{ActorFutureExt, AsyncContext, Context, Handler, SpawnHandle, WrapFuture};
use tertulia_core::{
    command::{AnswerKind, Command, CommandError, Plan, PlannedRequest, Refusal, Repeat, key_of},
    conversation::Message,
    id::CommandKey,
    note::WrittenNote,
    ums::{AnswerError, Dialect, Json, MessageRecord, ParticipantRole},
};
use tokio::sync::oneshot;

use super::{CommandFailure, Conversation, Perform};
use crate::{
    request::{Answer, Ask, Lane, RequestFailure},
    subscriber::EventData,
    supervision::DepthPermit,
};

/// The pause before a command is sent again that the platform could not take just now (protocol §9.3).
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A command that was carried out.
#[derive(Clone, Debug)]
pub struct Done {
    /// The command's key.
    pub key: CommandKey,
    /// The published event's place in its dialog, where one was published.
    pub sequence: Option<u64>,
    /// The history that was asked for, in order.
    pub messages: Vec<Arc<Message>>,
    /// The note that was written, and how much of it (CV-F9).
    pub note: Option<WrittenNote>,
}

impl Done {
    fn of(key: &CommandKey) -> Self {
        Self { key: key.clone(), sequence: None, messages: Vec::new(), note: None }
    }
}

/// Commands of one conversation that wait for their turn, and the one whose turn it is. Bounded by the handle's
/// [`Depth`](crate::supervision::Depth).
#[derive(Default)]
pub(super) struct CommandQueue {
    waiting: VecDeque<Waiting>,
    /// Wakes the queue for the first command's deadline or its next try.
    alarm: Option<SpawnHandle>,
}

struct Waiting {
    command: Command,
    key: CommandKey,
    deadline: Instant,
    reply: oneshot::Sender<Result<Done, CommandFailure>>,
    state: State,
    _place: DepthPermit,
}

enum State {
    /// Not sent, or known to have had no effect; not before the time, if there is one.
    Queued { not_before: Option<Instant> },
    /// Sent; the answer is awaited.
    InFlight(Sent),
    /// Sent; the answer was lost.
    Unknown(Sent),
}

struct Sent {
    planned: PlannedRequest,
    /// Where it was seen in the dialog, before or instead of the answer.
    found: Option<u64>,
    /// What is to be sent when the answer has come, because another's note would be wiped out otherwise.
    amended: Option<PlannedRequest>,
}

impl CommandQueue {
    /// Looks whether a message is the one that the first command sent. The other side's may carry the same key: the
    /// `ExternalId` of a quick reply that was clicked.
    pub(super) fn notice(&mut self, message: &Message, dialect: Dialect) {
        let by_consumer = message.role == Some(ParticipantRole::Consumer);
        if by_consumer != (dialect == Dialect::Consumer) {
            return;
        }
        let Some(Waiting { state: State::InFlight(sent) | State::Unknown(sent), .. }) = self.waiting.front_mut() else {
            return;
        };
        let Repeat::Lookup { dialog_id, key, from } = &sent.planned.repeat else { return };
        if message.dialog_id != *dialog_id || message.sequence < *from {
            return;
        }
        let metadata = message.metadata.as_deref().map(Json::from);
        if metadata.as_ref().and_then(key_of).as_ref() == Some(key) {
            sent.found = Some(message.sequence);
        }
    }

    /// The actor begins a new life: its timers are gone, and the answer of the command in flight will not come.
    pub(super) fn restart(&mut self) {
        self.alarm = None;
        self.lose_answer();
    }

    /// The answer of the command in flight will not come.
    pub(super) fn lose_answer(&mut self) {
        if let Some(waiting) = self.waiting.front_mut() {
            waiting.state = match std::mem::replace(&mut waiting.state, State::Queued { not_before: None }) {
                State::InFlight(sent) => State::Unknown(sent),
                state => state,
            };
        }
    }
}

/// What is to be done with the first command.
enum Next {
    Send,
    Wait,
    Finish(Result<Done, CommandFailure>),
}

impl Conversation {
    /// Goes on with the first command, as far as it can go now.
    pub(super) fn next_command(&mut self, ctx: &mut Context<Self>) {
        loop {
            match self.judge_first() {
                None => return,
                Some(Next::Wait) => return self.set_alarm(ctx),
                Some(Next::Finish(outcome)) => self.finish_first(outcome),
                Some(Next::Send) => self.send_first(ctx),
            }
        }
    }

    fn judge_first(&self) -> Option<Next> {
        let first = self.commands.waiting.front()?;
        let now = Instant::now();
        let over = first.deadline <= now;
        let done = || Done::of(&first.key);
        Some(match &first.state {
            State::InFlight(_) => Next::Wait,
            State::Queued { .. } if over => Next::Finish(Err(CommandFailure::TimedOut)),
            State::Queued { not_before } => {
                let due = not_before.is_none_or(|time| time <= now);
                if due && self.ready.is_some() { Next::Send } else { Next::Wait }
            }
            State::Unknown(Sent { found: Some(sequence), .. }) => {
                Next::Finish(Ok(Done { sequence: Some(*sequence), ..done() }))
            }
            State::Unknown(_) if over => Next::Finish(Err(CommandFailure::OutcomeUnknown { key: first.key.clone() })),
            State::Unknown(_) if self.ready.is_none() => Next::Wait,
            State::Unknown(sent) => match sent.planned.repeat {
                Repeat::Lookup { ref dialog_id, .. } if !self.histories.is_current(dialog_id) => Next::Wait,
                Repeat::Lookup { .. } | Repeat::Safe => Next::Send,
                Repeat::ReadStateThenAct if sent.planned.is_done(&self.model) => {
                    Next::Finish(Ok(Done { note: sent.planned.note.clone(), ..done() }))
                }
                Repeat::ReadStateThenAct => Next::Send,
                Repeat::Never => Next::Finish(Err(CommandFailure::OutcomeUnknown { key: first.key.clone() })),
            },
        })
    }

    fn send_first(&mut self, ctx: &mut Context<Self>) {
        let Some(identity) = self.ready.clone() else { return };
        let limits = &self.upstream.settings.limits;
        let Some(first) = self.commands.waiting.front_mut() else { return };
        let planned = match first.command.requests(&self.model, &identity, &first.key, limits) {
            Ok(Plan::Request(planned)) => *planned,
            Ok(Plan::Nothing) => {
                let done = Done::of(&first.key);
                return self.finish_first(Ok(done));
            }
            Err(error) => return self.finish_first(Err(error.into())),
        };
        self.send(planned, ctx);
    }

    fn send(&mut self, planned: PlannedRequest, ctx: &mut Context<Self>) {
        let (reply, answer) = oneshot::channel();
        let (request, metadata) = (planned.request.clone(), planned.metadata.clone());
        self.put_back(State::InFlight(Sent { planned, found: None, amended: None }));
        let conversation = Some(self.model.id().clone());
        self.upstream.requests.do_send(Ask { conversation, request, metadata, lane: Lane::Command, reply });
        let answer = async move { answer.await.unwrap_or(Err(RequestFailure::ConnectionLost)) };
        ctx.spawn(answer.into_actor(self).map(|answer, conversation, ctx| conversation.answered(answer, ctx)));
    }

    fn answered(&mut self, answer: Result<Answer, RequestFailure>, ctx: &mut Context<Self>) {
        let Some(Waiting { state: State::InFlight(sent), key, .. }) = self.commands.waiting.front() else { return };
        let kind = sent.planned.answer;
        let done = Done { note: sent.planned.note.clone(), ..Done::of(key) };
        // What the answer brings may move the queue: the command stays in flight until its outcome is decided.
        let outcome = answer.and_then(|answer| self.read_answer(kind, &answer, done, ctx));
        let failure = match outcome {
            Ok(done) => match self.amended() {
                Some(amended) => return self.send(amended, ctx),
                None => return self.finish_and_go_on(Ok(done), ctx),
            },
            Err(failure) => failure,
        };
        let again = State::Queued { not_before: Some(Instant::now() + AGAIN_AFTER) };
        match failure {
            RequestFailure::NotConnected => self.put_back(State::Queued { not_before: None }),
            // Nothing had an effect: the same can be sent again.
            RequestFailure::Overloaded | RequestFailure::Answer(AnswerError::Refused { code: 429, .. }) => {
                self.put_back(again);
            }
            // The platform's own trouble may have come after the effect.
            RequestFailure::Answer(ref error) if error.is_transient() => self.look_up(ctx),
            RequestFailure::ConnectionLost | RequestFailure::TimedOut => self.look_up(ctx),
            RequestFailure::Answer(error) => self.finish_first(Err(error.into())),
            RequestFailure::NotSupported(what) => {
                let conversation = self.model.id().clone();
                let refusal = Refusal::NotSupported(what);
                self.finish_first(Err(CommandError { conversation, refusal }.into()));
            }
            RequestFailure::Unwritable(detail) => self.finish_first(Err(AnswerError::Unexpected(detail).into())),
        }
        self.next_command(ctx);
    }

    fn put_back(&mut self, state: State) {
        if let Some(first) = self.commands.waiting.front_mut() {
            first.state = state;
        }
    }

    /// The outcome is unknown. On a live link it is looked up at once; on a lost one the resume plan does it.
    fn look_up(&mut self, ctx: &mut Context<Self>) {
        self.commands.lose_answer();
        if self.ready.is_some() {
            self.catch_up(None, ctx);
        }
    }

    /// Looks, after a state, whether the note on its way would wipe out what another wrote meanwhile (NT-3). It is then
    /// written again among the others; its id makes it one note all the same.
    pub(super) fn amend_note(&mut self) {
        let Some(identity) = self.ready.clone() else { return };
        let Some(Waiting { command, state: State::InFlight(sent), .. }) = self.commands.waiting.front_mut() else {
            return;
        };
        let limits = &self.upstream.settings.limits;
        let amended = command.amend(&sent.planned, sent.amended.as_ref(), &self.model, &identity, limits);
        sent.amended = amended.or(sent.amended.take());
    }

    fn amended(&mut self) -> Option<PlannedRequest> {
        match &mut self.commands.waiting.front_mut()?.state {
            State::InFlight(sent) => sent.amended.take(),
            State::Queued { .. } | State::Unknown(_) => None,
        }
    }

    fn finish_and_go_on(&mut self, outcome: Result<Done, CommandFailure>, ctx: &mut Context<Self>) {
        self.finish_first(outcome);
        self.next_command(ctx);
    }

    fn read_answer(
        &mut self,
        kind: AnswerKind,
        answer: &Answer,
        mut done: Done,
        ctx: &mut Context<Self>,
    ) -> Result<Done, RequestFailure> {
        match kind {
            AnswerKind::Published => done.sequence = answer.read(|response| response.published())?,
            AnswerKind::Changed => answer.read(|response| response.changed())?,
            AnswerKind::Anything => answer.read(|response| response.outcome().map(drop))?,
            AnswerKind::History => {
                done.messages = answer.read(|response| {
                    let body = response.outcome()?;
                    let records: Vec<MessageRecord<'_>> = body
                        .map_or(Ok(Vec::new()), |body| body.read())
                        .map_err(|error| AnswerError::Unexpected(error.to_string()))?;
                    let mut messages = Vec::new();
                    for record in &records {
                        messages.extend(self.model.message_of(record));
                        let reception = self.model.receive_record(record, None);
                        self.take_reception(reception, ctx);
                    }
                    Ok(messages)
                })?;
            }
        }
        Ok(done)
    }

    fn finish_first(&mut self, outcome: Result<Done, CommandFailure>) {
        let Some(Waiting { command, key, reply, state, .. }) = self.commands.waiting.pop_front() else { return };
        match &outcome {
            Ok(done) => {
                self.upstream.metrics.commands_done.inc();
                if matches!(state, State::Unknown(Sent { found: Some(_), .. })) {
                    self.upstream.metrics.commands_found_done.inc();
                }
                let sequence = done.sequence;
                self.emit(EventData::CommandSent { key, command: command.name(), sequence });
            }
            Err(failure) => {
                self.upstream.metrics.commands_failed.inc();
                let (code, detail) = (failure.code(), failure.to_string());
                self.emit(EventData::CommandFailed { key, command: command.name(), code, detail });
            }
        }
        let _ = reply.send(outcome);
    }

    /// Answers every command: those that were sent with what is known, the others with `failure`.
    pub(super) fn fail_commands(&mut self, failure: &CommandFailure) {
        while let Some(first) = self.commands.waiting.front() {
            let outcome = match &first.state {
                State::Queued { .. } => failure.clone(),
                State::InFlight(_) | State::Unknown(_) => CommandFailure::OutcomeUnknown { key: first.key.clone() },
            };
            self.finish_first(Err(outcome));
        }
    }

    fn set_alarm(&mut self, ctx: &mut Context<Self>) {
        if let Some(alarm) = self.commands.alarm.take() {
            ctx.cancel_future(alarm);
        }
        let Some(first) = self.commands.waiting.front() else { return };
        let time = match first.state {
            // The request table answers in time.
            State::InFlight(_) => return,
            State::Queued { not_before: Some(time) } if self.ready.is_some() => time.min(first.deadline),
            State::Queued { .. } | State::Unknown(_) => first.deadline,
        };
        let wait = time.saturating_duration_since(Instant::now());
        self.commands.alarm = Some(ctx.run_later(wait, |conversation, ctx| {
            conversation.commands.alarm = None;
            conversation.next_command(ctx);
        }));
    }
}

impl Handler<Perform> for Conversation {
    type Result = ();

    fn handle(&mut self, perform: Perform, ctx: &mut Self::Context) {
        let Perform { command, key, deadline, reply, place } = perform;
        // A key the caller put into the metadata is the one that travels.
        let key = command.own_key().unwrap_or(key);
        let state = State::Queued { not_before: None };
        self.commands.waiting.push_back(Waiting { command, key, deadline, reply, state, _place: place });
        self.next_command(ctx);
    }
}
