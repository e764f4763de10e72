//! Replies: runs the commands in a receiver's answer in the conversation of the event, each command once.
//!
//! The commit that ends a delivery also stores the commands. After this commit, the event is never delivered again, and
//! each command is submitted until it has an outcome. The keys of the commands contain the id of the event. After a
//! crash, a command is submitted again under the same key, so it acts once.

use std::{pin::Pin, rc::Rc, time::Duration};

use futures_util::FutureExt as _;
use sha2::{Digest as _, Sha256};
use tertulia_actors::{
    conversation::{ConversationError, ConversationHandle, Done},
    core::{
        command::Command,
        id::{CommandKey, ConnectionId, ConversationId},
        ums::ChatState,
    },
    engine::Change,
};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::{Happened, STUMBLE, WebhookContext, Worker, now};
use crate::webhooks::{
    answer::Reply,
    cargo::Cargo,
    definition::WebhookId,
    lanes::{Go, Lane},
    record::{self, PendingReply, ReplyRecord},
    schedule::millis,
};

/// How long the commands of a reply may wait until they are sent. This is longer than a usual outage of the platform.
/// It is shorter than the time for which outcomes of commands are stored, so that no command runs again.
const LIFETIME: Duration = Duration::from_secs(60 * 60);
/// How long a command is submitted again while the connection or the conversation cannot accept it.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most repetitions of a submission whose outcome is unknown.
const MOST_ASKED_AGAIN: usize = 3;

/// The outcome of a command that was accepted.
type Outcome = Pin<Box<dyn Future<Output = Result<Done, ConversationError>>>>;

/// A reply whose commands were submitted, with the outcome of each submission. After a command that was not accepted,
/// the remaining commands were not submitted.
pub(super) struct Submitted {
    offset: u64,
    reply: PendingReply,
    outcomes: Vec<Result<Outcome, ConversationError>>,
}

impl Worker {
    /// Stores a reply together with `changes`, which end the delivery of its event.
    pub(super) fn answered(&mut self, go: &Go, cargo: &Cargo, reply: &Reply, mut changes: Vec<Change>) {
        let (lane, offset) = (go.lane.clone(), go.item.offset);
        let Some(conversation) = cargo.conversation.as_deref().filter(|_| !cargo.connection.is_empty()) else {
            self.context.metrics.replied(false);
            self.bury(cargo, "the receiver replied to an event that belongs to no conversation".to_owned());
            return self.settle(lane, changes);
        };
        let reply_to = (ConnectionId::from(&*cargo.connection), ConversationId::from(conversation));
        if reply.typing {
            self.show_typing(&reply_to.0, &reply_to.1);
        }
        if reply.commands.is_empty() {
            return self.settle(lane, changes);
        }
        let pending = PendingReply {
            // A replayed dead letter is answered again, so the commands of its answer need new keys.
            event: lane.replayed().map_or_else(|| cargo.id.clone(), |letter| format!("{}/{letter}", cargo.id)),
            connection: reply_to.0,
            conversation: reply_to.1,
            commands: reply.commands.clone(),
            until: now().saturating_add(millis(LIFETIME)),
        };
        let record = ReplyRecord::new(pending.clone(), &cargo.body);
        changes.push(record::put(record::reply(&self.id, &lane, offset), &record));
        let kept = self.keep(changes);
        self.under_way.push(Box::pin(async move {
            if kept.await { Happened::Answered(lane, offset, pending) } else { Happened::Closed }
        }));
    }

    /// Shows this side as typing. Does not wait for the outcome, because a failure is ignored.
    fn show_typing(&self, connection: &ConnectionId, conversation: &ConversationId) {
        let Some(tertulia) = self.context.tertulia.upgrade() else { return };
        if let Some(handle) = tertulia.connection(connection).conversation(conversation) {
            let handle = handle.called_by(Some(self.id.subscriber().into()));
            let command = Command::ChatState { dialog: None, chat_state: ChatState::Composing };
            let key = CommandKey::from(Uuid::now_v7().to_string());
            let _ = handle.perform_as(key, command, PATIENCE).now_or_never();
        }
    }

    /// Submits the commands of stored replies, in order. The lane continues when they are accepted.
    pub(super) fn carry_out(&mut self, lane: Lane, replies: Vec<(u64, PendingReply)>) {
        self.replies += replies.len();
        let (context, webhook) = (Rc::clone(&self.context), self.id.clone());
        self.under_way.push(Box::pin(async move {
            let mut submitted = Vec::new();
            for (offset, reply) in replies {
                let outcomes = submit_all(&context, &webhook, &reply).await;
                submitted.push(Submitted { offset, reply, outcomes });
            }
            Happened::Submitted(lane, submitted)
        }));
    }

    /// Waits for the outcomes of replies, while the lane continues.
    pub(super) fn submitted(&mut self, lane: Lane, submitted: Vec<Submitted>) {
        self.lanes.go_on(&lane);
        for Submitted { offset, reply, outcomes } in submitted {
            let (context, webhook, lane) = (Rc::clone(&self.context), self.id.clone(), lane.clone());
            self.under_way.push(Box::pin(async move {
                let failed = match first_failure(&context, &webhook, &reply, outcomes).await {
                    Some(reason) => Some((reason, answered_event(&context, &webhook, &lane, offset).await)),
                    None => None,
                };
                Happened::Replied(lane, offset, failed)
            }));
        }
    }

    /// Ends a reply. The event becomes a dead letter if a command of the reply failed.
    pub(super) fn replied(&mut self, lane: &Lane, offset: u64, failed: Option<(String, Option<Cargo>)>) {
        self.replies = self.replies.saturating_sub(1);
        self.context.metrics.replied(failed.is_none());
        match failed {
            Some((reason, Some(cargo))) => self.bury(&cargo, reason),
            Some((_, None)) => tracing::error!(webhook = %self.id, %lane, "the event of a failed reply cannot be read"),
            None => {}
        }
        self.append(vec![record::remove(record::reply(&self.id, lane, offset))]);
    }
}

/// Submits the commands of a reply one after the other, so that they are stored in their order.
async fn submit_all(
    context: &WebhookContext,
    webhook: &WebhookId,
    reply: &PendingReply,
) -> Vec<Result<Outcome, ConversationError>> {
    let mut outcomes = Vec::new();
    for number in 0..reply.commands.len() {
        let submitted = submit(context, webhook, reply, number).await;
        // After these errors, the next command is submitted too. In a second run, a command that was accepted before
        // may fail with these errors, and the commands after it must run all the same.
        let goes_on = match &submitted {
            Ok(_) | Err(ConversationError::Refused(_) | ConversationError::ClosedConnection { .. }) => true,
            Err(_) => false,
        };
        outcomes.push(submitted);
        if !goes_on {
            break;
        }
    }
    outcomes
}

/// Submits one command. Repeats the submission while the command cannot be accepted yet.
async fn submit(
    context: &WebhookContext,
    webhook: &WebhookId,
    reply: &PendingReply,
    number: usize,
) -> Result<Outcome, ConversationError> {
    let patient_until = Instant::now() + PATIENCE;
    loop {
        let (command, digest) = (reply.commands[number].clone(), digest(&reply.commands[number]));
        let submitted = match find(context, webhook, reply).await {
            Some(handle) => handle.submit_durably(key(reply, number), &digest, command, left(reply), PATIENCE).await,
            None => Err(ConversationError::UnknownConversation),
        };
        let error = match submitted {
            Ok(outcome) => return Ok(Box::pin(outcome)),
            Err(error) => error,
        };
        let goes_on = match error {
            ConversationError::Overloaded
            | ConversationError::NotConnected
            | ConversationError::UnknownConversation => Instant::now() < patient_until,
            ConversationError::OutcomeUnknown { .. } => !left(reply).is_zero(),
            _ => false,
        };
        if !goes_on {
            return Err(error);
        }
        sleep(STUMBLE).await;
    }
}

/// Waits until every command has an outcome. Returns why the first one failed, if one did.
async fn first_failure(
    context: &WebhookContext,
    webhook: &WebhookId,
    reply: &PendingReply,
    outcomes: Vec<Result<Outcome, ConversationError>>,
) -> Option<String> {
    let mut reason = None;
    for (number, outcome) in outcomes.into_iter().enumerate() {
        let mut outcome = match outcome {
            Ok(outcome) => outcome.await,
            Err(error) => Err(error),
        };
        // The outcome is unknown if the conversation was unloaded meanwhile, such as with its connection.
        for _ in 0..MOST_ASKED_AGAIN {
            if !matches!(outcome, Err(ConversationError::OutcomeUnknown { .. })) || left(reply).is_zero() {
                break;
            }
            sleep(STUMBLE).await;
            outcome = match submit(context, webhook, reply, number).await {
                Ok(outcome) => outcome.await,
                Err(error) => Err(error),
            };
        }
        if let Err(error) = outcome {
            let (key, command) = (key(reply, number), reply.commands[number].name());
            reason.get_or_insert_with(|| {
                format!("the command {key} ({command}) of the receiver's reply failed: {error}")
            });
        }
    }
    reason
}

/// The event of a stored reply.
async fn answered_event(context: &WebhookContext, webhook: &WebhookId, lane: &Lane, offset: u64) -> Option<Cargo> {
    loop {
        let key = record::reply(webhook, lane, offset);
        match context.journal.read(move |store| record::get::<ReplyRecord>(store, &key)).await {
            Ok(record) => return Cargo::read(record?.event()?.into()),
            Err(error) => tracing::error!(%webhook, %error, "the event of a reply cannot be read"),
        }
        sleep(STUMBLE).await;
    }
}

/// Waits until the connection has restored the conversations of a previous run, and returns the conversation of a
/// reply.
async fn find(context: &WebhookContext, webhook: &WebhookId, reply: &PendingReply) -> Option<ConversationHandle> {
    let Some(tertulia) = context.tertulia.upgrade() else {
        // The process ends. The next run submits the commands.
        return std::future::pending().await;
    };
    let connection = tertulia.connection(&reply.connection);
    drop(tertulia);
    timeout(PATIENCE, connection.begun()).await.ok()??;
    let handle = connection.conversation(&reply.conversation)?;
    Some(handle.called_by(Some(webhook.subscriber().into())))
}

/// The remaining time in which the commands of a reply may be sent.
fn left(reply: &PendingReply) -> Duration {
    Duration::from_millis(u64::try_from(reply.until.saturating_sub(now())).unwrap_or_default())
}

fn key(reply: &PendingReply, number: usize) -> CommandKey {
    CommandKey::from(format!("{}/{number}", reply.event))
}

fn digest(command: &Command) -> String {
    // A command can always be serialized.
    let written = serde_json::to_vec(command).unwrap_or_default();
    Sha256::digest(written).iter().map(|byte| format!("{byte:02x}")).collect()
}
