//! The callers that wait until the subscriptions they added begin.

use std::collections::HashMap;

use tertulia_core::{id::ConversationId, subscription::CallerNumber};

use crate::request::{Reply, RequestError};

/// The callers whose subscriptions are being started.
#[derive(Default)]
pub(super) struct SubscriptionCallers(HashMap<CallerNumber, Reply<Vec<ConversationId>>>);

impl SubscriptionCallers {
    pub(super) fn wait(&mut self, number: CallerNumber, reply: Reply<Vec<ConversationId>>) {
        self.0.insert(number, reply);
    }

    /// The subscription has begun with these conversations, or failed.
    pub(super) fn begun(&mut self, number: CallerNumber, begun: Result<Vec<ConversationId>, RequestError>) {
        if let Some(reply) = self.0.remove(&number) {
            let _ = reply.send(begun);
        }
    }
}
