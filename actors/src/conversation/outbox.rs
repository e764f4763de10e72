//! Durable commands: stored in the outbox, removed from it, and recognized in the dialog.

use std::sync::Arc;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use tertulia_core::{
    command::key_of,
    conversation::Message,
    ums::{Dialect, Json, ParticipantRole},
};

use super::{
    Conversation, ConversationError, Done, Perform, Recall,
    command_queue::Joined,
    durable::{Accepted, Answered, Durable, Ending},
    pending_command::Caller,
};
use crate::{
    engine::{Change, Journal, Record, RecordKey, StoreError, Table},
    subscriber::EventData,
};

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
        // The response may arrive in another run, which does not receive the message again.
        let mut changes: Vec<Change> =
            self.commands.found(message, &key).filter_map(|found| found.record(&record_key, retention)).collect();
        if let Some(mut found) = self.commands.found_open(message, &key)
            && let Some(durable) = found.take_durable()
        {
            let (command, caller, sequence) = (found.command().name(), found.caller().cloned(), Some(message.sequence));
            let done = Done { sequence, ..Done::of(found.key()) };
            self.emit(EventData::CommandSent { key: done.key.clone(), command, sequence, caller });
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
            self.commands.recover(durable, accepted);
        }
    }

    /// After a panic: stores again the commands that were on their way into the outbox.
    pub(super) fn accept_again(&mut self, ctx: &mut Context<Self>) {
        let durables: Vec<Durable> = self.commands.accepting().cloned().collect();
        for durable in durables {
            self.accept(durable, ctx);
        }
    }

    /// Accepts a durable command. If its key is already known, only waits for that command.
    pub(super) fn take_durable(&mut self, perform: Perform, durable: Durable, ctx: &mut Context<Self>) {
        let Perform { deadline, reply, place, .. } = perform;
        let Some(Caller { reply, place, .. }) = self.join(&durable, Caller { deadline, reply, place }, ctx) else {
            return;
        };
        self.commands.submit(Perform { reply, place, ..perform });
        self.accept(durable, ctx);
        self.next_command(ctx);
    }

    /// Adds the caller to a durable command whose key is already known. Returns the caller if there is no such command.
    fn join(&mut self, durable: &Durable, caller: Caller, ctx: &mut Context<Self>) -> Option<Caller> {
        match self.commands.join(durable, caller) {
            Joined::Unknown(caller) => return Some(caller),
            Joined::Reopened => self.next_command(ctx),
            Joined::Settled => {}
        }
        None
    }

    /// Waits for a durable command that was submitted before, or replies with its stored outcome. Drops the reply
    /// channel if there is no such command.
    pub(super) fn recall(&mut self, recall: Recall, ctx: &mut Context<Self>) {
        let Recall { durable, deadline, reply, place } = recall;
        if !self.keeps() {
            return;
        }
        let Some(caller) = self.join(&durable, Caller { deadline, reply: reply.into(), place }, ctx) else { return };
        let looking = answered(Arc::clone(&self.upstream.journal), durable.record_key(&self.record_key()));
        ctx.spawn(looking.into_actor(self).map(move |found, conversation, _| {
            let Caller { reply, place: _place, .. } = caller;
            match found {
                Ok(None) => {}
                Ok(Some(found)) => reply.send(found.outcome(&durable)),
                Err(error) => reply.send(Err(conversation.unanswered(&durable, &error))),
            }
        }));
    }

    /// Looks for the stored outcome of a durable command; without one, puts the command into the outbox.
    fn accept(&mut self, durable: Durable, ctx: &mut Context<Self>) {
        let Some(waiting) = self.commands.waiting_for(&durable) else { return };
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
        if !self.commands.is_accepting(durable) {
            // The command ended meanwhile, and its record may have entered the outbox afterwards.
            if matches!(answered, Ok(None)) && !self.commands.knows(durable) {
                self.end(durable, Ending::Forget);
            }
            return;
        }
        let outcome = match answered {
            Ok(None) => {
                if let Some(cancelled) = self.commands.stored(durable) {
                    self.end_cancelled(cancelled, ctx);
                }
                return;
            }
            Ok(Some(answered)) => answered.outcome(durable),
            // Whether the command ran before is unknown, so it does not run now.
            Err(error) => Err(self.unanswered(durable, &error)),
        };
        if let Some(withdrawn) = self.commands.withdraw_accepting(durable) {
            withdrawn.answer(&outcome);
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
