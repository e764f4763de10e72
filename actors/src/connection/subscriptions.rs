//! Subscriptions to conversations: the snapshot with all its pages, and what is asked once.

use std::collections::HashMap;

use tertulia_core::{
    id::{ConversationId, SubscriptionId},
    ums::{ConversationChanges, ConversationQuery, Request, Response, Unsubscription},
};
use tokio::sync::oneshot;

use super::{Connection, actor::OwnRequest, paging::next_page};
use crate::request::{Ask, Lane, Reply, RequestFailure};

/// A subscription on this connection, before and after the platform gave it an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct SubscriptionKey(u64);

struct Entry {
    query: ConversationQuery,
    id: Option<SubscriptionId>,
    /// Ends when its first notification was taken: a further page, or a question asked once.
    once: bool,
    /// Conversations seen in the snapshot so far, and who waits for them all. `None` once told.
    snapshot: Option<(Vec<ConversationId>, Reply<Vec<ConversationId>>)>,
}

/// The subscriptions of the present socket.
#[derive(Default)]
pub(super) struct Subscriptions {
    next: u64,
    entries: HashMap<SubscriptionKey, Entry>,
}

impl Subscriptions {
    /// Ends everything, because the socket is gone; whoever waits for a snapshot hears of it.
    pub(super) fn forget_socket(&mut self) {
        for (_, entry) in self.entries.drain() {
            entry.fail(RequestFailure::ConnectionLost);
        }
    }

    /// Whether a snapshot is on its way, which may be large.
    pub(super) fn await_snapshot(&self) -> bool {
        self.entries.values().any(|entry| entry.snapshot.is_some())
    }

    pub(super) fn fail(&mut self, key: SubscriptionKey, failure: RequestFailure) {
        if let Some(entry) = self.entries.remove(&key) {
            entry.fail(failure);
        }
    }

    fn add(&mut self, entry: Entry) -> SubscriptionKey {
        self.next += 1;
        let key = SubscriptionKey(self.next);
        self.entries.insert(key, entry);
        key
    }

    fn of(&self, id: &str) -> Option<SubscriptionKey> {
        self.entries.iter().find(|(_, entry)| entry.id.as_ref().is_some_and(|own| own == id)).map(|(key, _)| *key)
    }
}

impl Entry {
    fn fail(self, failure: RequestFailure) {
        if let Some((_, reply)) = self.snapshot {
            let _ = reply.send(Err(failure));
        }
    }
}

impl Connection {
    /// Subscribes, and tells `reply` the conversations of the whole snapshot.
    pub(super) fn subscribe(&mut self, query: ConversationQuery, once: bool, reply: Reply<Vec<ConversationId>>) {
        let snapshot = Some((Vec::new(), reply));
        self.subscribe_to(Entry { query, id: None, once, snapshot });
    }

    fn subscribe_to(&mut self, entry: Entry) {
        let request = Request::SubscribeConversations(entry.query.clone());
        let key = self.subscriptions.add(entry);
        self.ask_own(OwnRequest::Subscribe(key), request, Vec::new());
    }

    /// Notes a new subscription's id before the next frame is read, which may be its snapshot (SB-12).
    pub(super) fn subscribed(&mut self, key: SubscriptionKey, response: &Response<'_>) {
        match response.subscribed() {
            Ok(id) => {
                if let Some(entry) = self.subscriptions.entries.get_mut(&key) {
                    entry.id = Some(id);
                }
            }
            Err(error) => {
                self.note_error(&error);
                self.subscriptions.fail(key, error.into());
            }
        }
    }

    /// Notes that a notification named these conversations. The first one of a subscription is a page of its snapshot.
    pub(super) fn note_page(&mut self, changes: &ConversationChanges<'_>, named: Vec<ConversationId>) {
        let Some(key) = changes.subscription_id.as_ref().and_then(|id| self.subscriptions.of(id)) else { return };
        let Some(entry) = self.subscriptions.entries.get_mut(&key) else { return };
        let Some((mut seen, reply)) = entry.snapshot.take() else { return };
        seen.extend(named);
        let next = next_page(&entry.query, &changes.changes);
        if entry.once {
            let subscription_id = entry.id.clone();
            self.subscriptions.entries.remove(&key);
            self.unsubscribe(subscription_id);
        }
        match next {
            Some(query) => self.subscribe_to(Entry { query, id: None, once: true, snapshot: Some((seen, reply)) }),
            None => {
                let _ = reply.send(Ok(seen));
            }
        }
    }

    fn unsubscribe(&mut self, subscription_id: Option<SubscriptionId>) {
        if let Some(subscription_id) = subscription_id {
            // Nobody waits for the answer: a subscription that lives on only repeats what the main one tells.
            let (reply, _) = oneshot::channel();
            let request = Request::UnsubscribeConversations(Unsubscription { subscription_id });
            self.ask(Ask { conversation: None, request, metadata: Vec::new(), lane: Lane::Recovery, reply });
        }
    }
}
