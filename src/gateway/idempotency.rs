//! `Idempotency-Key`: the same key and body act once and get the same answer.
//!
//! Answers are kept in this process, as many as fit; what is older than those can act again, and so can what was
//! answered before the process began.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix_web::http::{StatusCode, header::HeaderMap};
use tertulia_actors::{
    conversation::{CommandFailure, ConversationHandle, Done},
    core::{
        command::{Command, KEY_CHARS},
        id::{CommandKey, ConnectionId, ConversationId},
    },
};
use tokio::sync::watch;
use uuid::Uuid;

use super::problem::Problem;

const HEADER: &str = "idempotency-key";
/// Answers that are kept. The oldest make room.
const CAPACITY: usize = 65_536;

/// A caller's key of one command in one conversation.
type Scope = (ConnectionId, ConversationId, CommandKey);
type Outcome = Option<Result<Done, CommandFailure>>;
type Teller = watch::Sender<Outcome>;

/// The answers of commands whose callers brought a key, also of those that are not done yet.
#[derive(Clone, Default)]
pub(super) struct Answers(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    answers: HashMap<Scope, Answer>,
    /// By number. Those that were forgotten are still in it.
    oldest_first: VecDeque<(u64, Scope)>,
    next: u64,
}

struct Answer {
    number: u64,
    /// Of the body that the key came with.
    digest: [u8; 32],
    outcome: watch::Receiver<Outcome>,
}

/// The key of a request, if its caller brought one. It may be written as a quoted string.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<CommandKey>, Problem> {
    let Some(value) = headers.get(HEADER) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    if (1..=KEY_CHARS).contains(&text.len()) {
        return Ok(Some(CommandKey::from(text)));
    }
    let detail = format!("Idempotency-Key must be 1 to {KEY_CHARS} printable ASCII characters");
    Err(Problem::new(StatusCode::BAD_REQUEST, "bad-key", detail))
}

impl Answers {
    /// Carries `command` out, or answers as it was answered when it came with the same key before.
    ///
    /// # Errors
    /// What became of the command, or that the key came with another body.
    pub(super) async fn once(
        &self,
        handle: ConversationHandle,
        key: Option<CommandKey>,
        digest: [u8; 32],
        command: Command,
        patience: Duration,
    ) -> Result<Done, Problem> {
        let Some(key) = key else {
            let key = CommandKey::from(Uuid::now_v7().to_string());
            return Ok(handle.perform_as(key, command, patience).await?);
        };
        let scope = (handle.connection().clone(), handle.id().clone(), key.clone());
        let (mut outcome, tell) = self.enter(&scope, digest)?;
        if let Some(tell) = tell {
            let answers = self.clone();
            // Goes on when this caller goes away: one who asks again with the key gets the answer.
            actix_web::rt::spawn(async move {
                let outcome = handle.perform_as(key, command, patience).await;
                if outcome.as_ref().is_err_and(had_no_effect) {
                    answers.table().answers.remove(&scope);
                }
                tell.send_replace(Some(outcome));
            });
        }
        let outcome = outcome.wait_for(Option::is_some).await.map_or(None, |outcome| outcome.clone());
        Ok(outcome.ok_or_else(Problem::stopping)??)
    }

    /// The outcome to wait for, and where to tell it if nobody carries the command out yet.
    fn enter(&self, scope: &Scope, digest: [u8; 32]) -> Result<(watch::Receiver<Outcome>, Option<Teller>), Problem> {
        let mut table = self.table();
        if let Some(known) = table.answers.get(scope) {
            if known.digest == digest {
                return Ok((known.outcome.clone(), None));
            }
            let detail = "the Idempotency-Key came with another body before";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "key-reused", detail));
        }
        let (tell, outcome) = watch::channel(None);
        table.add(scope.clone(), digest, outcome.clone());
        Ok((outcome, Some(tell)))
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn add(&mut self, scope: Scope, digest: [u8; 32], outcome: watch::Receiver<Outcome>) {
        let number = self.next;
        self.next += 1;
        self.oldest_first.push_back((number, scope.clone()));
        self.answers.insert(scope, Answer { number, digest, outcome });
        if self.oldest_first.len() > CAPACITY
            && let Some((number, oldest)) = self.oldest_first.pop_front()
            && self.answers.get(&oldest).is_some_and(|answer| answer.number == number)
        {
            self.answers.remove(&oldest);
        }
    }
}

/// Whether nothing was sent, so that asking again may go better.
fn had_no_effect(failure: &CommandFailure) -> bool {
    match failure {
        CommandFailure::Invalid(_)
        | CommandFailure::Overloaded
        | CommandFailure::NotConnected
        | CommandFailure::UnknownConversation
        | CommandFailure::TimedOut => true,
        CommandFailure::Refused(_) | CommandFailure::OutcomeUnknown { .. } => false,
    }
}
