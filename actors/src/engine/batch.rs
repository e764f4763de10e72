//! The steps of one commit.

use std::{iter::Peekable, mem, ops::Range, sync::Arc};

use tertulia_core::placement::{Acting, DutyName};

use super::{Change, Commit, CommitError, Committed, Loggable, NewEvent, Step, journal::AfterCommit};

/// The bytes of events and records that end a commit. A step is never divided.
const BYTES: usize = 4 << 20;

/// Steps that are committed together.
#[derive(Default)]
pub(super) struct Batch {
    acting: Vec<Acting>,
    events: Vec<NewEvent>,
    changes: Vec<Change>,
    members: Vec<Member>,
}

/// One step of a batch.
struct Member {
    duty: Option<DutyName>,
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
            && let Some(step) = steps.next_if(|step| !batch.has_other_right(step))
        {
            bytes += batch.push(step);
        }
        Some(batch)
    }

    /// Whether a step was made with another right to a duty of this batch, so that only one of the two can be kept.
    fn has_other_right(&self, step: &Step) -> bool {
        let is_other =
            |own: &Acting| step.acting.as_ref().is_some_and(|acting| acting.duty == own.duty && acting != own);
        self.acting.iter().any(is_other)
    }

    /// Adds a step, and returns its size in bytes.
    fn push(&mut self, Step { acting, events, changes, then }: Step) -> usize {
        let (first_event, first_change) = (self.events.len(), self.changes.len());
        self.events.extend(events.iter().map(|event| event.stored()));
        self.changes.extend(changes);
        let duty = acting.as_ref().map(|acting| acting.duty.clone());
        self.members.push(Member { duty, events, changes: first_change..self.changes.len(), then });
        self.acting.extend(acting.filter(|acting| !self.acting.contains(acting)));
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
        Commit {
            number,
            acting: mem::take(&mut self.acting),
            events: mem::take(&mut self.events),
            changes: mem::take(&mut self.changes),
        }
    }

    /// Takes back the content of a commit that was not made.
    pub(super) fn take_back(&mut self, Commit { acting, events, changes, .. }: Commit) {
        (self.acting, self.events, self.changes) = (acting, events, changes);
    }

    /// Returns the batch without the steps for these duties, and tells those that nothing of them was kept.
    pub(super) fn without(self, lost: &[DutyName]) -> Self {
        let Self { acting, events, changes, members } = self;
        let (mut events, mut changes) = (events.into_iter(), changes.into_iter());
        let mut rest = Self {
            acting: acting.into_iter().filter(|acting| !lost.contains(&acting.duty)).collect(),
            ..Self::default()
        };
        for member in members {
            let own_events = events.by_ref().take(member.events.len());
            let own_changes = changes.by_ref().take(member.changes.len());
            if let Some(duty) = member.duty.as_ref().filter(|duty| lost.contains(duty)) {
                own_events.for_each(drop);
                own_changes.for_each(drop);
                if let Some(then) = member.then {
                    then(Err(CommitError::Lost(vec![duty.clone()])));
                }
                continue;
            }
            let first = rest.changes.len();
            rest.events.extend(own_events);
            rest.changes.extend(own_changes);
            rest.members.push(Member { changes: first..rest.changes.len(), ..member });
        }
        rest
    }

    /// Gives every step and event its outcome.
    pub(super) fn finish(self, epoch: &Arc<str>, committed: &Committed) {
        let mut first = committed.first;
        for Member { events, changes, then, .. } in self.members {
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
