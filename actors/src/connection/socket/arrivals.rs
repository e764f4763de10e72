//! Callers that wait for a conversation, such as the conversation of an accepted offer ([RG-4](crate::rules#rg-4)).

use std::collections::HashMap;

use actix::{ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use tertulia_core::id::ConversationId;
use tokio::sync::oneshot;

use super::{AcceptRing, Connection, ConnectionError};
use crate::request::RequestError;

/// The most waiting callers; beyond it a caller is refused before the offer is accepted.
const WAITING: usize = 1024;

type Waiter = oneshot::Sender<Result<ConversationId, ConnectionError>>;

/// The waiting callers by conversation. A caller's own deadline ends its wait.
#[derive(Default)]
pub(super) struct Arrivals {
    waiting: HashMap<ConversationId, Vec<Waiter>>,
}

impl Arrivals {
    fn is_full(&self) -> bool {
        self.waiting.values().map(Vec::len).sum::<usize>() >= WAITING
    }

    /// A state of the conversation arrived.
    pub(super) fn arrived(&mut self, id: &ConversationId) {
        for waiter in self.waiting.remove(id).into_iter().flatten() {
            let _ = waiter.send(Ok(id.clone()));
        }
    }

    pub(super) fn forget_closed(&mut self) {
        self.waiting.retain(|_, waiters| {
            waiters.retain(|waiter| !waiter.is_closed());
            !waiters.is_empty()
        });
    }
}

impl Handler<AcceptRing> for Connection {
    type Result = ();

    fn handle(&mut self, AcceptRing { ring_id, reply }: AcceptRing, ctx: &mut Context<Self>) {
        let Some(conversation) = self.rings.conversation(&ring_id).cloned() else {
            let _ = reply.send(Err(ConnectionError::UnknownRing));
            return;
        };
        if self.arrivals.is_full() {
            let _ = reply.send(Err(RequestError::Overloaded.into()));
            return;
        }
        let answered = self.answer_ring(ring_id, true, 0);
        ctx.spawn(answered.into_actor(self).map(move |outcome, connection, _| match outcome {
            Ok(()) if connection.holds(&conversation) => {
                let _ = reply.send(Ok(conversation));
            }
            Ok(()) => connection.arrivals.waiting.entry(conversation).or_default().push(reply),
            Err(failure) => {
                let _ = reply.send(Err(failure.into()));
            }
        }));
    }
}
