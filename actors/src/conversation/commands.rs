//! How commands run: one at a time, in order, each with a reply, none twice (promise 4).

use std::time::Instant;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use tertulia_core::{
    command::{AnswerKind, CommandError, Plan, PlannedRequest, Refusal as Invalid, Remedy, Repeat, Suspicion},
    id::CommandKey,
    refusal::Refusal,
    ums::{AnswerError, MessageRecord},
};
use tokio::sync::oneshot;

use super::{
    Conversation, ConversationError, Done, Perform,
    durable::{Durable, Ending},
    handling::Handling,
    pending_command::{AGAIN_AFTER, Look, PendingCommand, Sent, State, Suspected},
};
use crate::{
    request::{Answer, Ask, Lane, RequestError},
    subscriber::EventData,
};

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
        let first = self.commands.first()?;
        let now = Instant::now();
        let over = first.deadline() <= now;
        let done = || Done::of(first.key());
        Some(match first.state() {
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
        let suspected = self.commands.first().and_then(PendingCommand::suspected);
        match (next, suspected) {
            (Next::Send, Some(Suspected { suspicion: Suspicion::Proved { code }, .. })) => {
                Next::Finish(Err(ConversationError::ClosedConnection { code: *code }))
            }
            (Next::Send, Some(Suspected { is_kept: false, .. })) => Next::Wait,
            (next, _) => next,
        }
    }

    /// The next action for a command that was sent and had no successful response.
    fn judge_unknown(&self, first: &PendingCommand, sent: &Sent, look: Look, now: Instant) -> Next {
        let done = || Done::of(first.key());
        let unknown = || Next::Finish(Err(ConversationError::OutcomeUnknown { key: first.key().clone() }));
        match &sent.planned.repeat {
            _ if let Some(sequence) = sent.found => Next::Finish(Ok(Done { sequence: Some(sequence), ..done() })),
            _ if first.deadline() <= now => unknown(),
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
    fn judge_recovered(&self, first: &PendingCommand, over: bool) -> Next {
        let unknown = || Next::Finish(Err(ConversationError::OutcomeUnknown { key: first.key().clone() }));
        let Some(identity) = &self.ready else { return if over { unknown() } else { Next::Wait } };
        if !self.histories.are_current() {
            return if over { unknown() } else { Next::Wait };
        }
        if first.command().shows_in(&self.model) {
            return Next::Finish(Ok(Done::of(first.key())));
        }
        let limits = &self.upstream.settings.limits;
        match first.command().requests(&self.model, identity, first.key(), limits) {
            Ok(Plan::Request(planned)) => match &planned.repeat {
                Repeat::Lookup { dialog_id, .. } if !self.histories.is_current(dialog_id) => unknown(),
                Repeat::ReadStateThenAct if planned.is_done(&self.model) => {
                    Next::Finish(Ok(Done { note: planned.note.clone(), ..Done::of(first.key()) }))
                }
                Repeat::Never => unknown(),
                Repeat::Lookup { .. } | Repeat::Safe | Repeat::ReadStateThenAct if over => {
                    Next::Finish(Err(ConversationError::TimedOut))
                }
                Repeat::Lookup { .. } | Repeat::Safe | Repeat::ReadStateThenAct => Next::Send,
            },
            Ok(Plan::Nothing) => Next::Finish(Ok(Done::of(first.key()))),
            Err(error) => Next::Finish(Err(error.into())),
        }
    }

    /// Whether the first command is sent again although no history shows that it had no effect.
    fn is_first_repeated_unseen(&self) -> bool {
        let Some(State::Unknown { sent, .. }) = self.commands.first().map(PendingCommand::state) else { return false };
        matches!(&sent.planned.repeat, Repeat::Lookup { dialog_id, .. } if !self.histories.is_current(dialog_id))
    }

    fn send_first(&mut self, ctx: &mut Context<Self>) {
        let Some(identity) = self.ready.clone() else { return };
        if self.is_first_repeated_unseen() {
            self.commands.count_unseen_send();
        }
        let limits = &self.upstream.settings.limits;
        let Some(first) = self.commands.first() else { return };
        // A panic from here on is caused by the command, not by the notification that made it run.
        let before = std::mem::replace(&mut self.handling, Handling::Command(first.key().clone()));
        let planned = first.command().requests(&self.model, &identity, first.key(), limits);
        self.handling = before;
        let planned = match planned {
            Ok(Plan::Request(planned)) => *planned,
            Ok(Plan::Nothing) => {
                let done = Done::of(first.key());
                return self.finish_first(Ok(done));
            }
            Err(error) => return self.finish_first(Err(error.into())),
        };
        if !self.commands.claim_first() {
            // The caller gave up: it already knows that nothing was sent.
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
        self.commands.sent(planned, self.links_lost);
        let conversation = Some(self.model.id().clone());
        let first = self.commands.first();
        let alone = first.is_some_and(|first| first.suspected().is_some());
        let asked = first.map_or_else(Instant::now, PendingCommand::submitted_at);
        let ask = Ask::new(request, Lane::Command, reply);
        self.upstream.requests.do_send(Ask { conversation, metadata, alone, asked, ..ask });
        let answer = async move { answer.await.unwrap_or(Err(RequestError::ConnectionLost)) };
        ctx.spawn(answer.into_actor(self).map(|answer, conversation, ctx| {
            conversation.answered(answer, ctx);
            conversation.conclude();
        }));
    }

    fn answered(&mut self, answer: Result<Answer, RequestError>, ctx: &mut Context<Self>) {
        let Some((first, sent)) = self.commands.in_flight() else { return };
        let kind = sent.planned.answer;
        let done = Done { note: sent.planned.note.clone(), ..Done::of(first.key()) };
        // Reading the response may change the queue, so the command stays in flight until its outcome is decided.
        let outcome = answer.and_then(|answer| self.read_answer(kind, &answer, done, ctx));
        let failure = match outcome {
            Ok(done) => {
                self.confirm_first();
                match self.commands.take_amended() {
                    Some(amended) => return self.send(amended, ctx),
                    None => return self.finish_and_go_on(Ok(done), ctx),
                }
            }
            Err(failure) => failure,
        };
        if let RequestError::ClosedOverContent { code, alone } = failure {
            self.suspect_first(code, alone, ctx);
        }
        let Some((first, sent)) = self.commands.in_flight() else { return };
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
            self.commands.send_again(not_before);
            return self.next_command(ctx);
        }
        let refusal = failure.refusal();
        match sent.planned.repeat.remedy(refusal) {
            // The echo proves the effect, whatever the response says.
            _ if sent.found.is_some() => self.commands.lose_response(),
            Remedy::SendAgain => self.commands.send_again(Some(Instant::now() + AGAIN_AFTER)),
            Remedy::LookUp => self.commands.look_up_later(self.ready.is_some(), refusal == Refusal::TooMany),
            Remedy::TellUnknown => {
                let key = first.key().clone();
                self.finish_first(Err(ConversationError::OutcomeUnknown { key }));
            }
            Remedy::Tell => {
                let failure = self.error_for_caller(failure);
                self.finish_first(Err(failure));
            }
        }
        self.next_command(ctx);
    }

    /// The platform closed the socket while the first command was in flight. The suspicion is stored before the command
    /// is sent again, so that the command costs no further socket even if the process ends.
    fn suspect_first(&mut self, code: u16, alone: bool, ctx: &mut Context<Self>) {
        let (keeps, record_key, retention) = (self.keeps(), self.record_key(), self.upstream.journal.retention());
        let Some(first) = self.commands.suspect_first(code, alone, keeps) else { return };
        let Some(&Suspected { suspicion, is_kept }) = first.suspected() else { return };
        let (key, record) = (first.key().clone(), first.record(&record_key, retention));
        tracing::warn!(
            connection = %self.upstream.origin.connection,
            conversation = %self.model.id(),
            %key,
            ?suspicion,
            "the platform closed the socket while the command was in flight"
        );
        let Some(record) = record.filter(|_| !is_kept) else { return };
        self.change(record);
        let (report, kept) = oneshot::channel();
        self.afterwards(Box::new(move || {
            let _ = report.send(());
        }));
        ctx.spawn(async move { kept.await.is_ok() }.into_actor(self).map(move |is_kept, conversation, ctx| {
            if conversation.commands.suspicion_kept(&key, is_kept) {
                conversation.next_command(ctx);
                conversation.conclude();
            }
        }));
    }

    /// The error that the caller gets for a request that is not repeated.
    fn error_for_caller(&self, failure: RequestError) -> ConversationError {
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
                CommandError { conversation, refusal: Invalid::NotSupported(what.into()) }.into()
            }
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
        let Some((first, sent)) = self.commands.in_flight() else { return };
        let limits = &self.upstream.settings.limits;
        let amended = first.command().amend(&sent.planned, sent.amended.as_ref(), &self.model, &identity, limits);
        if let Some(amended) = amended {
            self.commands.amend(amended);
        }
    }

    fn confirm_first(&mut self) {
        if let Some((_, sent)) = self.commands.in_flight() {
            sent.planned.confirmed(&mut self.model);
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
        if let Some(first) = self.commands.finish_first() {
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
    pub(super) fn finish(&mut self, mut finished: PendingCommand, outcome: Result<Done, ConversationError>) {
        let (key, command, caller) = (finished.key().clone(), finished.command().name(), finished.caller().cloned());
        let word = if outcome.is_ok() { "done" } else { "failed" };
        self.upstream.metrics.commands.get_or_create(&[("command", command), ("outcome", word)]).inc();
        match &outcome {
            Ok(done) => {
                self.upstream.metrics.commands_done.inc();
                self.upstream.counted.commands_done.inc();
                if finished.is_found_without_response() {
                    self.upstream.metrics.commands_found_done.inc();
                }
                let sequence = done.sequence;
                self.emit(EventData::CommandSent { key, command, sequence, caller });
            }
            Err(failure) => {
                self.upstream.metrics.commands_failed.inc();
                self.upstream.counted.commands_failed.inc();
                if let ConversationError::ClosedConnection { .. } = failure {
                    self.dead_letter_command(&finished, failure);
                }
                let (code, detail, platform_code) = (failure.code(), failure.to_string(), failure.platform_code());
                self.emit(EventData::CommandFailed { key, command, code, detail, platform_code, caller });
            }
        }
        let span = finished.take_span();
        span.record("outcome", if outcome.is_ok() { "done" } else { "failed" });
        let replies = finished.take_replies();
        let ending = finished.durable().cloned().map(|durable| (Ending::of(&durable, &outcome), durable));
        let (asked, durations) = (finished.submitted_at(), self.upstream.metrics.command_duration_seconds.clone());
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

    fn leave_open(&mut self, left: PendingCommand) {
        if let Some(durable) = self.commands.leave_open(left).and_then(|mut forgotten| forgotten.take_durable()) {
            self.end(&durable, Ending::Forget);
        }
    }

    /// Ends every command: sent commands with what is known of their outcome, the others with `failure`.
    pub(super) fn fail_commands(&mut self, failure: &ConversationError) {
        while let Some(first) = self.commands.first() {
            let outcome = match first.may_have_been_sent() {
                true => ConversationError::OutcomeUnknown { key: first.key().clone() },
                false => failure.clone(),
            };
            self.finish_first(Err(outcome));
        }
    }

    fn set_alarm(&mut self, ctx: &mut Context<Self>) {
        if let Some(alarm) = self.commands.replace_alarm(None) {
            ctx.cancel_future(alarm);
        }
        let Some(first) = self.commands.first() else { return };
        let time = match *first.state() {
            // The request table replies in time.
            State::InFlight(_) => return,
            State::Queued { not_before: Some(time) } if self.ready.is_some() && !self.are_sends_held() => {
                time.min(first.deadline())
            }
            State::Unknown { look: Look { at: Some(time), .. }, .. } if self.ready.is_some() => {
                time.min(first.deadline())
            }
            State::Accepting | State::Recovered { .. } | State::Queued { .. } | State::Unknown { .. } => {
                first.deadline()
            }
        };
        let wait = time.saturating_duration_since(Instant::now());
        let alarm = ctx.run_later(wait, |conversation, ctx| {
            conversation.commands.replace_alarm(None);
            conversation.next_command(ctx);
            conversation.conclude();
        });
        self.commands.replace_alarm(Some(alarm));
    }
}

impl Conversation {
    /// Adds a command to the queue.
    pub(super) fn perform(&mut self, mut perform: Perform, ctx: &mut Context<Self>) {
        perform.durable = perform.durable.filter(|_| self.keeps());
        // A key that the caller put into the metadata is the key that is sent.
        let handling = Handling::Command(perform.command.own_key().unwrap_or_else(|| perform.key.clone()));
        match perform.durable.clone() {
            Some(durable) => {
                self.take_durable(perform, durable, ctx);
                self.handling(handling);
            }
            None => {
                self.commands.submit(perform);
                self.handling(handling);
                self.next_command(ctx);
            }
        }
        self.handled();
    }
}
