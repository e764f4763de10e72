//! The steps of one commit.

use std::{iter::Peekable, mem, ops::Range, sync::Arc};

use super::{Change, Commit, CommitError, Committed, Loggable, NewEvent, Step, journal::AfterCommit};

/// The bytes of events and records that end a commit. A step is never divided.
const BYTES: usize = 4 << 20;

/// Steps that are committed together.
#[derive(Default)]
pub(super) struct Batch {
    events: Vec<NewEvent>,
    changes: Vec<Change>,
    members: Vec<Member>,
}

/// One step of a batch.
struct Member {
    events: Vec<Arc<dyn Loggable>>,
    /// Where its changes are in the commit.
    changes: Range<usize>,
    then: Option<AfterCommit>,
}

impl Batch {
    /// Takes the next steps for one commit; `None` if there are none.
    pub(super) fn next(steps: &mut Peekable<impl Iterator<Item = Step>>) -> Option<Self> {
        steps.peek()?;
        let (mut batch, mut bytes) = (Self::default(), 0);
        while bytes < BYTES
            && let Some(step) = steps.next()
        {
            bytes += batch.push(step);
        }
        Some(batch)
    }

    /// Adds a step, and returns its size in bytes.
    fn push(&mut self, Step { events, changes, then }: Step) -> usize {
        let (first_event, first_change) = (self.events.len(), self.changes.len());
        self.events.extend(events.iter().map(|event| event.stored()));
        self.changes.extend(changes);
        self.members.push(Member { events, changes: first_change..self.changes.len(), then });
        let events: usize = self.events[first_event..].iter().map(|event| event.json.len()).sum();
        let records: usize = self.changes[first_change..].iter().map(size).sum();
        events + records
    }

    /// Whether there is nothing to commit.
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.changes.is_empty()
    }

    /// Takes the content out for the commit with this number.
    pub(super) fn commit(&mut self, number: u64) -> Commit {
        Commit { number, events: mem::take(&mut self.events), changes: mem::take(&mut self.changes) }
    }

    /// Gives every step and event its outcome.
    pub(super) fn finish(self, epoch: &Arc<str>, committed: &Committed) {
        let mut first = committed.first;
        for Member { events, changes, then } in self.members {
            let next = first + events.len() as u64;
            for (offset, event) in (first..).zip(events) {
                event.committed(epoch, offset);
            }
            if let Some(then) = then {
                let own = committed.not_new.iter().filter(|place| changes.contains(*place));
                then(Ok(Committed { first, not_new: own.map(|place| place - changes.start).collect() }));
            }
            first = next;
        }
    }

    /// Tells every step that nothing of it was kept.
    pub(super) fn refuse(self, error: &CommitError) {
        for then in self.members.into_iter().filter_map(|member| member.then) {
            then(Err(error.clone()));
        }
    }
}

fn size(change: &Change) -> usize {
    match change {
        Change::Put(_, record) | Change::PutNew(_, record) => record.value.len(),
        Change::Remove(..) => 0,
    }
}
