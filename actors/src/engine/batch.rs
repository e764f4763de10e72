//! The steps of one commit.

use std::{iter::Peekable, mem, ops::Range, sync::Arc};

use tertulia_core::placement::{Acting, DutyName};

use super::{AfterCommit, Change, Commit, CommitError, Committed, Loggable, NewEvent, Step};

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

    /// The number of steps.
    #[expect(clippy::cast_precision_loss, reason = "a commit has few steps")]
    pub(super) fn steps(&self) -> f64 {
        self.members.len() as f64
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

    /// The rights with which its steps were made, each once.
    pub(super) fn rights(&self) -> &[Acting] {
        &self.acting
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

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc};

    use super::*;
    use crate::engine::{Record, RecordKey, StoreError, Table};

    /// An event with so many bytes, which notes its offset.
    #[derive(Default)]
    struct Padded {
        bytes: usize,
        offsets: Mutex<Vec<u64>>,
    }

    impl Loggable for Padded {
        fn stored(&self) -> NewEvent {
            let json = vec![b' '; self.bytes].into();
            NewEvent { connection: "c".into(), conversation: None, name: "message".into(), json }
        }

        fn committed(&self, _: &Arc<str>, offset: u64) {
            self.offsets.lock().unwrap().push(offset);
        }
    }

    fn event(bytes: usize) -> Arc<dyn Loggable> {
        Arc::new(Padded { bytes, ..Padded::default() })
    }

    fn put(bytes: usize) -> Change {
        Change::Put(Table::Notes, Record::new(RecordKey::of(&["a"]), vec![0; bytes]))
    }

    /// The events and changes of each commit that `steps` become.
    fn commits(steps: Vec<Step>) -> Vec<(usize, usize)> {
        let mut steps = steps.into_iter().peekable();
        let next = || Batch::next(&mut steps).map(|batch| (batch.events.len(), batch.changes.len()));
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn a_commit_is_divided_at_its_limit() {
        let step = |bytes| Step { events: vec![event(bytes)], ..Step::default() };
        assert_eq!(commits(vec![]), []);
        assert_eq!(commits((0..1_000).map(|_| step(1)).collect()), [(1_000, 0)]);
        assert_eq!(commits([BYTES - 1, 1, 1].map(step).into()), [(2, 0), (1, 0)]);
        assert_eq!(commits([BYTES - 2, 1, 1, 1].map(step).into()), [(3, 0), (1, 0)]);
        assert_eq!(commits([BYTES, BYTES, 1].map(step).into()), [(1, 0), (1, 0), (1, 0)]);
    }

    #[test]
    fn the_bytes_of_records_count_too() {
        let step = |bytes| Step { events: vec![event(bytes)], changes: vec![put(bytes)], ..Step::default() };
        assert_eq!(commits([BYTES / 2, 1].map(step).into()), [(1, 1), (1, 1)]);
        assert_eq!(commits([BYTES / 4, BYTES / 4, 1].map(step).into()), [(2, 2), (1, 1)]);
    }

    #[test]
    fn a_step_is_never_divided() {
        let large = || Step { events: vec![event(BYTES), event(BYTES)], changes: vec![put(BYTES)], ..Step::default() };
        let small = || Step { events: vec![event(1)], ..Step::default() };
        assert_eq!(commits(vec![small(), large(), small(), large()]), [(3, 1), (3, 1)]);
    }

    #[test]
    fn each_step_and_event_has_its_own_outcome() {
        let (heard, outcomes) = mpsc::channel();
        let events: Vec<Arc<Padded>> = (0..5).map(|_| Arc::default()).collect();
        let step = |events: &[Arc<Padded>], changes| {
            let heard = heard.clone();
            let events = events.iter().map(|event| Arc::clone(event) as Arc<dyn Loggable>).collect();
            Step {
                events,
                changes: vec![put(1); changes],
                then: Some(Box::new(move |outcome| heard.send(outcome).unwrap())),
                ..Step::default()
            }
        };
        let steps = || vec![step(&events[..2], 2), step(&[], 3), step(&events[2..], 1)].into_iter().peekable();
        let mut batch = Batch::next(&mut steps()).unwrap();
        assert_eq!(batch.commit(7).number, 7);
        batch.finish(&"6a".into(), &Committed { first: 10, not_new: vec![1, 2, 4] });
        let expected = [(10, vec![1]), (12, vec![0, 2]), (12, vec![])];
        for (first, not_new) in expected {
            assert_eq!(outcomes.try_recv().unwrap().unwrap(), Committed { first, not_new });
        }
        for (offset, event) in (10..).zip(&events) {
            assert_eq!(*event.offsets.lock().unwrap(), [offset]);
        }

        Batch::next(&mut steps()).unwrap().refuse(&StoreError::new("commit", "it is full").into());
        for _ in 0..3 {
            assert!(outcomes.try_recv().unwrap().is_err());
        }
        assert!(outcomes.try_recv().is_err());
    }
}
