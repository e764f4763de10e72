//! Fresh states: asked for conversations that were restarted or released, because what they knew is not to be trusted.

use std::collections::{BTreeSet, VecDeque};

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use tertulia_core::{
    id::ConversationId,
    ums::{ConversationQuery, Stage},
};
use tokio::sync::oneshot;

use super::{Connection, subscriptions::Life};
use crate::request::RequestFailure;

/// States asked for at the same time.
const ASKED_TOGETHER: usize = 32;

/// Conversations whose state is to be asked for. Each is here once, so there are no more than conversations.
#[derive(Default)]
pub(super) struct Refreshing {
    wanted: VecDeque<ConversationId>,
    asked: BTreeSet<ConversationId>,
}

impl Refreshing {
    fn want(&mut self, id: ConversationId) {
        if !self.wanted.contains(&id) {
            self.wanted.push_back(id);
        }
    }

    pub(super) fn forget(&mut self, id: &ConversationId) {
        self.wanted.retain(|wanted| wanted != id);
    }

    /// The connection's own futures are gone: whatever was asked is wanted again.
    pub(super) fn restart(&mut self) {
        for id in std::mem::take(&mut self.asked) {
            self.want(id);
        }
    }

    /// One that may be asked for now. While it is asked for, a further wish waits for its answer, which may be older.
    fn next(&mut self) -> Option<ConversationId> {
        if self.asked.len() >= ASKED_TOGETHER {
            return None;
        }
        let position = self.wanted.iter().position(|id| !self.asked.contains(id))?;
        let id = self.wanted.remove(position)?;
        self.asked.insert(id.clone());
        Some(id)
    }
}

/// The question for one conversation's state, whatever its stage.
pub(super) fn question(id: ConversationId) -> ConversationQuery {
    let stage = vec![Stage::Open, Stage::Close, Stage::Locked];
    ConversationQuery { conversation_id: Some(id), stage, ..ConversationQuery::default() }
}

impl Connection {
    /// Has a conversation told its state anew, as soon as that can be asked.
    pub(super) fn ask_state(&mut self, id: ConversationId, ctx: &mut Context<Self>) {
        self.refreshing.want(id);
        self.ask_next_state(ctx);
    }

    pub(super) fn ask_next_state(&mut self, ctx: &mut Context<Self>) {
        while self.session.may_send()
            && let Some(id) = self.refreshing.next()
        {
            let (reply, answer) = oneshot::channel();
            self.subscribe(question(id.clone()), Life::QUESTION, reply);
            let answer = async move { answer.await.unwrap_or(Err(RequestFailure::ConnectionLost)) };
            ctx.spawn(answer.into_actor(self).map(move |answer, connection, ctx| {
                connection.refreshing.asked.remove(&id);
                match answer {
                    Ok(_) | Err(RequestFailure::Answer(_)) => connection.settle(&id),
                    Err(_) => connection.refreshing.want(id),
                }
                connection.ask_next_state(ctx);
            }));
        }
    }

    /// A conversation that left meanwhile has nobody else to tell it so.
    fn settle(&mut self, id: &ConversationId) {
        if self.knows(id) && !self.subscriptions.has(id) {
            self.leaves_soon(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_asked_for_once_and_again_only_behind_its_answer() {
        let mut refreshing = Refreshing::default();
        refreshing.want("a".into());
        refreshing.want("a".into());
        assert_eq!(refreshing.next(), Some("a".into()));
        assert_eq!(refreshing.next(), None);
        refreshing.want("a".into());
        refreshing.want("b".into());
        assert_eq!(refreshing.next(), Some("b".into()), "the answer for a is on its way");
        refreshing.asked.remove("a");
        assert_eq!(refreshing.next(), Some("a".into()));
    }

    #[test]
    fn only_so_many_are_asked_for_together() {
        let mut refreshing = Refreshing::default();
        (0..100).for_each(|number| refreshing.want(number.to_string().as_str().into()));
        assert_eq!(std::iter::from_fn(|| refreshing.next()).count(), ASKED_TOGETHER);
        refreshing.restart();
        assert_eq!(refreshing.wanted.len(), 100, "nothing is forgotten with the connection's own restart");
    }
}
