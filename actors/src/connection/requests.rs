//! The request table: what was asked, until when an answer is awaited, and who waits for it.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use tertulia_core::id::RequestId;

use crate::request::{Answer, Reply};

/// Who waits for an answer.
pub(super) enum Waiter<P> {
    /// Somebody outside the connection, or one of its own futures.
    Caller(Reply<Answer>),
    /// A conversation's command.
    Command(Reply<Answer>),
    /// The connection itself, which must act before the next frame is looked at.
    Own(P),
}

struct Pending<P> {
    waiter: Waiter<P>,
    deadline: Instant,
}

/// Requests in flight on one socket. Bounded: [`RequestTable::is_full`] is to be asked before one is added.
pub(super) struct RequestTable<P> {
    limit: usize,
    next: u64,
    pending: HashMap<RequestId, Pending<P>>,
    deadlines: BTreeSet<(Instant, RequestId)>,
}

impl<P> RequestTable<P> {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, next: 0, pending: HashMap::new(), deadlines: BTreeSet::new() }
    }

    pub(super) fn is_full(&self) -> bool {
        self.pending.len() >= self.limit
    }

    /// Requests that wait for an answer.
    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    /// Notes a request and gives it its id, which is unique in the life of the connection.
    pub(super) fn add(&mut self, waiter: Waiter<P>, now: Instant, within: Duration) -> RequestId {
        self.next += 1;
        let id = RequestId::from(self.next.to_string());
        let deadline = now + within;
        self.deadlines.insert((deadline, id.clone()));
        self.pending.insert(id.clone(), Pending { waiter, deadline });
        id
    }

    /// Takes the waiter of an answer; `None` where nobody waits any more.
    pub(super) fn take(&mut self, id: &str) -> Option<Waiter<P>> {
        let (id, Pending { waiter, deadline }) = self.pending.remove_entry(id)?;
        self.deadlines.remove(&(deadline, id));
        Some(waiter)
    }

    /// Takes the waiters whose time is over.
    pub(super) fn expired(&mut self, now: Instant) -> Vec<Waiter<P>> {
        let mut expired = Vec::new();
        while let Some((deadline, id)) = self.deadlines.first()
            && *deadline <= now
        {
            let id = id.clone();
            expired.extend(self.take(id.as_str()));
        }
        expired
    }

    /// Takes the waiters of commands.
    pub(super) fn take_commands(&mut self) -> Vec<Reply<Answer>> {
        let is_command =
            |(id, pending): (&RequestId, &Pending<P>)| matches!(pending.waiter, Waiter::Command(_)).then(|| id.clone());
        let commands: Vec<RequestId> = self.pending.iter().filter_map(is_command).collect();
        let taken = commands.iter().filter_map(|id| self.take(id.as_str()));
        taken.filter_map(|waiter| if let Waiter::Command(reply) = waiter { Some(reply) } else { None }).collect()
    }

    /// Takes all waiters, because the socket is gone.
    pub(super) fn drain(&mut self) -> Vec<Waiter<P>> {
        self.deadlines.clear();
        self.pending.drain().map(|(_, pending)| pending.waiter).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Q5.
    #[test]
    fn a_request_expires_at_its_deadline_and_its_late_answer_finds_nobody() {
        let now = Instant::now();
        let mut table = RequestTable::new(10);
        let first = table.add(Waiter::Own("first"), now, SECOND);
        table.add(Waiter::Own("second"), now, SECOND * 2);
        assert!(table.expired(now).is_empty());
        assert!(matches!(table.expired(now + SECOND)[..], [Waiter::Own("first")]));
        assert!(table.take(first.as_str()).is_none());
        assert!(matches!(table.drain()[..], [Waiter::Own("second")]));
    }

    /// Q14.
    #[test]
    fn the_table_says_when_it_is_full() {
        let mut table = RequestTable::new(1);
        assert!(!table.is_full());
        let id = table.add(Waiter::Own(()), Instant::now(), SECOND);
        assert!(table.is_full());
        table.take(id.as_str());
        assert!(!table.is_full());
    }
}
