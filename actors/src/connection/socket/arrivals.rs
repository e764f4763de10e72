//! Callers that wait for a conversation, such as the conversation of an accepted offer ([RG-4](crate::rules#rg-4)).

use std::collections::HashMap;

use tertulia_core::id::ConversationId;
use tokio::sync::oneshot;

use crate::connection::ConnectionError;

/// The most waiting callers; beyond it a caller is refused before the offer is accepted.
const WAITING: usize = 1024;

/// A caller that waits for a conversation.
type WaitingCaller = oneshot::Sender<Result<ConversationId, ConnectionError>>;

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
