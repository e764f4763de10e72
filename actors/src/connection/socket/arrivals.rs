//! Callers that wait for a conversation, such as the conversation of an accepted offer ([RG-4](crate::rules#rg-4)).

use std::collections::HashMap;

use tertulia_core::id::ConversationId;
use tokio::sync::oneshot;

use crate::request::RequestFailure;

/// The most waiting callers; beyond it a caller is refused before the offer is accepted.
const WAITING: usize = 1024;

/// Why an offer did not lead to a conversation.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// The offer is unknown: it was never made to this connection, or has ended.
    #[error("no such ring")]
    UnknownRing,
    /// The offer could not be accepted.
    #[error(transparent)]
    Request(#[from] RequestFailure),
    /// The offer was accepted or is being accepted, and the conversation did not arrive in time.
    #[error("the conversation did not arrive in time")]
    NotArrived,
}

/// A caller that waits for a conversation.
type WaitingCaller = oneshot::Sender<Result<ConversationId, RingError>>;

/// The waiting callers by conversation. A caller's own deadline ends its wait.
#[derive(Default)]
pub(super) struct Arrivals {
    waiting: HashMap<ConversationId, Vec<WaitingCaller>>,
}

impl Arrivals {
    pub(super) fn is_full(&self) -> bool {
        self.waiting.values().map(Vec::len).sum::<usize>() >= WAITING
    }

    /// A state of the conversation arrived.
    pub(super) fn arrived(&mut self, id: &ConversationId) {
        for caller in self.waiting.remove(id).into_iter().flatten() {
            let _ = caller.send(Ok(id.clone()));
        }
    }

    /// Adds a caller that waits for the conversation.
    pub(super) fn wait(&mut self, id: ConversationId, caller: WaitingCaller) {
        self.waiting.entry(id).or_default().push(caller);
    }

    pub(super) fn forget_closed(&mut self) {
        self.waiting.retain(|_, callers| {
            callers.retain(|caller| !caller.is_closed());
            !callers.is_empty()
        });
    }
}
