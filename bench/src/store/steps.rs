//! Typical steps: an event of 500 bytes, and a conversation of 2,000 bytes that replaces the previous version.

use std::sync::Arc;

use tertulia_actors::engine::{Change, Commit, NewEvent, Record, RecordKey, Table};

const EVENT: usize = 500;
const SNAPSHOT: usize = 2_000;

/// Steps in a pseudo-random order, with every conversation's first step at the beginning.
pub(super) struct Steps {
    connection: Arc<str>,
    conversations: u64,
    next: u64,
    commits: u64,
    state: u64,
    text: Arc<str>,
}

impl Steps {
    /// Steps of one connection.
    pub(super) fn of(connection: &str, conversations: u64) -> Self {
        let mut steps = Self {
            connection: connection.into(),
            conversations,
            next: 1,
            commits: 0,
            state: 0x9e37_79b9_7f4a_7c15,
            text: "".into(),
        };
        // Half of the text can be compressed, as in JSON.
        steps.text = (0..400).map(|_| format!("\"member\":\"{:016x}\",", steps.random())).collect::<String>().into();
        steps
    }

    fn random(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    fn part(&mut self, length: usize) -> bytes::Bytes {
        let start = self.random() as usize % (self.text.len() - length);
        bytes::Bytes::copy_from_slice(&self.text.as_bytes()[start..start + length])
    }

    pub(super) fn next(&mut self) -> (NewEvent, Change) {
        let (offset, random) = (self.next, self.random());
        self.next += 1;
        let number = if offset <= self.conversations { offset - 1 } else { random % self.conversations };
        let conversation = format!("{:08x}-aaaa-4bbb-8ccc-{number:012x}", number.wrapping_mul(2_654_435_761) as u32);
        let key = RecordKey::of(&[&*self.connection, &conversation]);
        let event = NewEvent {
            connection: Arc::clone(&self.connection),
            conversation: Some(conversation.into()),
            name: "message".into(),
            json: self.part(EVENT),
        };
        (event, Change::Put(Table::Snapshots, Record::new(key, self.part(SNAPSHOT))))
    }

    /// The next commit, of `count` steps.
    pub(super) fn together(&mut self, count: u64) -> Commit {
        let (events, changes) = (0..count).map(|_| self.next()).unzip();
        self.commits += 1;
        Commit { number: self.commits, events, changes, ..Commit::default() }
    }
}
