//! What happens when a conversation panics. Only the present step is lost; its input goes to the dead letters. A
//! conversation that panics too often is given up.

use std::{rc::Rc, sync::Arc};

use actix::{ActorContext, AsyncContext, Context};
use serde::{Deserialize, Serialize};
use tertulia_core::{
    command::{Command, Identity},
    conversation::{Outcome, Reception},
    id::{CommandKey, ConversationId},
    ums::MessageRecord,
};

use super::{
    ChildNotice, ChildReport, Conversation, ConversationError, Salvage, Upstream, durable::Ending, handling::Handling,
    pending_command::PendingCommand,
};
use crate::{
    dead_letters::{DeadLetterKind, Unhandled},
    log::NumberedStep,
    supervision::ActorPanic,
};

/// A command among the dead letters.
#[derive(Deserialize, Serialize)]
pub(crate) struct LetterOfCommand {
    pub(crate) key: CommandKey,
    pub(crate) command: Command,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) caller: Option<Arc<str>>,
}

impl LetterOfCommand {
    fn of(command: &PendingCommand) -> Self {
        Self { key: command.key().clone(), command: command.command().clone(), caller: command.caller().cloned() }
    }
}

impl Conversation {
    /// Records what is being handled from now on, until [`Self::handled`].
    pub(super) fn handling(&mut self, handling: Handling) {
        self.handling = handling;
        let Some(drill) = self.upstream.drill.clone() else { return };
        let (kind, body) = match &self.handling {
            Handling::Nothing => return,
            Handling::State(body) => (DeadLetterKind::State, body.clone()),
            Handling::Records(body) => (DeadLetterKind::Records, body.clone()),
            Handling::Answer(body) => (DeadLetterKind::Answer, body.clone()),
            Handling::Command(key) => {
                let waiting = self.commands.waiting_as(key);
                let command = waiting.and_then(|waiting| serde_json::to_vec(waiting.command()).ok());
                (DeadLetterKind::Command, command.unwrap_or_default().into())
            }
        };
        drill.step(self.model.id(), kind, &body);
    }

    /// Records that the input was handled.
    pub(super) fn handled(&mut self) {
        self.handling = Handling::Nothing;
    }

    /// Moves the input on which the conversation panicked to the dead letters. A command that was not sent fails when
    /// the conversation continues.
    pub(super) fn dead_letter_input(&mut self, failure: &ActorPanic) {
        let (kind, body) = match std::mem::take(&mut self.handling) {
            Handling::Nothing => return,
            Handling::State(body) => (DeadLetterKind::State, body),
            Handling::Records(body) => (DeadLetterKind::Records, body),
            Handling::Answer(body) => (DeadLetterKind::Answer, body),
            Handling::Command(key) => {
                let unsent = self.commands.waiting_as(&key).filter(|waiting| !waiting.may_have_been_sent());
                let Some(unsent) = unsent else { return };
                let letter = LetterOfCommand::of(unsent);
                self.poisoned = Some(key);
                (DeadLetterKind::Command, serde_json::to_vec(&letter).unwrap_or_default().into())
            }
        };
        self.upstream.dead_letters.put(Unhandled {
            connection: &self.upstream.origin.connection,
            conversation: Some(self.model.id()),
            kind,
            reason: failure.panic.clone(),
            body: &body,
        });
    }

    /// Keeps a history record that cannot be parsed.
    pub(super) fn dead_letter_record(&self, reason: &str, body: &[u8]) {
        tracing::warn!(
            connection = %self.upstream.origin.connection,
            conversation = %self.id(),
            "a record of a history cannot be read; it is among the dead letters",
        );
        self.upstream.dead_letters.put_unreadable(Unhandled {
            connection: &self.upstream.origin.connection,
            conversation: Some(self.model.id()),
            kind: DeadLetterKind::Record,
            reason: reason.to_owned(),
            body,
        });
    }

    /// Keeps a command that has finally failed.
    pub(super) fn dead_letter_command(&self, given_up: &PendingCommand, failure: &ConversationError) {
        let letter = LetterOfCommand::of(given_up);
        self.upstream.dead_letters.put(Unhandled {
            connection: &self.upstream.origin.connection,
            conversation: Some(self.model.id()),
            kind: DeadLetterKind::Command,
            reason: failure.to_string(),
            body: &serde_json::to_vec(&letter).unwrap_or_default(),
        });
    }

    /// Keeps a state that cannot be parsed.
    pub(super) fn dead_letter_state(&self, reason: String, body: &[u8]) {
        self.upstream.dead_letters.put_unreadable(Unhandled {
            connection: &self.upstream.origin.connection,
            conversation: Some(self.model.id()),
            kind: DeadLetterKind::State,
            reason,
            body,
        });
    }

    /// Counts a record that differs from the accepted record of the same sequence, and keeps it as the frame that would
    /// bring it.
    pub(super) fn notice_contradiction(&self, reception: &Reception, record: &MessageRecord<'_>, dialog: Option<&str>) {
        if reception.outcome != Outcome::Contradicting {
            return;
        }
        let (sequence, id) = (record.sequence.unwrap_or_default(), self.model.id());
        let dialog = record.dialog_id.as_deref().or(dialog).unwrap_or(id.as_str());
        self.upstream.metrics.records_contradicting.inc();
        tracing::warn!(
            connection = %self.upstream.origin.connection, conversation = %id, dialog, sequence,
            "a record differs from the accepted record of the same sequence"
        );
        let frame = serde_json::json!({
            "kind": "notification", "type": "ms.MessagingEventNotification",
            "body": { "dialogId": dialog, "conversationId": id, "changes": [record] },
        });
        self.upstream.dead_letters.put_unreadable(Unhandled {
            connection: &self.upstream.origin.connection,
            conversation: Some(id),
            kind: DeadLetterKind::Records,
            reason: format!("record {sequence} of dialog {dialog} has other content than the one that was taken"),
            body: frame.to_string().as_bytes(),
        });
    }

    /// Replies to every waiting caller, and leaves what a new actor of this conversation needs, because this one is
    /// given up. Emits no events: if the conversation is loaded from a store, their numbers are unknown here. Durable
    /// commands stay in the outbox, except the command that caused the panic.
    pub(super) fn quarantine(&mut self, failure: ActorPanic, ctx: &Context<Self>) {
        let (connection, id) = (&self.upstream.origin.connection, self.model.id().clone());
        if let Some(handle) = self.upstream.directory.get(connection, &id) {
            handle.shut();
        }
        if let Some(mut poisoned) = self.poisoned.take().and_then(|key| self.commands.withdraw(&key)) {
            if let Some(durable) = poisoned.take_durable() {
                let changes = durable.end(&self.record_key(), Ending::Forget, self.upstream.journal.retention());
                let step = NumberedStep { changes, ..NumberedStep::default() };
                self.upstream.log.append(&self.upstream.origin, &id, step);
            }
            poisoned.answer_at_the_end(&ConversationError::DeadLettered);
        }
        self.commands.answer_at_the_end(&ConversationError::Quarantined);
        let salvage = Salvage {
            actor: ctx.address().recipient(),
            reason: failure.panic,
            restarts: self.restarts - 1,
            sequence: self.sequence,
            concluded: std::mem::take(&mut self.concluded),
            model: self.model.clone(),
            consumer: self.consumer.clone(),
        };
        let notice = ChildNotice::Salvage(Box::new(salvage));
        self.upstream.parent.do_send(ChildReport { conversation: id, notice });
    }

    /// Stops, because the stored state cannot be read. From an empty state the events would be numbered from 1 again,
    /// and readers would take the events for repetitions. Stores nothing, so that the record can be repaired.
    pub(super) fn refuse(&mut self, reason: String, ctx: &mut Context<Self>) {
        let (connection, id) = (&self.upstream.origin.connection, self.model.id().clone());
        if let Some(handle) = self.upstream.directory.get(connection, &id) {
            handle.shut();
        }
        self.unconcluded = None;
        self.commands.answer_at_the_end(&ConversationError::Quarantined);
        let notice = ChildNotice::Refused { actor: ctx.address().recipient(), reason };
        self.upstream.parent.do_send(ChildReport { conversation: id, notice });
        ctx.stop();
    }

    /// The replacement of a conversation in quarantine. The numbering of its events continues, and it fetches what it
    /// missed.
    pub(crate) fn released(
        id: ConversationId,
        salvage: Option<Box<Salvage>>,
        upstream: Rc<Upstream>,
        ready: Option<Arc<Identity>>,
    ) -> Self {
        let mut fresh = Self::new(id, upstream, ready);
        // Counts as a restart: subscribers are informed, and the history is caught up.
        fresh.restarts = 1;
        if let Some(salvage) = salvage {
            let Salvage { sequence, concluded, model, consumer, restarts, .. } = *salvage;
            (fresh.sequence, fresh.concluded, fresh.model) = (sequence, concluded, model);
            fresh.consumer = consumer;
            fresh.restarts = restarts + 1;
        }
        fresh
    }
}
