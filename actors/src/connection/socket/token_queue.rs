//! Requests for the token that wait until the session has one.

use crate::{platform::Authorization, request::Reply};

/// Requests for the token that wait until the session has one.
#[derive(Default)]
pub(super) struct TokenQueue(Vec<Reply<Authorization>>);

impl TokenQueue {
    pub(super) fn push(&mut self, reply: Reply<Authorization>) {
        // Requests whose callers gave up must not accumulate.
        self.0.retain(|waiting| !waiting.is_closed());
        self.0.push(reply);
    }

    pub(super) fn take(&mut self) -> Vec<Reply<Authorization>> {
        std::mem::take(&mut self.0)
    }
}
