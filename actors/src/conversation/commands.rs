//! How commands run: one at a time, in order, each with a reply, none twice (promise 4).

use std::time::{Duration, Instant};

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use tertulia_core::{
    command::{AnswerKind, CommandError, Plan, PlannedRequest, Refusal as Invalid, Remedy, Repeat, Suspicion},
    id::CommandKey,
    refusal::Refusal,
    ums::{AnswerError, MessageRecord},
};
use tokio::sync::oneshot;
use tracing::Span;

use super::{
    Conversation, ConversationError, Done, Perform, Reply,
    command_queue::{Look, Sent, State, Suspected, Waiting},
    durable::{Durable, Ending},
    handling::Handling,
};
use crate::{
    request::{Answer, Ask, Lane, RequestError},
    subscriber::EventData,
};

/// The pause before a command without a successful response is looked up or sent again (protocol
/// [§9.3](crate::protocol#93)).
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// The longest such pause. The pause grows only if a command is repeated without a lookup.
const AGAIN_AFTER_AT_MOST: Duration = Duration::from_secs(32);

/// The most open commands of one conversation. Beyond it the oldest is forgotten, and may run again if it is submitted
/// again.
const OPEN: usize = 64;

/// The next action for the first command.
enum Next {
    Send,
    Wait,
    LookUp,
    Finish(Result<Done, ConversationError>),
}

impl Conversation {
    /// Advances the first command as far as possible now.
    pub(super) fn next_command(&mut self, ctx: &mut Context<Self>) {
        loop {
            match self.judge_first().map(|next| self.judge_suspected(next)) {
                None => return,
                Some(Next::Wait) => {
                    self.hurry_history();
                    return self.set_alarm(ctx);
                }
                Some(Next::LookUp) => return self.look_up(ctx),
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
            State::Accepting if over => Next::Finish(Err(ConversationError::TimedOut)),
            State::Accepting => Next::Wait,
            State::Recovered { found: Some(sequence) } => {
                Next::Finish(Ok(Done { sequence: Some(*sequence), ..done() }))
            }
            State::Recovered { found: None } => self.judge_recovered(first, over),
            State::Queued { .. } if over => Next::Finish(Err(ConversationError::TimedOut)),
            State::Queued { not_before } => {
                let due = not_before.is_none_or(|time| time <= now);
                let may_send = self.ready.is_some() && !self.are_sends_held();
                if due && may_send { Next::Send } else { Next::Wait }
            }
            State::Unknown { sent, look } => self.judge_unknown(first, sent, *look, now),
        })
    }

    /// A command that provably ends sockets is not sent again. A suspected command is sent again only after the
    /// suspicion is durable.
    fn judge_suspected(&self, next: Next) -> Next {
        let suspected = self.commands.waiting.front().and_then(|first| first.suspicion.as_ref());
        match (next, suspected) {
            (Next::Send, Some(Suspected { suspicion: Suspicion::Proved { code }, .. })) => {
                Next::Finish(Err(ConversationError::ClosedConnection { code: *code }))
            }
            (Next::Send, Some(Suspected { is_kept: false, .. })) => Next::Wait,
            (next, _) => next,
        }
    }

    /// The next action for a command that was sent and had no successful response.
    fn judge_unknown(&self, first: &Waiting, sent: &Sent, look: Look, now: Instant) -> Next {
        let done = || Done::of(&first.key);
        let unknown = || Next::Finish(Err(ConversationError::OutcomeUnknown { key: first.key.clone() }));
        match &sent.planned.repeat {
            _ if let Some(sequence) = sent.found => Next::Finish(Ok(Done { sequence: Some(sequence), ..done() })),
            _ if first.deadline <= now => unknown(),
            _ if self.ready.is_none() || look.at.is_some_and(|time| time > now) => Next::Wait,
            Repeat::Lookup { .. } if look.at.is_some() => Next::LookUp,
            Repeat::Lookup { dialog_id, .. } if self.histories.is_current(dialog_id) => Next::Send,
            // The history is refused and the echo did not come, so nothing contradicts the 429: the command had no
            // effect.
            Repeat::Lookup { .. } if look.throttled && self.histories.are_current() => Next::Send,
            Repeat::Lookup { .. } => Next::Wait,
            Repeat::Safe => Next::Send,
            Repeat::ReadStateThenAct if sent.planned.is_done(&self.model) => {
                Next::Finish(Ok(Done { note: sent.planned.note.clone(), ..done() }))
            }
            Repeat::ReadStateThenAct => Next::Send,
            Repeat::Never => unknown(),
        }
    }

    /// The next action for a command that a previous run may have sent: by now its message would be known.
    fn judge_recovered(&self, first: &Waiting, over: bool) -> Next {
        let unknown = || Next::Finish(Err(ConversationError::OutcomeUnknown { key: first.key.clone() }));
        let Some(identity) = &self.ready else { return if over { unknown() } else { Next::Wait } };
        if !self.histories.are_current() {
            return if over { unknown() } else { Next::Wait };
        }
        if first.command.shows_in(&self.model) {
            return Next::Finish(Ok(Done::of(&first.key)));
        }
        let limits = &self.upstream.settings.limits;
        match first.command.requests(&self.model, identity, &first.key, limits) {
            Ok(Plan::Request(planned)) => match &planned.repeat {
                Repeat::Lookup { dialog_id, .. } if !self.histories.is_current(dialog_id) => unknown(),
                Repeat::ReadStateThenAct if planned.is_done(&self.model) => {
                    Next::Finish(Ok(Done { note: planned.note.clone(), ..Done::of(&first.key) }))
                }
                Repeat::Never => unknown(),
                Repeat::Lookup { .. } | Repeat::Safe | Repeat::ReadStateThenAct if over => {
                    Next::Finish(Err(ConversationError::TimedOut))
                }
                Repeat::Lookup { .. } | Repeat::Safe | Repeat::ReadStateThenAct => Next::Send,
            },
            Ok(Plan::Nothing) => Next::Finish(Ok(Done::of(&first.key))),
            Err(error) => Next::Finish(Err(error.into())),
        }
    }

    fn send_first(&mut self, ctx: &mut Context<Self>) {
        let Some(identity) = self.ready.clone() else { return };
        let limits = &self.upstream.settings.limits;
        let Some(first) = self.commands.waiting.front_mut() else { return };
        if let State::Unknown { sent, .. } = &first.state
            && let Repeat::Lookup { dialog_id, .. } = &sent.planned.repeat
            && !self.histories.is_current(dialog_id)
        {
            first.unseen += 1;
        }
        // A panic from here on is caused by the command, not by the notification that made it run.
        let before = std::mem::replace(&mut self.handling, Handling::Command(first.key.clone()));
        let planned = first.command.requests(&self.model, &identity, &first.key, limits);
        self.handling = before;
        let planned = match planned {
            Ok(Plan::Request(planned)) => *planned,
            Ok(Plan::Nothing) => {
                let done = Done::of(&first.key);
                return self.finish_first(Ok(done));
            }
            Err(error) => return self.finish_first(Err(error.into())),
        };
        let claim = self.commands.waiting.front_mut().and_then(|first| first.claim.take());
        if claim.is_some_and(|claim| !claim.take()) {
            // The claim is taken, so the caller was already told that nothing was sent.
            return self.finish_first(Err(ConversationError::TimedOut));
        }
        self.send(planned, ctx);
    }

    fn send(&mut self, planned: PlannedRequest, ctx: &mut Context<Self>) {
        if let Repeat::Lookup { dialog_id, .. } = &planned.repeat {
            self.model.publishing(dialog_id);
        }
        let (reply, answer) = oneshot::channel();
        let (request, metadata) = (planned.request.clone(), planned.metadata.clone());
        self.put_back(State::InFlight(Sent { planned, links_lost: self.links_lost, found: None, amended: None }));
        let conversation = Some(self.model.id().clone());
        let first = self.commands.waiting.front();
        let alone = first.is_some_and(|first| first.suspicion.is_some());
        let asked = first.map_or_else(Instant::now, |first| first.asked);
        let ask = Ask::new(request, Lane::Command, reply);
        self.upstream.requests.do_send(Ask { conversation, metadata, alone, asked, ..ask });
        let answer = async move { answer.await.unwrap_or(Err(RequestError::ConnectionLost)) };
        ctx.spawn(answer.into_actor(self).map(|answer, conversation, ctx| {
            conversation.answered(answer, ctx);
            conversation.conclude();
        }));
    }

    fn answered(&mut self, answer: Result<Answer, RequestError>, ctx: &mut Context<Self>) {
        let Some(Waiting { state: State::InFlight(sent), key, .. }) = self.commands.waiting.front() else { return };
        let kind = sent.planned.answer;
        let done = Done { note: sent.planned.note.clone(), ..Done::of(key) };
        // Reading the response may change the queue, so the command stays in flight until its outcome is decided.
        let outcome = answer.and_then(|answer| self.read_answer(kind, &answer, done, ctx));
        let failure = match outcome {
            Ok(done) => {
                self.confirm_first();
                match self.amended() {
                    Some(amended) => return self.send(amended, ctx),
                    None => return self.finish_and_go_on(Ok(done), ctx),
                }
            }
            Err(failure) => failure,
        };
        if let RequestError::ClosedOverContent { code, alone } = failure {
            self.suspect_first(code, alone, ctx);
        }
        let Some(Waiting { state: State::InFlight(sent), key, .. }) = self.commands.waiting.front() else { return };
        // The connection reports the loss of the link in a separate message, which may arrive after this response.
        // Without a link nothing is sent meanwhile.
        if failure.refusal() == Refusal::ConnectionLost && sent.links_lost == self.links_lost {
            self.ready = None;
        }
        if failure.is_for_now() {
            let wait = match failure {
                // A request that the link did not accept is sent when the link is back.
                RequestError::NotConnected => None,
                RequestError::Paused { wait } => Some(wait),
                _ => Some(AGAIN_AFTER),
            };
            let not_before = wait.map(|wait| Instant::now() + wait);
            self.put_back(State::Queued { not_before });
            return self.next_command(ctx);
        }
        let refusal = failure.refusal();
        match sent.planned.repeat.remedy(refusal) {
            // The echo proves the effect, whatever the response says.
            _ if sent.found.is_some() => self.commands.lose_answer(),
            Remedy::SendAgain => self.put_back(State::Queued { not_before: Some(Instant::now() + AGAIN_AFTER) }),
            Remedy::LookUp => self.look_up_later(refusal == Refusal::TooMany),
            Remedy::TellUnknown => {
                let key = key.clone();
                self.finish_first(Err(ConversationError::OutcomeUnknown { key }));
            }
            Remedy::Tell => {
                let failure = self.told(failure);
                self.finish_first(Err(failure));
            }
        }
        self.next_command(ctx);
    }

    /// The platform closed the socket while the first command was in flight. The suspicion is stored before the command
    /// is sent again, so that the command costs no further socket even if the process ends.
    fn suspect_first(&mut self, code: u16, alone: bool, ctx: &mut Context<Self>) {
        let (keeps, record_key, retention) = (self.keeps(), self.record_key(), self.upstream.journal.retention());
        let Some(first) = self.commands.waiting.front_mut() else { return };
        let before = first.suspicion.as_ref().map(|suspected| suspected.suspicion);
        let suspicion = Suspicion::after(before, code, alone);
        let is_kept = first.durable.is_none() || !keeps;
        first.suspicion = Some(Suspected { suspicion, is_kept });
        let (key, record) = (first.key.clone(), first.record(&record_key, retention));
        tracing::warn!(
            connection = %self.upstream.origin.connection,
            conversation = %self.model.id(),
            %key,
            ?suspicion,
            "the platform closed the socket while the command was in flight"
        );
        let Some(record) = record.filter(|_| !is_kept) else { return };
        self.change(record);
        let (told, kept) = oneshot::channel();
        self.afterwards(Box::new(move || {
            let _ = told.send(());
        }));
        ctx.spawn(async move { kept.await.is_ok() }.into_actor(self).map(move |is_kept, conversation, ctx| {
            let first = conversation.commands.waiting.front_mut().filter(|first| first.key == key);
            if let Some(suspected) = first.and_then(|first| first.suspicion.as_mut()) {
                suspected.is_kept = is_kept;
                conversation.next_command(ctx);
                conversation.conclude();
            }
        }));
    }

    fn put_back(&mut self, state: State) {
        if let Some(first) = self.commands.waiting.front_mut() {
            first.state = state;
        }
    }

    /// The error that the caller gets for a request that is not repeated.
    fn told(&self, failure: RequestError) -> ConversationError {
        match failure {
            RequestError::NotConnected => ConversationError::NotConnected,
            RequestError::Overloaded | RequestError::Paused { .. } => ConversationError::Overloaded,
            RequestError::ConnectionLost | RequestError::ClosedOverContent { .. } | RequestError::TimedOut => {
                ConversationError::TimedOut
            }
            RequestError::Answer(error) => error.into(),
            RequestError::Unwritable(detail) => AnswerError::Unexpected(detail).into(),
            RequestError::NotSupported(what) => {
                let conversation = self.model.id().clone();
                CommandError { conversation, refusal: Invalid::NotSupported(what) }.into()
            }
        }
    }

    /// The command in flight had no successful response. Its effect is looked up after a pause in which its echo may
    /// arrive. If the link was lost, the resume plan looks it up.
    fn look_up_later(&mut self, throttled: bool) {
        self.commands.lose_answer();
        let is_linked = self.ready.is_some();
        if let Some(Waiting { state: State::Unknown { look, .. }, unseen, .. }) = self.commands.waiting.front_mut() {
            let pause = AGAIN_AFTER.saturating_mul(1 << (*unseen).min(5)).min(AGAIN_AFTER_AT_MOST);
            *look = Look { at: is_linked.then(|| Instant::now() + pause), throttled };
        }
    }

    /// Reads the history that shows whether the uncertain command had its effect.
    fn look_up(&mut self, ctx: &mut Context<Self>) {
        self.commands.looked_up();
        self.catch_up(ctx);
    }

    /// Checks after a new state whether the note in flight would overwrite a note that another client wrote meanwhile
    /// ([NT-3](crate::rules#nt-3)). If so, the note is written again together with the others; its id keeps it a single
    /// note.
    pub(super) fn amend_note(&mut self) {
        let Some(identity) = self.ready.clone() else { return };
        let Some(Waiting { command, state: State::InFlight(sent), .. }) = self.commands.waiting.front_mut() else {
            return;
        };
        let limits = &self.upstream.settings.limits;
        let amended = command.amend(&sent.planned, sent.amended.as_ref(), &self.model, &identity, limits);
        sent.amended = amended.or(sent.amended.take());
    }

    fn confirm_first(&mut self) {
        if let Some(Waiting { state: State::InFlight(sent), .. }) = self.commands.waiting.front() {
            sent.planned.confirmed(&mut self.model);
        }
    }

    fn amended(&mut self) -> Option<PlannedRequest> {
        match &mut self.commands.waiting.front_mut()?.state {
            State::InFlight(sent) => sent.amended.take(),
            State::Accepting | State::Recovered { .. } | State::Queued { .. } | State::Unknown { .. } => None,
        }
    }

    fn finish_and_go_on(&mut self, outcome: Result<Done, ConversationError>, ctx: &mut Context<Self>) {
        self.finish_first(outcome);
        self.next_command(ctx);
    }

    fn read_answer(
        &mut self,
        kind: AnswerKind,
        answer: &Answer,
        mut done: Done,
        ctx: &mut Context<Self>,
    ) -> Result<Done, RequestError> {
        match kind {
            AnswerKind::Published => done.sequence = answer.read(|response| response.published())?,
            AnswerKind::Changed => answer.read(|response| response.changed())?,
            AnswerKind::Anything => answer.read(|response| response.outcome().map(drop))?,
            AnswerKind::History(range) => {
                done.messages = answer.read(|response| {
                    let body = response.outcome()?;
                    let records: Vec<MessageRecord<'_>> = body
                        .map_or(Ok(Vec::new()), |body| body.read())
                        .map_err(|error| AnswerError::Unexpected(error.to_string()))?;
                    let mut messages = Vec::new();
                    for record in &records {
                        let wanted = record.sequence.is_some_and(|sequence| range.contains(sequence));
                        messages.extend(self.model.message_of(record).filter(|_| wanted));
                        let reception = self.model.receive_record(record, None);
                        self.notice_contradiction(&reception, record, None);
                        self.take_reception(reception, ctx);
                    }
                    let most = range.max.and_then(|max| usize::try_from(max).ok());
                    messages.truncate(most.unwrap_or(usize::MAX));
                    Ok(messages)
                })?;
            }
        }
        Ok(done)
    }

    fn finish_first(&mut self, outcome: Result<Done, ConversationError>) {
        if let Some(first) = self.commands.waiting.pop_front() {
            // Most conversations have no commands most of the time, and the buffer is not small.
            if self.commands.waiting.is_empty() {
                self.commands.waiting.shrink_to_fit();
            }
            self.finish(first, outcome);
        }
    }

    /// Fails the command with this key, if it was not sent.
    pub(super) fn fail_unsent(&mut self, key: &CommandKey, failure: ConversationError) {
        if let Some(waiting) = self.commands.withdraw(key) {
            self.finish(waiting, Err(failure));
        }
    }

    /// Reports the outcome; for a durable command, after the outcome is stored.
    pub(super) fn finish(&mut self, mut finished: Waiting, outcome: Result<Done, ConversationError>) {
        let (key, command, caller) = (finished.key.clone(), finished.command.name(), finished.caller.clone());
        let word = if outcome.is_ok() { "done" } else { "failed" };
        self.upstream.metrics.commands.get_or_create(&[("command", command), ("outcome", word)]).inc();
        match &outcome {
            Ok(done) => {
                self.upstream.metrics.commands_done.inc();
                self.upstream.counted.commands_done.inc();
                if matches!(
                    finished.state,
                    State::Unknown { sent: Sent { found: Some(_), .. }, .. } | State::Recovered { found: Some(_) }
                ) {
                    self.upstream.metrics.commands_found_done.inc();
                }
                let sequence = done.sequence;
                self.emit(EventData::CommandSent { key, command, sequence, caller });
            }
            Err(failure) => {
                self.upstream.metrics.commands_failed.inc();
                self.upstream.counted.commands_failed.inc();
                if let ConversationError::ClosedConnection { .. } = failure {
                    self.bury_command(&finished, failure);
                }
                let (code, detail, platform_code) = (failure.code(), failure.to_string(), failure.platform_code());
                self.emit(EventData::CommandFailed { key, command, code, detail, platform_code, caller });
            }
        }
        let span = std::mem::replace(&mut finished.span, Span::none());
        span.record("outcome", if outcome.is_ok() { "done" } else { "failed" });
        let replies = std::mem::take(&mut finished.replies);
        let ending = finished.durable.clone().map(|durable| (Ending::of(&durable, &outcome), durable));
        let (asked, durations) = (finished.asked, self.upstream.metrics.command_duration_seconds.clone());
        let tell = move || {
            durations.observe(asked.elapsed());
            drop(span);
            replies.into_iter().for_each(|reply| reply.send(outcome.clone()));
        };
        let Some((ending, durable)) = ending else { return tell() };
        if matches!(ending, Ending::Open) {
            self.leave_open(finished);
        }
        self.end(&durable, ending);
        self.afterwards(Box::new(tell));
    }

    pub(super) fn end(&mut self, durable: &Durable, ending: Ending) {
        for change in durable.end(&self.record_key(), ending, self.upstream.journal.retention()) {
            self.change(change);
        }
    }

    fn leave_open(&mut self, mut left: Waiting) {
        left.state = State::Recovered { found: left.found() };
        left._place = None;
        self.commands.open.push_back(left);
        if self.commands.open.len() > OPEN
            && let Some(Waiting { durable: Some(durable), .. }) = self.commands.open.pop_front()
        {
            self.end(&durable, Ending::Forget);
        }
    }

    /// Ends every command: sent commands with what is known of their outcome, the others with `failure`.
    pub(super) fn fail_commands(&mut self, failure: &ConversationError) {
        while let Some(first) = self.commands.waiting.front() {
            let outcome = match &first.state {
                State::Accepting | State::Queued { .. } => failure.clone(),
                State::InFlight(_) | State::Unknown { .. } | State::Recovered { .. } => {
                    ConversationError::OutcomeUnknown { key: first.key.clone() }
                }
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
            // The request table replies in time.
            State::InFlight(_) => return,
            State::Queued { not_before: Some(time) } if self.ready.is_some() && !self.are_sends_held() => {
                time.min(first.deadline)
            }
            State::Unknown { look: Look { at: Some(time), .. }, .. } if self.ready.is_some() => {
                time.min(first.deadline)
            }
            State::Accepting | State::Recovered { .. } | State::Queued { .. } | State::Unknown { .. } => first.deadline,
        };
        let wait = time.saturating_duration_since(Instant::now());
        self.commands.alarm = Some(ctx.run_later(wait, |conversation, ctx| {
            conversation.commands.alarm = None;
            conversation.next_command(ctx);
            conversation.conclude();
        }));
    }
}

impl Conversation {
    /// Adds a command to the queue.
    pub(super) fn perform(&mut self, perform: Perform, ctx: &mut Context<Self>) {
        let Perform { command, key, caller, deadline, durable, reply, claim, span, place } = perform;
        // A key that the caller put into the metadata is the key that is sent.
        let key = command.own_key().unwrap_or(key);
        let durable = durable.filter(|_| self.keeps());
        let mut asked = Waiting {
            command,
            key,
            caller,
            deadline,
            asked: Instant::now(),
            span,
            replies: vec![reply],
            state: State::Queued { not_before: None },
            durable: durable.clone(),
            suspicion: None,
            unseen: 0,
            claim,
            cancelled: Vec::new(),
            number: self.commands.next_number(),
            _place: Some(place),
        };
        let handling = Handling::Command(asked.key.clone());
        match durable {
            Some(durable) => {
                self.take_durable(asked, durable, ctx);
                self.handling(handling);
            }
            None => {
                asked.replies.iter_mut().for_each(Reply::accept);
                self.commands.waiting.push_back(asked);
                self.handling(handling);
                self.next_command(ctx);
            }
        }
        self.handled();
    }
}
