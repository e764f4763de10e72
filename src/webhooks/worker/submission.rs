//! Submits the commands of a stored reply until each has an outcome.

use std::{pin::Pin, time::Duration};

use futures_util::{FutureExt as _, TryFutureExt as _, future::ready};
use sha2::{Digest as _, Sha256};
use tertulia_actors::{
    conversation::{ConversationError, ConversationHandle},
    core::{command::Command, id::CommandKey},
};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    bulk::DurableCommand,
    webhooks::{
        context::WebhookContext,
        definition::WebhookId,
        lanes::Lane,
        payload::Payload,
        record::{self, PendingReply, ReplyRecord},
        schedule::now,
    },
};

/// How long a command is submitted again while the connection or the conversation cannot accept it.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// The pause before a command is submitted again, or its event is read again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// The most repetitions of a submission whose outcome is unknown.
const MOST_ASKED_AGAIN: usize = 3;

/// The outcome of a command that was accepted.
type Outcome = Pin<Box<dyn Future<Output = Result<(), ConversationError>>>>;

/// A reply whose commands were submitted, with the outcome of each submission. After a command that was not accepted,
/// the remaining commands were not submitted.
pub(super) struct Submitted {
    pub(super) offset: u64,
    pub(super) reply: PendingReply,
    pub(super) outcomes: Vec<Result<Outcome, ConversationError>>,
}

/// Submits the commands of a reply one after the other, so that they are stored in their order.
pub(super) async fn submit_all(
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
            Some(handle) => {
                let submitted = handle.submit_durably(key(reply, number), &digest, command, left(reply), PATIENCE);
                submitted.await.map(|outcome| outcome.map_ok(drop).boxed_local())
            }
            None => match &context.elsewhere {
                Some(connections) => {
                    let command = DurableCommand {
                        connection: reply.connection.clone(),
                        conversation: reply.conversation.clone(),
                        key: key(reply, number),
                        digest,
                        command,
                        lifetime: u64::try_from(left(reply).as_millis()).unwrap_or(u64::MAX),
                        caller: Some(webhook.subscriber().into()),
                    };
                    // Another node reports the outcome only, so the next command waits for it.
                    connections.perform(&command).await.map(|()| ready(Ok(())).boxed_local())
                }
                None => Err(ConversationError::UnknownConversation),
            },
        };
        let error = match submitted {
            Ok(outcome) => return Ok(outcome),
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
        sleep(AGAIN_AFTER).await;
    }
}

/// Waits until every command has an outcome. Returns why the first one failed, if one did.
pub(super) async fn first_failure(
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
            sleep(AGAIN_AFTER).await;
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
pub(super) async fn answered_event(
    context: &WebhookContext,
    webhook: &WebhookId,
    lane: &Lane,
    offset: u64,
) -> Option<Payload> {
    loop {
        let key = record::reply(webhook, lane, offset);
        match context.journal.read(move |store| record::get::<ReplyRecord>(store, &key)).await {
            Ok(record) => return Payload::read(record?.event()?.into()),
            Err(error) => tracing::error!(%webhook, %error, "the event of a reply cannot be read"),
        }
        sleep(AGAIN_AFTER).await;
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
