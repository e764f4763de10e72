//! Who can be reached, and what is known of them without asking: the conversations in memory, by connection and id.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashSet, VecDeque},
    ops::Bound,
    sync::{Arc, Mutex, PoisonError},
};

use dashmap::DashMap;
use tertulia_core::id::{ConnectionId, ConversationId};

use super::{Assignment, ConversationHandle, Outline};

/// Conversations that are looked at before whoever comes or goes has a turn.
const LOOK_AT: usize = 1_000;
/// Conversations of one connection that a page takes at a time.
const CHUNK: usize = 64;
/// Assignments that are held before those without conversations are forgotten.
const ASSIGNMENTS: usize = 1_024;

/// The conversations in memory. Bounded by what the connections hold; an entry goes when its conversation goes.
#[derive(Default)]
pub struct Directory {
    conversations: DashMap<ConnectionId, BTreeMap<ConversationId, ConversationHandle>>,
    assignments: Mutex<Assignments>,
}

/// What many conversations have in common, held once.
#[derive(Default)]
struct Assignments {
    held: HashSet<Arc<Assignment>>,
    /// How many there were when the last ones without conversations were forgotten.
    swept: usize,
}

impl Assignments {
    fn shared(&mut self, assignment: Arc<Assignment>) -> Arc<Assignment> {
        if let Some(held) = self.held.get(&assignment) {
            return Arc::clone(held);
        }
        if self.held.len() >= ASSIGNMENTS.max(2 * self.swept) {
            self.held.retain(|held| Arc::strong_count(held) > 1);
            self.swept = self.held.len();
        }
        self.held.insert(Arc::clone(&assignment));
        assignment
    }
}

impl Directory {
    /// The conversation as this connection sees it.
    #[must_use]
    pub fn get(&self, connection: &ConnectionId, conversation: &ConversationId) -> Option<ConversationHandle> {
        self.conversations.get(connection)?.get(conversation).cloned()
    }

    /// Every conversation of a connection, by id.
    #[must_use]
    pub fn of(&self, connection: &ConnectionId) -> Vec<ConversationHandle> {
        self.conversations.get(connection).map(|own| own.values().cloned().collect()).unwrap_or_default()
    }

    /// Those conversations of `connections` that are meant, by id and then by connection: behind the one `after`, at most
    /// `limit` of them, and whether there are more. Nobody waits for it longer than a thousand conversations take.
    pub fn page(
        &self,
        connections: &[ConnectionId],
        after: Option<(&str, &str)>,
        limit: usize,
        is_meant: impl Fn(&ConversationHandle) -> bool,
    ) -> (Vec<ConversationHandle>, bool) {
        let mut sources: Vec<Source<'_>> =
            connections.iter().map(|connection| Source::behind(connection, after)).collect();
        let mut heads: BinaryHeap<_> = BinaryHeap::new();
        for (at, source) in sources.iter_mut().enumerate() {
            source.fill(self, &is_meant);
            heads.extend(source.head(at));
        }
        let mut page = Vec::new();
        while let Some(Reverse((.., at))) = heads.pop() {
            if page.len() == limit {
                return (page, true);
            }
            if let Some(source) = sources.get_mut(at) {
                page.extend(source.taken.pop_front());
                source.fill(self, &is_meant);
                heads.extend(source.head(at));
            }
        }
        (page, false)
    }

    pub(crate) fn add(&self, handle: ConversationHandle) {
        let connection = handle.connection().clone();
        self.conversations.entry(connection).or_default().insert(handle.id().clone(), handle);
    }

    pub(crate) fn remove(&self, connection: &ConnectionId, conversation: &ConversationId) {
        if let Some(mut own) = self.conversations.get_mut(connection) {
            own.remove(conversation);
        }
        self.conversations.remove_if(connection, |_, own| own.is_empty());
    }

    /// Notes what is known of a conversation now.
    pub(crate) fn outline(&self, handle: &ConversationHandle, mut outline: Outline) {
        let present = handle.outline();
        if present.assignment == outline.assignment {
            outline.assignment = present.assignment;
        } else {
            let mut assignments = self.assignments.lock().unwrap_or_else(PoisonError::into_inner);
            outline.assignment = outline.assignment.map(|assignment| assignments.shared(assignment));
        }
        handle.set_outline(outline);
    }
}

/// The conversations of one connection that a page has not taken yet.
struct Source<'a> {
    connection: &'a ConnectionId,
    from: Bound<ConversationId>,
    taken: VecDeque<ConversationHandle>,
    has_ended: bool,
}

impl<'a> Source<'a> {
    fn behind(connection: &'a ConnectionId, after: Option<(&str, &str)>) -> Self {
        let from = match after {
            None => Bound::Unbounded,
            Some((conversation, last)) if connection.as_str() > last => Bound::Included(conversation.into()),
            Some((conversation, _)) => Bound::Excluded(conversation.into()),
        };
        Self { connection, from, taken: VecDeque::new(), has_ended: false }
    }

    /// Looks for the next ones, where none is left.
    fn fill(&mut self, directory: &Directory, is_meant: &impl Fn(&ConversationHandle) -> bool) {
        while self.taken.is_empty() && !self.has_ended {
            self.has_ended = true;
            let Some(own) = directory.conversations.get(self.connection) else { return };
            let from = std::mem::replace(&mut self.from, Bound::Unbounded);
            for (place, (id, handle)) in own.range((from, Bound::Unbounded)).enumerate() {
                if is_meant(handle) {
                    self.taken.push_back(handle.clone());
                }
                if self.taken.len() == CHUNK || place + 1 == LOOK_AT {
                    (self.from, self.has_ended) = (Bound::Excluded(id.clone()), false);
                    break;
                }
            }
        }
    }

    /// The first one, and that it is of the source `at`, in the order of pages.
    fn head(&self, at: usize) -> Option<Reverse<(ConversationId, ConnectionId, usize)>> {
        self.taken.front().map(|head| Reverse((head.id().clone(), head.connection().clone(), at)))
    }
}
