//! What every request of a connection without a socket has in common: its turn, its time limit, and the renewal of a
//! refused token.

use std::{sync::Arc, time::Duration};

use tertulia_core::ums::AnswerError;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::grant::NotGranted;
use crate::{platform::SendFailure, request::RequestError};

/// Limits the requests in flight on one connection, and the time of each.
#[derive(Clone)]
pub(super) struct Turns {
    free: Arc<Semaphore>,
    within: Duration,
}

impl Turns {
    pub(super) fn new(max_requests: usize, within: Duration) -> Self {
        Self { free: Arc::new(Semaphore::new(max_requests.max(1))), within }
    }

    /// Waits for a turn. The turn ends when the returned value is dropped.
    pub(super) async fn enter(&self) -> Result<OwnedSemaphorePermit, RequestError> {
        match timeout(self.within, Arc::clone(&self.free).acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(RequestError::Overloaded),
        }
    }

    /// Waits for a turn, then runs the request. The wait and the request have the same time limit.
    pub(super) async fn run<A>(
        &self,
        request: impl Future<Output = Result<A, RequestError>>,
    ) -> Result<A, RequestError> {
        let _turn = self.enter().await?;
        timeout(self.within, request).await.unwrap_or(Err(RequestError::TimedOut))
    }
}

/// Sends a request with `token`. If `renew` says that the answer refuses the token, and returns another token, the
/// request is sent once more. Returns the last answer and its token.
pub(super) async fn send_renewing<T, A, E>(
    token: T,
    send: impl AsyncFn(&T) -> Result<A, E>,
    renew: impl AsyncFnOnce(&A, &T) -> Result<Option<T>, E>,
) -> Result<(A, T), E> {
    let answer = send(&token).await?;
    match renew(&answer, &token).await? {
        Some(renewed) => Ok((send(&renewed).await?, renewed)),
        None => Ok((answer, token)),
    }
}

/// Returns whether a request without an answer was sent.
pub(super) fn unanswered(failure: SendFailure) -> RequestError {
    match failure {
        SendFailure::NotSent(error) => {
            tracing::debug!(%error, "not sent");
            RequestError::Overloaded
        }
        SendFailure::Unanswered(error) => {
            tracing::debug!(%error, "sent without an answer");
            RequestError::ConnectionLost
        }
    }
}

/// Without a token or session nothing was sent. The request may be sent again, unless the platform refuses credentials
/// that it never accepted.
pub(super) fn not_granted(NotGranted { error, is_final, .. }: NotGranted) -> RequestError {
    tracing::debug!(%error, "no token or session");
    match error.status() {
        Some(code) if is_final => AnswerError::Refused { code, text: error.to_string() }.into(),
        _ => RequestError::Overloaded,
    }
}
