//! Subscriptions that callers add to the connection's own ([CN-F7](crate::rules#cn-f7)). They are restored on each
//! socket until they are dropped. Their conversations are in memory like all others, as long as one subscription
//! contains them.

use actix::{ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, WrapFuture};
use tertulia_core::{id::ConversationId, subscription::CallerNumber, ums::ConversationQuery};
use tokio::sync::oneshot;

use super::Connection;
use crate::request::{Reply, RequestError};

/// A subscription to conversations. Dropping it ends the subscription.
#[must_use = "dropping it ends the subscription"]
pub struct ConversationSubscription {
    connection: Addr<Connection>,
    number: CallerNumber,
    conversations: Vec<ConversationId>,
}

impl ConversationSubscription {
    /// The conversations that matched when the subscription began, from all its pages.
    #[must_use]
    pub fn conversations(&self) -> &[ConversationId] {
        &self.conversations
    }

    /// Ends the subscription, as dropping it does. Conversations that are in no other subscription leave memory a while
    /// later.
    pub fn unsubscribe(self) {}
}

impl Drop for ConversationSubscription {
    fn drop(&mut self) {
        self.connection.do_send(EndSubscription(self.number));
    }
}

/// Subscribes to the conversations that match `query`, now and on each later socket.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct SubscribeTo {
    pub(crate) query: ConversationQuery,
    pub(crate) reply: Reply<ConversationSubscription>,
}

#[derive(Message)]
#[rtype(result = "()")]
struct EndSubscription(CallerNumber);

impl Handler<SubscribeTo> for Connection {
    type Result = ();

    fn handle(&mut self, SubscribeTo { query, reply }: SubscribeTo, ctx: &mut Context<Self>) {
        let added = if self.plan.is_linked() {
            self.subscriptions.add_caller(query).ok_or(RequestError::Overloaded)
        } else {
            Err(RequestError::NotConnected)
        };
        let (number, outputs) = match added {
            Ok(added) => added,
            Err(failure) => {
                let _ = reply.send(Err(failure));
                return;
            }
        };
        let (begins, snapshot) = oneshot::channel();
        self.subscription_callers.wait(number, begins);
        self.carry_out_all(outputs);
        let subscription = ConversationSubscription { connection: ctx.address(), number, conversations: Vec::new() };
        let begun = async move { snapshot.await.unwrap_or(Err(RequestError::ConnectionLost)) };
        ctx.spawn(begun.into_actor(self).map(|snapshot, _, _| {
            // If the caller has left or the subscription failed, dropping it ends it.
            let begun = snapshot.map(|conversations| {
                let mut subscription = subscription;
                subscription.conversations = conversations;
                subscription
            });
            let _ = reply.send(begun);
        }));
    }
}

impl Handler<EndSubscription> for Connection {
    type Result = ();

    fn handle(&mut self, EndSubscription(number): EndSubscription, _: &mut Self::Context) {
        self.remove_caller(number);
    }
}
