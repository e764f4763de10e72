//! Subscriptions to conversations: the snapshot with all its pages, and what is asked once.

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;
use tertulia_core::{
    id::{ConversationId, SubscriptionId},
    ums::{ConversationChanges, ConversationQuery, Request, Response, Unsubscription},
};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{Connection, actor::OwnRequest, paging::next_page};
use crate::request::{Ask, Lane, Reply, RequestFailure};

/// Notifications that wait for the answer that tells which subscription they are for. They keep their places among the
/// frames that are not handled yet, of which the answer needs one.
const PARKED: usize = 64;

/// A subscription on this connection, before and after the platform gave it an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct SubscriptionKey(u64);

struct Entry {
    query: ConversationQuery,
    id: Option<SubscriptionId>,
    life: Life,
    /// Conversations seen in the snapshot so far, and who waits for them all. `None` once told.
    snapshot: Option<(Vec<ConversationId>, Reply<Vec<ConversationId>>)>,
}

/// How long a subscription is kept.
pub(super) enum Life {
    /// As long as it is wanted.
    Standing {
        /// What is in it now.
        members: HashSet<ConversationId>,
        /// Who wants it; the connection itself where nobody else does.
        wish: Option<WishNumber>,
    },
    /// Until its first notification was taken: a further page of another, or a question asked once.
    Once {
        /// Of which one it is a page.
        page_of: Option<SubscriptionKey>,
    },
}

/// A caller's wish for a subscription, over all sockets of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WishNumber(pub(super) u64);

/// The subscriptions of the present socket, and what callers wish for on each.
#[derive(Default)]
pub(super) struct Subscriptions {
    next: u64,
    entries: HashMap<SubscriptionKey, Entry>,
    parked: Vec<Parked>,
    pub(super) wishes: BTreeMap<WishNumber, ConversationQuery>,
}

/// A notification of a subscription that is not known.
pub(super) struct Parked {
    pub(super) subscription_id: SubscriptionId,
    pub(super) frame: Bytes,
    pub(super) place: OwnedSemaphorePermit,
}

impl Life {
    pub(super) fn standing(wish: Option<WishNumber>) -> Self {
        Self::Standing { members: HashSet::new(), wish }
    }

    pub(super) const QUESTION: Self = Self::Once { page_of: None };

    fn has(&self, id: &ConversationId) -> bool {
        matches!(self, Self::Standing { members, .. } if members.contains(id))
    }
}

impl Subscriptions {
    /// Ends everything, because the socket is gone; whoever waits for a snapshot hears of it.
    pub(super) fn forget_socket(&mut self) {
        self.parked.clear();
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

    /// Whether the answer to a subscription is still to come.
    fn await_answer(&self) -> bool {
        self.entries.values().any(|entry| entry.id.is_none())
    }

    /// Keeps the notification of an unknown subscription while the answer that tells its id may still be on its way
    /// (SB-12); gives it back where none is, or too many wait.
    pub(super) fn park(&mut self, parked: Parked) -> Result<(), Parked> {
        if !self.await_answer() || self.parked.len() >= PARKED {
            return Err(parked);
        }
        self.parked.push(parked);
        Ok(())
    }

    /// What waited for the answers that have come.
    pub(super) fn take_parked(&mut self) -> Vec<Parked> {
        if !self.await_answer() {
            return std::mem::take(&mut self.parked);
        }
        let parked = std::mem::take(&mut self.parked);
        let (known, unknown) =
            parked.into_iter().partition(|parked| self.of(parked.subscription_id.as_str()).is_some());
        self.parked = unknown;
        known
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

    /// Which subscription a notification is for.
    pub(super) fn named(&self, changes: &ConversationChanges<'_>) -> Option<SubscriptionKey> {
        changes.subscription_id.as_ref().and_then(|id| self.of(id))
    }

    /// Whether a subscription only asks what became of conversations that others have or had.
    pub(super) fn is_question(&self, key: Option<SubscriptionKey>) -> bool {
        let entry = key.and_then(|key| self.entries.get(&key));
        entry.is_some_and(|entry| matches!(entry.life, Life::Once { page_of: None }))
    }

    /// Notes that a conversation is in a subscription.
    pub(super) fn joined(&mut self, key: Option<SubscriptionKey>, id: &ConversationId) {
        let root = key.and_then(|key| match self.entries.get(&key)?.life {
            Life::Standing { .. } => Some(key),
            Life::Once { page_of } => page_of,
        });
        if let Some(Entry { life: Life::Standing { members, .. }, .. }) =
            root.and_then(|root| self.entries.get_mut(&root))
            && !members.contains(id)
        {
            members.insert(id.clone());
        }
    }

    /// Whether a subscription that stands has a conversation.
    pub(super) fn has(&self, id: &ConversationId) -> bool {
        self.entries.values().any(|entry| entry.life.has(id))
    }

    /// Notes that a conversation left a subscription, or all where none is named; whether another one has it still.
    pub(super) fn left(&mut self, key: Option<SubscriptionKey>, id: &ConversationId) -> bool {
        let mut is_held = false;
        for (own, entry) in &mut self.entries {
            match &mut entry.life {
                Life::Standing { members, .. } if key.is_none_or(|key| key == *own) => {
                    members.remove(id);
                }
                life => is_held |= life.has(id),
            }
        }
        is_held
    }

    /// Ends a caller's subscription; its id on the socket, and what no other one has.
    pub(super) fn forget_wish(&mut self, number: WishNumber) -> Option<(Option<SubscriptionId>, Vec<ConversationId>)> {
        self.wishes.remove(&number);
        let is_wish = |entry: &Entry| matches!(entry.life, Life::Standing { wish: Some(wish), .. } if wish == number);
        let key = self.entries.iter().find(|(_, entry)| is_wish(entry)).map(|(key, _)| *key)?;
        let Entry { id, life, .. } = self.entries.remove(&key)?;
        let Life::Standing { members, .. } = life else { return None };
        Some((id, members.into_iter().filter(|id| !self.has(id)).collect()))
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
    pub(super) fn subscribe(&mut self, query: ConversationQuery, life: Life, reply: Reply<Vec<ConversationId>>) {
        let snapshot = Some((Vec::new(), reply));
        self.subscribe_to(Entry { query, id: None, life, snapshot });
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
    pub(super) fn note_page(
        &mut self,
        key: Option<SubscriptionKey>,
        changes: &ConversationChanges<'_>,
        named: Vec<ConversationId>,
    ) {
        let Some(key) = key else { return };
        let Some(entry) = self.subscriptions.entries.get_mut(&key) else { return };
        let Some((mut seen, reply)) = entry.snapshot.take() else { return };
        seen.extend(named);
        let next = next_page(&entry.query, &changes.changes);
        let page_of = match entry.life {
            Life::Standing { .. } => Some(key),
            Life::Once { page_of } => {
                let subscription_id = entry.id.clone();
                self.subscriptions.entries.remove(&key);
                self.unsubscribe(subscription_id);
                page_of
            }
        };
        match next {
            Some(query) => {
                let life = Life::Once { page_of };
                self.subscribe_to(Entry { query, id: None, life, snapshot: Some((seen, reply)) });
            }
            None => {
                let _ = reply.send(Ok(seen));
            }
        }
    }

    pub(super) fn unsubscribe(&mut self, subscription_id: Option<SubscriptionId>) {
        if let Some(subscription_id) = subscription_id {
            // Nobody waits for the answer: a subscription that lives on only repeats what the main one tells.
            let (reply, _) = oneshot::channel();
            let request = Request::UnsubscribeConversations(Unsubscription { subscription_id });
            self.ask(Ask { conversation: None, request, metadata: Vec::new(), lane: Lane::Recovery, reply });
        }
    }
}
