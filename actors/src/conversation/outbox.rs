//! Durable commands on their way: into the outbox, out of it, and found in the dialog.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use tertulia_core::{
    command::key_of,
    conversation::Message,
    ums::{Dialect, Json, ParticipantRole},
};
use tokio::sync::oneshot;

use super::{
    CommandFailure, Conversation, Done,
    commands::{State, Waiting},
    durable::{Accepted, Answered, Durable, Ending},
};
use crate::{
    engine::{Change, Record, Step, StoreError, Table},
    subscriber::EventData,
};

impl Conversation {
    /// Looks whether a message is one that a command of this side sent. The other side's may carry the same key: the
    /// `ExternalId` of a quick reply that was clicked.
    pub(super) fn notice_own(&mut self, message: &Message) {
        let by_consumer = message.role == Some(ParticipantRole::Consumer);
        if by_consumer != (self.upstream.settings.dialect == Dialect::Consumer) || self.commands.is_idle() {
            return;
        }
        let metadata = message.metadata.as_deref().map(Json::from);
        let Some(key) = metadata.as_ref().and_then(key_of) else { return };
        let record_key = self.record_key();
        let (mut changes, mut answered) = (Vec::new(), None);
        for waiting in &mut self.commands.waiting {
            if waiting.notice(message, &key)
                && let Some(durable) = &waiting.durable
            {
                // Its answer may come in another life, which does not hear of the message again.
                let accepted = Accepted::new(durable, waiting.number, &waiting.command, waiting.deadline);
                changes.extend(durable.put(&record_key, &accepted.found_at(message.sequence)));
            }
        }
        for open in &mut self.commands.open {
            if open.notice(message, &key)
                && let Some(durable) = open.durable.clone()
            {
                let done = Done { sequence: Some(message.sequence), ..Done::of(&open.key) };
                answered = Some((durable, open.command.name(), done));
            }
        }
        if let Some((durable, command, done)) = answered {
            self.commands.open.retain(|open| !open.is_asked_as(&durable));
            self.emit(EventData::CommandSent { key: done.key.clone(), command, sequence: done.sequence });
            let ending = Ending::of(&durable, &Ok(done));
            changes.extend(durable.end(&record_key, ending));
        }
        for change in changes {
            self.change(change);
        }
    }

    /// Takes up the commands of an earlier life, those that are not known.
    pub(super) fn recover_commands(&mut self, outbox: &[Record]) {
        let mut recovered: Vec<(Durable, Accepted)> = outbox.iter().filter_map(Accepted::read).collect();
        recovered.sort_by_key(|(_, accepted)| accepted.number);
        for (durable, accepted) in recovered {
            let is_known = |waiting: &Waiting| waiting.is_asked_as(&durable);
            if self.commands.waiting.iter().chain(&self.commands.open).any(is_known) {
                continue;
            }
            let deadline = accepted.deadline();
            let Accepted { number, command, found, .. } = accepted;
            let key = command.own_key().unwrap_or_else(|| durable.asked_as.clone());
            self.commands.waiting.push_back(Waiting {
                command,
                key,
                deadline,
                asked: Instant::now(),
                replies: Vec::new(),
                state: State::Recovered { found },
                durable: Some(durable),
                number,
                _place: None,
            });
        }
    }

    /// After a panic: what was on its way into the outbox is sent there again.
    pub(super) fn accept_again(&mut self, ctx: &mut Context<Self>) {
        let accepting = self.commands.waiting.iter().filter(|waiting| matches!(waiting.state, State::Accepting));
        let durables: Vec<Durable> = accepting.filter_map(|waiting| waiting.durable.clone()).collect();
        for durable in durables {
            self.accept(durable, ctx);
        }
    }

    /// The conversation leaves memory: what is durable is left to its next life.
    pub(super) fn park_commands(&mut self) {
        let waiting = std::mem::take(&mut self.commands.waiting);
        let (durable, others): (VecDeque<_>, VecDeque<_>) =
            waiting.into_iter().partition(|waiting| waiting.durable.is_some());
        self.commands.waiting = others;
        for Waiting { key, replies, .. } in durable {
            for reply in replies {
                let _ = reply.send(Err(CommandFailure::OutcomeUnknown { key: key.clone() }));
            }
        }
    }

    /// Takes a durable command: one that is known by its key already is only waited for.
    pub(super) fn take_durable(&mut self, mut asked: Waiting, durable: Durable, ctx: &mut Context<Self>) {
        let known = self.commands.waiting.iter_mut().find(|waiting| waiting.is_asked_as(&durable));
        if let Some(known) = known {
            let is_same = known.durable.as_ref().is_some_and(|own| own.digest == durable.digest);
            if is_same {
                known.replies.append(&mut asked.replies);
            } else {
                refuse(asked, &CommandFailure::KeyReused { key: durable.asked_as });
            }
            return;
        }
        if let Some(place) = self.commands.open.iter().position(|open| open.is_asked_as(&durable)) {
            let is_same = self.commands.open[place].durable.as_ref().is_some_and(|own| own.digest == durable.digest);
            if !is_same {
                return refuse(asked, &CommandFailure::KeyReused { key: durable.asked_as });
            }
            if let Some(open) = self.commands.open.remove(place) {
                asked.state = open.state;
                self.commands.waiting.push_back(asked);
            }
            return self.next_command(ctx);
        }
        asked.state = State::Accepting;
        self.commands.waiting.push_back(asked);
        self.accept(durable, ctx);
        self.next_command(ctx);
    }

    /// Looks for the answer to a durable command; without one, puts it into the outbox.
    fn accept(&mut self, durable: Durable, ctx: &mut Context<Self>) {
        let Some(waiting) = self.commands.waiting.iter().find(|waiting| waiting.is_asked_as(&durable)) else { return };
        let accepted = Accepted::new(&durable, waiting.number, &waiting.command, waiting.deadline);
        let (conversation, journal) = (self.record_key(), Arc::clone(self.upstream.routing.journal()));
        let key = durable.record_key(&conversation);
        let put: Option<Change> = durable.put(&conversation, &accepted);
        let accepting = async move {
            if journal.keeps() {
                // The command may have ended a moment ago: its answer is to be found once that is durable.
                journal.settled().await;
                let answer = journal.read(move |store| store.get(Table::Answers, &key)).await?;
                if let Some(answered) = answer.and_then(|value| Answered::read(&value)) {
                    return Ok(Some(answered));
                }
            }
            let (told, kept) = oneshot::channel();
            journal.append(0, |_| Step {
                changes: put.into_iter().collect(),
                then: Some(Box::new(move || {
                    let _ = told.send(());
                })),
                ..Step::default()
            });
            let _ = kept.await;
            Ok(None)
        };
        ctx.spawn(accepting.into_actor(self).map(move |answered, conversation, ctx| {
            conversation.accepted(&durable, answered);
            conversation.next_command(ctx);
            conversation.conclude();
        }));
    }

    fn accepted(&mut self, durable: &Durable, answered: Result<Option<Answered>, StoreError>) {
        let is_it = |waiting: &Waiting| waiting.is_asked_as(durable) && matches!(waiting.state, State::Accepting);
        let Some(place) = self.commands.waiting.iter().position(is_it) else { return };
        let outcome = match answered {
            Ok(None) => {
                self.commands.waiting[place].state = State::Queued { not_before: None };
                return;
            }
            Ok(Some(answered)) => answered.outcome(durable),
            // Whether it was carried out before cannot be told: it is not carried out now.
            Err(error) => {
                tracing::error!(conversation = %self.id(), key = %durable.asked_as, %error, "no answer can be looked for");
                Err(CommandFailure::OutcomeUnknown { key: durable.asked_as.clone() })
            }
        };
        if let Some(waiting) = self.commands.waiting.remove(place) {
            waiting.replies.into_iter().for_each(|reply| drop(reply.send(outcome.clone())));
        }
    }
}

fn refuse(asked: Waiting, failure: &CommandFailure) {
    asked.replies.into_iter().for_each(|reply| drop(reply.send(Err(failure.clone()))));
}
