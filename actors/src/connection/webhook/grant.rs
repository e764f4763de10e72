//! A token or session that is requested when it is needed, and the pause after a refusal.

use tertulia_core::session::{Backoff, LoginRefusal, WaitReason};
use tokio::time::Instant;

use super::StatusBoard;
use crate::{
    connection::Waiting,
    platform::{HttpError, TokenError},
};

/// Why no token was granted.
#[derive(Debug)]
pub(super) struct NotGranted {
    pub(super) error: HttpError,
    /// The credentials never worked and are refused, so another request cannot help.
    pub(super) is_final: bool,
    /// When the platform may be asked again.
    pub(super) until: Instant,
}

/// A token of one kind. The holder of its lock requests the token for all waiting requests.
pub(super) struct Grant<T> {
    current: Option<T>,
    /// When the present token was granted, if it replaced a refused token.
    renewed: Option<Instant>,
    backoff: Backoff,
    has_worked: bool,
    failures: u32,
    trouble_since: Option<Instant>,
    refused: Option<(HttpError, Instant)>,
    status: StatusBoard,
}

impl<T: Clone> Grant<T> {
    pub(super) fn new(backoff: Backoff, status: StatusBoard) -> Self {
        Self {
            current: None,
            renewed: None,
            backoff,
            has_worked: false,
            failures: 0,
            trouble_since: None,
            refused: None,
            status,
        }
    }

    /// Drops the token and every refusal. `has_worked` says whether the credentials worked in a previous run.
    pub(super) fn begin(&mut self, has_worked: bool) {
        (self.current, self.renewed, self.refused) = (None, None, None);
        (self.failures, self.trouble_since) = (0, None);
        self.has_worked |= has_worked;
    }

    /// Returns the present token if it is valid and was not refused, or requests a new token. For a while after a
    /// refusal of the platform no new request is made.
    pub(super) async fn get(
        &mut self,
        lasts: impl FnOnce(&T) -> bool,
        is_refused: impl FnOnce(&T) -> bool,
        fetch: impl Future<Output = Result<T, HttpError>>,
    ) -> Result<T, NotGranted> {
        let now = Instant::now();
        let is_refused = self.current.as_ref().is_some_and(is_refused);
        if let Some(token) = self.current.as_ref().filter(|token| !is_refused && lasts(token)) {
            return Ok(token.clone());
        }
        // If a renewed token is refused at once, another token would be refused too.
        let earliest = self.renewed.filter(|_| is_refused).map(|renewed| renewed + self.backoff.floor);
        if let Some(until) = earliest.filter(|until| now < *until) {
            let detail = "the platform refuses a token that it has just granted".to_owned();
            return Err(NotGranted { error: TokenError::Unavailable(detail).into(), is_final: false, until });
        }
        if let Some((error, until)) = self.refused.as_ref().filter(|(_, until)| now < *until) {
            return Err(NotGranted { error: error.clone(), is_final: false, until: *until });
        }
        match fetch.await {
            Ok(token) => {
                self.granted();
                self.renewed = is_refused.then(Instant::now);
                self.current = Some(token.clone());
                Ok(token)
            }
            Err(error) => Err(self.refused(error)),
        }
    }

    fn granted(&mut self) {
        (self.has_worked, self.failures, self.trouble_since, self.refused) = (true, 0, None, None);
        self.status.show_waiting(None);
    }

    fn refused(&mut self, error: HttpError) -> NotGranted {
        let now = Instant::now();
        let refusal = error.login_refusal();
        let lasted = now.duration_since(*self.trouble_since.get_or_insert(now));
        let mut wait = self.backoff.within(lasted).delay(self.failures, rand::random());
        self.failures = self.failures.saturating_add(1);
        let reason = match refusal {
            LoginRefusal::Credentials => WaitReason::CredentialsRefused,
            LoginRefusal::Throttled { retry_after } => {
                wait = wait.max(retry_after.unwrap_or_default().min(self.backoff.max));
                WaitReason::Throttled
            }
            LoginRefusal::Unavailable => WaitReason::Unavailable,
        };
        let is_final = !self.has_worked && refusal == LoginRefusal::Credentials;
        let until = now + wait;
        self.refused = Some((error.clone(), until));
        let waiting = Waiting { reason, until: jiff::Timestamp::now() + wait };
        self.status.show_refusal(error.to_string(), Some(waiting).filter(|_| !is_final));
        NotGranted { error, is_final, until }
    }
}
