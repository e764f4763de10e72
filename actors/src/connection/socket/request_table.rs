//! The request table: the requests in flight, with their deadlines and their callers.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use tertulia_core::{
    id::RequestId,
    refusal::{Lane, RequestType},
};

use super::{recovery_queue::SentRecovery, waiter::Waiter};
use crate::request::{Answer, Reply};

/// A request that was sent.
pub(super) struct SentRequest<P> {
    pub(super) waiter: Waiter<P>,
    pub(super) lane: Lane,
    pub(super) request: RequestType,
    /// The data for a repetition; only for the recovery lane.
    pub(super) again: Option<Box<SentRecovery>>,
}

struct Pending<P> {
    sent: SentRequest<P>,
    deadline: Instant,
}

/// The requests in flight on one socket. Bounded: check [`RequestTable::is_full`] before adding a request.
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

    /// The number of requests in flight.
    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    /// Adds a request and returns its id, which is unique within the connection.
    pub(super) fn add(&mut self, sent: SentRequest<P>, now: Instant, within: Duration) -> RequestId {
        self.next += 1;
        let id = RequestId::from(self.next.to_string());
        let deadline = now + within;
        self.deadlines.insert((deadline, id.clone()));
        self.pending.insert(id.clone(), Pending { sent, deadline });
        id
    }

    /// Removes and returns the request of a response; `None` if it is no longer waited for.
    pub(super) fn take(&mut self, id: &str) -> Option<SentRequest<P>> {
        let (id, Pending { sent, deadline }) = self.pending.remove_entry(id)?;
        self.deadlines.remove(&(deadline, id));
        Some(sent)
    }

    /// Removes and returns the requests whose deadlines have passed.
    pub(super) fn expired(&mut self, now: Instant) -> Vec<SentRequest<P>> {
        let mut expired = Vec::new();
        while let Some((deadline, id)) = self.deadlines.first()
            && *deadline <= now
        {
            let id = id.clone();
            expired.extend(self.take(id.as_str()));
        }
        expired
    }

    /// Removes and returns the reply channels of commands.
    pub(super) fn take_commands(&mut self) -> Vec<Reply<Answer>> {
        let is_command = |(id, pending): (&RequestId, &Pending<P>)| {
            matches!(pending.sent.waiter, Waiter::Command(_)).then(|| id.clone())
        };
        let commands: Vec<RequestId> = self.pending.iter().filter_map(is_command).collect();
        let taken = commands.iter().filter_map(|id| self.take(id.as_str()));
        taken.filter_map(|sent| if let Waiter::Command(reply) = sent.waiter { Some(reply) } else { None }).collect()
    }

    /// Removes and returns all requests, because the socket is gone.
    pub(super) fn drain(&mut self) -> Vec<SentRequest<P>> {
        self.deadlines.clear();
        self.pending.drain().map(|(_, pending)| pending.sent).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn sent<P>(own: P) -> SentRequest<P> {
        SentRequest { waiter: Waiter::Own(own), lane: Lane::Command, request: RequestType::Other, again: None }
    }

    /// Q5.
    #[test]
    fn a_request_expires_at_its_deadline_and_its_late_answer_finds_nobody() {
        let now = Instant::now();
        let mut table = RequestTable::new(10);
        let first = table.add(sent("first"), now, SECOND);
        table.add(sent("second"), now, SECOND * 2);
        assert!(table.expired(now).is_empty());
        assert!(matches!(table.expired(now + SECOND)[..], [SentRequest { waiter: Waiter::Own("first"), .. }]));
        assert!(table.take(first.as_str()).is_none());
        assert!(matches!(table.drain()[..], [SentRequest { waiter: Waiter::Own("second"), .. }]));
    }

    /// Q14.
    #[test]
    fn the_table_says_when_it_is_full() {
        let mut table = RequestTable::new(1);
        assert!(!table.is_full());
        let id = table.add(sent(()), Instant::now(), SECOND);
        assert!(table.is_full());
        table.take(id.as_str());
        assert!(!table.is_full());
    }
}
