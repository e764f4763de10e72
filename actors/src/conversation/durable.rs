//! Commands that survive the process: accepted once per key, run at most once, and with the same outcome each time they
//! are submitted again (promises 4 and 5).
//!
//! A command has a record in the outbox from before it may be sent until its outcome is known. If a later run finds the
//! record, the command may have been sent: its effect is looked up before it is sent.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tertulia_core::{
    command::{Command, CommandError, Suspicion, check_key},
    id::{CommandKey, ConversationId},
    note::WrittenNote,
    time::Timestamp,
    ums::AnswerError,
};

use super::{ConversationError, Done};
use crate::engine::{Change, Record, RecordKey, Retention, Table};

/// The most pending durable commands of one conversation.
pub(super) const PENDING: usize = 1_024;
/// The format version of both records.
const VERSION: u32 = 1;

/// Marks a command as durable and identifies repetitions of it.
#[derive(Clone, Debug)]
pub(crate) struct Durable {
    /// The caller's key, short enough for the key of a record.
    pub(crate) asked_as: CommandKey,
    /// Distinguishes this command from another command under the same key.
    pub(crate) digest: Box<str>,
}

/// A record of the outbox.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Accepted {
    version: u32,
    digest: Box<str>,
    /// The command's number within the conversation.
    pub(super) number: u64,
    pub(super) command: Command,
    /// The name of the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) caller: Option<Arc<str>>,
    /// The time after which the command is not sent any more.
    deadline: Timestamp,
    /// The sequence at which the command's message was seen in its dialog before the response came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) found: Option<u64>,
    /// Set if the command is suspected of making the platform close the socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) suspicion: Option<Suspicion>,
}

/// A record of the answers.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answered {
    version: u32,
    digest: Box<str>,
    at: Timestamp,
    outcome: FinalOutcome,
}

/// The final outcome of a command: it had its effect or never will.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum FinalOutcome {
    #[serde(rename_all = "camelCase")]
    Done {
        key: CommandKey,
        sequence: Option<u64>,
        note: Option<WrittenNote>,
    },
    Refused(AnswerError),
    ClosedConnection {
        code: u16,
    },
}

/// What to store of a command when its outcome is reported.
pub(super) enum Ending {
    /// The outcome; the command is finished.
    Answer(Box<Answered>),
    /// Nothing: the command had no effect and may be submitted again.
    Forget,
    /// The outbox record: the outcome is unknown, and the command may be submitted again.
    Open,
}

impl Accepted {
    pub(super) fn new(durable: &Durable, number: u64, command: &Command, deadline: Instant) -> Self {
        Self {
            version: VERSION,
            digest: durable.digest.clone(),
            number,
            command: command.clone(),
            caller: None,
            deadline: wall_clock(deadline),
            found: None,
            suspicion: None,
        }
    }

    /// Parses a record; `None` if it has another format.
    pub(super) fn read(record: &Record) -> Option<(Durable, Self)> {
        let asked_as = record.key.parts()?.pop()?;
        let accepted: Self = serde_json::from_slice(&record.value).ok()?;
        let durable = Durable { asked_as: asked_as.into(), digest: accepted.digest.clone() };
        (accepted.version == VERSION).then_some((durable, accepted))
    }

    pub(super) fn deadline(&self) -> Instant {
        let left = self.deadline.0.saturating_sub(now().0);
        Instant::now() + Duration::from_millis(u64::try_from(left).unwrap_or_default())
    }
}

impl Answered {
    pub(super) fn read(value: &[u8]) -> Option<Self> {
        serde_json::from_slice(value).ok().filter(|answered: &Self| answered.version == VERSION)
    }

    /// The outcome, for a caller that submits the same command again.
    pub(super) fn outcome(self, durable: &Durable) -> Result<Done, ConversationError> {
        if self.digest != durable.digest {
            return Err(ConversationError::KeyReused { key: durable.asked_as.clone() });
        }
        match self.outcome {
            FinalOutcome::Done { key, sequence, note } => Ok(Done { sequence, note, ..Done::of(&key) }),
            FinalOutcome::Refused(error) => Err(ConversationError::Refused(error)),
            FinalOutcome::ClosedConnection { code } => Err(ConversationError::ClosedConnection { code }),
        }
    }
}

impl Ending {
    pub(super) fn of(durable: &Durable, outcome: &Result<Done, ConversationError>) -> Self {
        let outcome = match outcome {
            Ok(Done { key, sequence, note, .. }) => {
                FinalOutcome::Done { key: key.clone(), sequence: *sequence, note: note.clone() }
            }
            // The platform may accept the same command later.
            Err(ConversationError::Refused(error)) if error.is_transient() => return Self::Forget,
            Err(ConversationError::Refused(error)) => FinalOutcome::Refused(error.clone()),
            Err(ConversationError::ClosedConnection { code }) => FinalOutcome::ClosedConnection { code: *code },
            Err(ConversationError::OutcomeUnknown { .. }) => return Self::Open,
            Err(_) => return Self::Forget,
        };
        Self::Answer(Box::new(Answered { version: VERSION, digest: durable.digest.clone(), at: now(), outcome }))
    }
}

impl Durable {
    /// Marks the command with the caller's key `asked_as`. `digest` distinguishes the command from others.
    ///
    /// # Errors
    /// [`Refusal::BadKey`](tertulia_core::command::Refusal::BadKey).
    pub(super) fn new(
        conversation: &ConversationId,
        asked_as: &CommandKey,
        digest: &str,
    ) -> Result<Self, ConversationError> {
        let invalid = |refusal| CommandError { conversation: conversation.clone(), refusal };
        check_key(asked_as).map_err(invalid)?;
        Ok(Self { asked_as: asked_as.clone(), digest: digest.into() })
    }

    /// The key of its records, below the key of the conversation's records.
    pub(super) fn record_key(&self, conversation: &RecordKey) -> RecordKey {
        conversation.with(self.asked_as.as_str())
    }

    /// The record of the outbox. Nobody asks for the outcome much longer than for that of a conversation that has left.
    pub(super) fn put(&self, conversation: &RecordKey, accepted: &Accepted, retention: Retention) -> Option<Change> {
        let until = accepted.deadline.after(retention.conversations);
        put(Table::Outbox, self.record_key(conversation), accepted, until)
    }

    /// The changes that end the command.
    pub(super) fn end(&self, conversation: &RecordKey, ending: Ending, retention: Retention) -> Vec<Change> {
        let key = self.record_key(conversation);
        let removed = Change::Remove(Table::Outbox, key.clone());
        match ending {
            Ending::Answer(answered) => {
                let until = answered.at.after(retention.answers);
                std::iter::once(removed).chain(put(Table::Answers, key, &*answered, until)).collect()
            }
            Ending::Forget => vec![removed],
            Ending::Open => Vec::new(),
        }
    }
}

fn put(table: Table, key: RecordKey, value: &impl Serialize, until: Timestamp) -> Option<Change> {
    // The names and values of both records can always be serialized.
    let value = serde_json::to_vec(value).ok()?;
    Some(Change::Put(table, Record::new(key, value).until(until)))
}

fn now() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_millisecond())
}

fn wall_clock(time: Instant) -> Timestamp {
    let left = time.saturating_duration_since(Instant::now());
    Timestamp(now().0.saturating_add(i64::try_from(left.as_millis()).unwrap_or(i64::MAX)))
}
