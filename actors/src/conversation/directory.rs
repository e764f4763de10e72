//! The conversations that callers can reach, by connection and id, each with a summary that needs no call to its actor.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashSet, VecDeque},
    ops::Bound,
    sync::{Arc, Mutex, PoisonError},
};

use dashmap::DashMap;
use tertulia_core::id::{ConnectionId, ConversationId};

use super::{Assignment, ConversationHandle, Outline};

/// How many conversations a page reads before it releases the lock, so that conversations can be added and removed.
const LOOK_AT: usize = 1_000;
/// The least and the most conversations of one connection that a page reads at a time.
const CHUNK: (usize, usize) = (8, 256);
/// The number of shared assignments above which unused ones are removed.
const ASSIGNMENTS: usize = 1_024;

/// The conversations of all connections. Its size is bounded by the connections; an entry is removed with its
/// conversation.
#[derive(Default)]
pub(crate) struct Directory {
    conversations: DashMap<ConnectionId, BTreeMap<ConversationId, ConversationHandle>>,
    assignments: Mutex<Assignments>,
}

/// The values that many conversations have in common, each stored once.
#[derive(Default)]
struct Assignments {
    held: HashSet<Arc<Assignment>>,
    /// The number of assignments after unused ones were last removed.
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
    /// Returns the handle of a conversation on this connection.
    #[must_use]
    pub(crate) fn get(&self, connection: &ConnectionId, conversation: &ConversationId) -> Option<ConversationHandle> {
        self.conversations.get(connection)?.get(conversation).cloned()
    }

    /// Returns all conversations of a connection, sorted by id.
    #[must_use]
    pub(crate) fn of(&self, connection: &ConnectionId) -> Vec<ConversationHandle> {
        self.conversations.get(connection).map(|own| own.values().cloned().collect()).unwrap_or_default()
    }

    /// Returns the conversations of `connections` that match, sorted by id and then by connection: at most `limit` of
    /// them after the position `after`, and whether more follow. Holds the lock for at most a thousand conversations at
    /// a time.
    pub(crate) fn page(
        &self,
        connections: &[ConnectionId],
        after: Option<(&str, &str)>,
        limit: usize,
        is_meant: impl Fn(&ConversationHandle) -> bool,
    ) -> (Vec<ConversationHandle>, bool) {
        let chunk = (2 * limit / connections.len().max(1)).clamp(CHUNK.0, CHUNK.1);
        let mut sources: Vec<Source<'_>> =
            connections.iter().map(|connection| Source::after(connection, after)).collect();
        let mut heads: BinaryHeap<_> = BinaryHeap::new();
        for (at, source) in sources.iter_mut().enumerate() {
            source.fill(self, chunk, &is_meant);
            heads.extend(source.head(at));
        }
        let mut page = Vec::new();
        while let Some(Reverse((.., at))) = heads.pop() {
            if page.len() == limit {
                return (page, true);
            }
            if let Some(source) = sources.get_mut(at) {
                page.extend(source.taken.pop_front());
                source.fill(self, chunk, &is_meant);
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

    /// Stores the present outline of a conversation.
    pub(crate) fn outline(&self, handle: &ConversationHandle, mut outline: Outline) {
        let present = handle.assignment();
        let is_new = |assignment: &Arc<Assignment>| !present.as_ref().is_some_and(|held| Arc::ptr_eq(held, assignment));
        if let Some(assignment) = outline.assignment.take_if(|assignment| is_new(assignment)) {
            let mut assignments = self.assignments.lock().unwrap_or_else(PoisonError::into_inner);
            outline.assignment = Some(assignments.shared(assignment));
        }
        handle.set_outline(outline);
    }
}

/// The conversations of one connection that a page has not returned yet.
struct Source<'a> {
    connection: &'a ConnectionId,
    from: Bound<ConversationId>,
    taken: VecDeque<ConversationHandle>,
    has_ended: bool,
}

impl<'a> Source<'a> {
    fn after(connection: &'a ConnectionId, after: Option<(&str, &str)>) -> Self {
        let from = match after {
            None => Bound::Unbounded,
            Some((conversation, last)) if connection.as_str() > last => Bound::Included(conversation.into()),
            Some((conversation, _)) => Bound::Excluded(conversation.into()),
        };
        Self { connection, from, taken: VecDeque::new(), has_ended: false }
    }

    /// Reads the next `chunk` if none is left.
    fn fill(&mut self, directory: &Directory, chunk: usize, is_meant: &impl Fn(&ConversationHandle) -> bool) {
        while self.taken.is_empty() && !self.has_ended {
            self.has_ended = true;
            let Some(own) = directory.conversations.get(self.connection) else { return };
            let from = std::mem::replace(&mut self.from, Bound::Unbounded);
            for (place, (id, handle)) in own.range((from, Bound::Unbounded)).enumerate() {
                if is_meant(handle) {
                    self.taken.push_back(handle.clone());
                }
                if self.taken.len() == chunk || place + 1 == LOOK_AT {
                    (self.from, self.has_ended) = (Bound::Excluded(id.clone()), false);
                    break;
                }
            }
        }
    }

    /// The first conversation of the source `at`, as a key in the order of pages.
    fn head(&self, at: usize) -> Option<Reverse<(ConversationId, ConnectionId, usize)>> {
        self.taken.front().map(|head| Reverse((head.id().clone(), head.connection().clone(), at)))
    }
}

#[cfg(test)]
mod tests {
    use actix::{Actor, Context, Handler};
    use tertulia_core::{id::SkillId, ums::Stage};

    use super::{
        super::{ConversationInbox, ToConversation},
        *,
    };
    use crate::supervision::Depth;

    /// A recipient that must not be called to build a page.
    struct Nobody;

    impl Actor for Nobody {
        type Context = Context<Self>;
    }

    impl Handler<ToConversation> for Nobody {
        type Result = ();

        fn handle(&mut self, _: ToConversation, _: &mut Self::Context) {
            unreachable!("a conversation was asked for a list");
        }
    }

    /// Conversations `0`, `1`, … of each connection, with the skills `even` and `odd` alternating.
    fn directory(connections: &[&str], conversations: usize) -> Directory {
        let directory = Directory::default();
        let to_conversations = Nobody.start().recipient();
        for connection in connections {
            let inbox = Arc::new(ConversationInbox {
                connection: (*connection).into(),
                to_conversations: to_conversations.clone(),
            });
            for number in 0..conversations {
                let handle = ConversationHandle::new(Arc::clone(&inbox), format!("{number:06}").into(), Depth::new(1));
                directory.add(handle.clone());
                let skill = if number % 2 == 0 { "even" } else { "odd" };
                directory.outline(&handle, of_skill(skill));
            }
        }
        directory
    }

    fn of_skill(skill: &str) -> Outline {
        let assignment = Assignment { stage: Some(Stage::Open), skill_id: Some(skill.into()), agent: None };
        Outline { assignment: Some(Arc::new(assignment)), ..Outline::default() }
    }

    fn names(page: &[ConversationHandle]) -> Vec<(String, String)> {
        page.iter().map(|handle| (handle.id().to_string(), handle.connection().to_string())).collect()
    }

    #[actix_rt::test]
    async fn pages_hold_each_conversation_that_is_meant_once_and_in_order() {
        let directory = directory(&["a", "b", "c"], 2_500);
        let (connections, odd) = ([ConnectionId::from("a"), "c".into()], SkillId::from("odd"));
        let is_meant = |handle: &ConversationHandle| handle.outline().skill_id() == Some(&odd);
        let mut expected = Vec::new();
        for number in (1..2_500).step_by(2) {
            expected.extend(["a", "c"].map(|connection| (format!("{number:06}"), connection.to_owned())));
        }
        for limit in [1_000, 777, 3_000] {
            let (mut listed, mut after) = (Vec::new(), None::<(String, String)>);
            loop {
                let position = after.as_ref().map(|(id, connection)| (id.as_str(), connection.as_str()));
                let (page, is_more) = directory.page(&connections, position, limit, is_meant);
                assert!(page.len() == limit || !is_more);
                listed.extend(names(&page));
                after = listed.last().cloned();
                if !is_more {
                    break;
                }
            }
            assert_eq!(listed, expected, "{limit}");
        }
    }

    #[actix_rt::test]
    async fn nothing_follows_a_page_that_ends_with_the_last_conversation() {
        let directory = directory(&["a"], 4);
        let all = [ConnectionId::from("a"), "gone".into()];
        assert!(directory.page(&all, None, 3, |_| true).1);
        assert!(!directory.page(&all, None, 4, |_| true).1);
        assert!(!directory.page(&all, None, 4, |_| false).1);
        assert!(directory.page(&all, Some(("000003", "a")), 4, |_| true).0.is_empty());
        let (page, _) = directory.page(&all, Some(("000002x", "z")), 4, |_| true);
        assert_eq!(names(&page), [("000003".to_owned(), "a".to_owned())]);
    }

    #[actix_rt::test]
    async fn what_conversations_have_in_common_is_held_once_and_forgotten_with_the_last_of_them() {
        let directory = directory(&["a"], 1_000);
        let held = |directory: &Directory| directory.assignments.lock().unwrap().held.len();
        assert_eq!(held(&directory), 2);
        let handle = directory.get(&"a".into(), &"000000".into()).unwrap();
        for number in 0..10 * ASSIGNMENTS {
            directory.outline(&handle, of_skill(&number.to_string()));
        }
        assert!(held(&directory) <= ASSIGNMENTS);
        let (even, odd) = (of_skill("even"), of_skill("odd"));
        assert!(directory.of(&"a".into()).iter().skip(1).all(|handle| [&even, &odd].contains(&&handle.outline())));
    }
}
