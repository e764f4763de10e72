//! Durable commands: stored in the outbox, removed from it, and recognized in the dialog.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use tertulia_core::{
    command::key_of,
    conversation::Message,
    ums::{Dialect, Json, ParticipantRole},
};
use tracing::Span;

use super::{
    Conversation, ConversationError, Done, Recall, Reply,
    command_queue::{State, Suspected, Waiting},
    durable::{Accepted, Answered, Durable, Ending},
};
use crate::{
    engine::{Change, Journal, Record, RecordKey, Retention, StoreError, Table},
    subscriber::EventData,
    supervision::DepthPermit,
};

impl Waiting {
    /// The outbox record from which the next run restores the command, if the command is durable.
    pub(super) fn record(&self, conversation: &RecordKey, retention: Retention) -> Option<Change> {
        let durable = self.durable.as_ref()?;
        let mut accepted = Accepted::new(durable, self.number, &self.command, self.deadline);
        accepted.caller = self.caller.clone();
        accepted.found = self.found();
        accepted.suspicion = self.suspicion.as_ref().map(|suspected| suspected.suspicion);
        durable.put(conversation, &accepted, retention)
    }
}

impl Conversation {
    /// Checks whether a command of this side sent a message. A message of the other side may have the same key: the
    /// `ExternalId` of a quick reply that was clicked.
    pub(super) fn notice_own(&mut self, message: &Message) {
        let by_consumer = message.role == Some(ParticipantRole::Consumer);
        if by_consumer != (self.upstream.settings.dialect == Dialect::Consumer) || self.commands.is_idle() {
            return;
        }
        let metadata = message.metadata.as_deref().map(Json::from);
        let Some(key) = metadata.as_ref().and_then(key_of) else { return };
        let (record_key, retention) = (self.record_key(), self.upstream.journal.retention());
        let (mut changes, mut answered) = (Vec::new(), None);
        for waiting in &mut self.commands.waiting {
            if waiting.notice(message, &key) {
                // The response may arrive in another run, which does not receive the message again.
                changes.extend(waiting.record(&record_key, retention));
            }
        }
        for open in &mut self.commands.open {
            if open.notice(message, &key)
                && let Some(durable) = open.durable.clone()
            {
                let done = Done { sequence: Some(message.sequence), ..Done::of(&open.key) };
                answered = Some((durable, open.command.name(), open.caller.clone(), done));
            }
        }
        if let Some((durable, command, caller, done)) = answered {
            self.commands.open.retain(|open| !open.is_asked_as(&durable));
            self.emit(EventData::CommandSent { key: done.key.clone(), command, sequence: done.sequence, caller });
            let ending = Ending::of(&durable, &Ok(done));
            changes.extend(durable.end(&record_key, ending, retention));
        }
        for change in changes {
            self.change(change);
        }
    }

    /// Restores the commands of a previous run that are not in the queue yet.
    pub(super) fn recover_commands(&mut self, outbox: &[Record]) {
        let mut recovered: Vec<(Durable, Accepted)> = outbox.iter().filter_map(Accepted::read).collect();
        recovered.sort_by_key(|(_, accepted)| accepted.number);
        for (durable, accepted) in recovered {
            let is_known = |waiting: &Waiting| waiting.is_asked_as(&durable);
            if self.commands.waiting.iter().chain(&self.commands.open).any(is_known) {
                continue;
            }
            let deadline = accepted.deadline();
            let Accepted { number, command, caller, found, suspicion, .. } = accepted;
            let key = command.own_key().unwrap_or_else(|| durable.asked_as.clone());
            self.commands.waiting.push_back(Waiting {
                command,
                key,
                caller,
                deadline,
                asked: Instant::now(),
                span: Span::none(),
                replies: Vec::new(),
                state: State::Recovered { found },
                durable: Some(durable),
                suspicion: suspicion.map(Suspected::kept),
                unseen: 0,
                claim: None,
                cancelled: Vec::new(),
                number,
                _place: None,
            });
        }
    }

    /// After a panic: stores again the commands that were on their way into the outbox.
    pub(super) fn accept_again(&mut self, ctx: &mut Context<Self>) {
        let accepting = self.commands.waiting.iter().filter(|waiting| matches!(waiting.state, State::Accepting));
        let durables: Vec<Durable> = accepting.filter_map(|waiting| waiting.durable.clone()).collect();
        for durable in durables {
            self.accept(durable, ctx);
        }
    }

    /// The conversation leaves memory: durable commands stay in the outbox until it is loaded again.
    pub(super) fn park_commands(&mut self) {
        let waiting = std::mem::take(&mut self.commands.waiting);
        let (durable, others): (VecDeque<_>, VecDeque<_>) =
            waiting.into_iter().partition(|waiting| waiting.durable.is_some());
        self.commands.waiting = others;
        for Waiting { key, replies, .. } in durable {
            for reply in replies {
                reply.send(Err(ConversationError::OutcomeUnknown { key: key.clone() }));
            }
        }
    }

    /// Accepts a durable command. If its key is already known, only waits for that command.
    pub(super) fn take_durable(&mut self, mut asked: Waiting, durable: Durable, ctx: &mut Context<Self>) {
        let (deadline, replies) = (asked.deadline, std::mem::take(&mut asked.replies));
        let Some((replies, place)) = self.join(&durable, deadline, replies, asked._place.take(), ctx) else { return };
        (asked.replies, asked._place) = (replies, place);
        asked.state = State::Accepting;
        self.commands.waiting.push_back(asked);
        self.accept(durable, ctx);
        self.next_command(ctx);
    }

    /// Adds the caller to a durable command whose key is already known. Returns the caller if there is no such command.
    fn join(
        &mut self,
        durable: &Durable,
        deadline: Instant,
        mut replies: Vec<Reply>,
        place: Option<DepthPermit>,
        ctx: &mut Context<Self>,
    ) -> Option<(Vec<Reply>, Option<DepthPermit>)> {
        let reused = || ConversationError::KeyReused { key: durable.asked_as.clone() };
        let is_same = |waiting: &Waiting| waiting.durable.as_ref().is_some_and(|own| own.digest == durable.digest);
        if let Some(known) = self.commands.waiting.iter_mut().find(|waiting| waiting.is_asked_as(durable)) {
            match is_same(known) {
                true => {
                    if !matches!(known.state, State::Accepting) {
                        replies.iter_mut().for_each(Reply::accept);
                    }
                    known.replies.append(&mut replies);
                }
                false => answer(replies, &Err(reused())),
            }
            return None;
        }
        let open = self.commands.open.iter().position(|open| open.is_asked_as(durable));
        let Some(at) = open else { return Some((replies, place)) };
        if !is_same(&self.commands.open[at]) {
            answer(replies, &Err(reused()));
            return None;
        }
        if let Some(mut open) = self.commands.open.remove(at) {
            replies.iter_mut().for_each(Reply::accept);
            (open.deadline, open.replies, open._place) = (deadline, replies, place);
            self.commands.waiting.push_back(open);
        }
        self.next_command(ctx);
        None
    }

    /// Waits for a durable command that was submitted before, or replies with its stored outcome. Drops the reply
    /// channel if there is no such command.
    pub(super) fn recall(&mut self, recall: Recall, ctx: &mut Context<Self>) {
        let Recall { durable, deadline, reply, place } = recall;
        if !self.keeps() {
            return;
        }
        let Some((replies, place)) = self.join(&durable, deadline, vec![reply.into()], Some(place), ctx) else {
            return;
        };
        let looking = answered(Arc::clone(&self.upstream.journal), durable.record_key(&self.record_key()));
        ctx.spawn(looking.into_actor(self).map(move |found, conversation, _| {
            let _place = place;
            match found {
                Ok(None) => {}
                Ok(Some(found)) => answer(replies, &found.outcome(&durable)),
                Err(error) => answer(replies, &Err(conversation.unanswered(&durable, &error))),
            }
        }));
    }

    /// Looks for the stored outcome of a durable command; without one, puts the command into the outbox.
    fn accept(&mut self, durable: Durable, ctx: &mut Context<Self>) {
        let Some(waiting) = self.commands.waiting.iter().find(|waiting| waiting.is_asked_as(&durable)) else { return };
        let (conversation, journal) = (self.record_key(), Arc::clone(&self.upstream.journal));
        let (log, connection) = (Arc::clone(&self.upstream.log), self.upstream.origin.connection.clone());
        let key = durable.record_key(&conversation);
        let put: Option<Change> = waiting.record(&conversation, journal.retention());
        let accepting = async move {
            if journal.keeps()
                && let Some(answered) = answered(Arc::clone(&journal), key).await?
            {
                return Ok(Some(answered));
            }
            // A command whose record was not kept must not run: the next run of the process would not know of it.
            match log.keep(&connection, put.into_iter().collect()).await {
                Ok(_) => Ok(None),
                Err(error) => Err(StoreError::new("store a command", error)),
            }
        };
        ctx.spawn(accepting.into_actor(self).map(move |answered, conversation, ctx| {
            conversation.accepted(&durable, answered, ctx);
            conversation.next_command(ctx);
            conversation.conclude();
        }));
    }

    fn accepted(&mut self, durable: &Durable, answered: Result<Option<Answered>, StoreError>, ctx: &mut Context<Self>) {
        let is_it = |waiting: &Waiting| waiting.is_asked_as(durable) && matches!(waiting.state, State::Accepting);
        let Some(place) = self.commands.waiting.iter().position(is_it) else {
            // The command ended meanwhile, and its record may have entered the outbox afterwards.
            if matches!(answered, Ok(None)) && !self.commands.is_asked_as(durable) {
                self.end(durable, Ending::Forget);
            }
            return;
        };
        let outcome = match answered {
            Ok(None) => {
                let accepted = &mut self.commands.waiting[place];
                accepted.state = State::Queued { not_before: None };
                accepted.replies.iter_mut().for_each(Reply::accept);
                let cancelled = std::mem::take(&mut accepted.cancelled);
                if !cancelled.is_empty() {
                    self.end_cancelled(place, cancelled, ctx);
                }
                return;
            }
            Ok(Some(answered)) => answered.outcome(durable),
            // Whether the command ran before is unknown, so it does not run now.
            Err(error) => Err(self.unanswered(durable, &error)),
        };
        if let Some(waiting) = self.commands.waiting.remove(place) {
            answer(waiting.replies, &outcome);
        }
    }

    fn unanswered(&self, durable: &Durable, error: &StoreError) -> ConversationError {
        tracing::error!(
            conversation = %self.id(), key = %durable.asked_as, %error,
            "cannot read the stored outcome of a command, or cannot store the command"
        );
        ConversationError::OutcomeUnknown { key: durable.asked_as.clone() }
    }
}

/// Reads the outcome stored under `key`. The command may have ended a moment ago, so this waits until its outcome is
/// durable.
async fn answered(journal: Arc<Journal>, key: RecordKey) -> Result<Option<Answered>, StoreError> {
    journal.settled().await;
    let answer = journal.read(move |store| store.get(Table::Answers, &key)).await?;
    Ok(answer.and_then(|value| Answered::read(&value)))
}

fn answer(replies: Vec<Reply>, outcome: &Result<Done, ConversationError>) {
    replies.into_iter().for_each(|reply| reply.send(outcome.clone()));
}
