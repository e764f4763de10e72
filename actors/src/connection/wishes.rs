//! Subscriptions that callers wish for, beside the connection's own (CN-F7): restored on each socket until they are
//! dropped. What they tell of is in memory like everything else, as long as one subscription has it.

use actix::{ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, WrapFuture};
use tertulia_core::{id::ConversationId, ums::ConversationQuery};
use tokio::sync::oneshot;

use super::{
    Connection,
    subscriptions::{Life, WishNumber},
};
use crate::request::{Reply, RequestFailure};

/// Wishes of one connection; beyond it a caller is refused.
const WISHES: usize = 64;

/// A subscription to conversations. Dropping it ends it.
#[must_use = "dropping it ends the subscription"]
pub struct ConversationSubscription {
    connection: Addr<Connection>,
    number: WishNumber,
    conversations: Vec<ConversationId>,
}

impl ConversationSubscription {
    /// What matched when it began, its pages together.
    #[must_use]
    pub fn conversations(&self) -> &[ConversationId] {
        &self.conversations
    }

    /// Ends it, as dropping it does. Conversations that no other subscription has leave memory a while later.
    pub fn unsubscribe(self) {}
}

impl Drop for ConversationSubscription {
    fn drop(&mut self) {
        self.connection.do_send(EndWish(self.number));
    }
}

/// Subscribes to what matches `query`, now and on each later socket.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct SubscribeTo {
    pub(crate) query: ConversationQuery,
    pub(crate) reply: Reply<ConversationSubscription>,
}

#[derive(Message)]
#[rtype(result = "()")]
struct EndWish(WishNumber);

impl Connection {
    /// Subscribes on a new socket to everything that is wished for.
    pub(super) fn subscribe_as_wished(
        &mut self,
    ) -> Vec<oneshot::Receiver<Result<Vec<ConversationId>, RequestFailure>>> {
        let wishes = self.subscriptions.wishes.clone();
        let snapshots = wishes.into_iter().map(|(number, query)| {
            let (reply, snapshot) = oneshot::channel();
            self.subscribe(query, Life::standing(Some(number)), reply);
            snapshot
        });
        snapshots.collect()
    }

    fn end_wish(&mut self, number: WishNumber) {
        let Some((subscription_id, left)) = self.subscriptions.forget_wish(number) else { return };
        self.unsubscribe(subscription_id);
        for id in left {
            self.repeated.forget(&id);
            self.leaves_soon(&id);
        }
    }
}

impl Handler<SubscribeTo> for Connection {
    type Result = ();

    fn handle(&mut self, SubscribeTo { query, reply }: SubscribeTo, ctx: &mut Context<Self>) {
        let refused = match self.subscriptions.wishes.len() {
            WISHES.. => Some(RequestFailure::Overloaded),
            _ if !self.session.may_send() => Some(RequestFailure::NotConnected),
            _ => None,
        };
        if let Some(failure) = refused {
            let _ = reply.send(Err(failure));
            return;
        }
        self.wishes_made += 1;
        let number = WishNumber(self.wishes_made);
        self.subscriptions.wishes.insert(number, query.clone());
        let (taken, snapshot) = oneshot::channel();
        self.subscribe(query, Life::standing(Some(number)), taken);
        let subscription = ConversationSubscription { connection: ctx.address(), number, conversations: Vec::new() };
        let begun = async move { snapshot.await.unwrap_or(Err(RequestFailure::ConnectionLost)) };
        ctx.spawn(begun.into_actor(self).map(|snapshot, _, _| {
            // One that nobody takes, or that did not begin, ends by being dropped.
            let begun = snapshot.map(|conversations| {
                let mut subscription = subscription;
                subscription.conversations = conversations;
                subscription
            });
            let _ = reply.send(begun);
        }));
    }
}

impl Handler<EndWish> for Connection {
    type Result = ();

    fn handle(&mut self, EndWish(number): EndWish, _: &mut Self::Context) {
        self.end_wish(number);
    }
}
