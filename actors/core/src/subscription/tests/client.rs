//! The connection: what its actor does with the session and the subscriptions, without sockets and conversations.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rand::{RngExt, rngs::StdRng};

use super::platform::{Change, Frame, ME, Notice, Platform};
use crate::{
    id::ConversationId,
    session,
    session::{Closure, Epoch, Input, Millis, Session, SessionPolicy},
    subscription::{Addressee, CallerNumber, Output, Outputs, Parked, Subscriptions, page::PageRule},
    time::Timestamp,
    ums::{AnswerError, ChangeKind, ConversationQuery, Stage},
};

/// How long a departed conversation stays for late messages.
pub(super) const LINGER: Duration = Duration::from_secs(10);
/// How long to wait for a response.
const ANSWER_WITHIN: u64 = 30_000;
/// The pause before a refused request is repeated.
const AGAIN_AFTER: u64 = 2_000;

/// The purpose of a request.
enum Waiter {
    Verify,
    KeepAlive,
    Subscribe(crate::subscription::SubscriptionKey),
}

/// An action that the connection requests from its environment.
pub(super) enum Outgoing {
    LogIn(Epoch),
    OpenSocket(Epoch),
    CloseSocket,
    /// A request whose response has no further effect.
    Ask {
        request: u64,
    },
    Subscribe {
        request: u64,
        query: ConversationQuery,
    },
    Unsubscribe(crate::id::SubscriptionId),
}

/// What is in memory of a conversation.
#[derive(Default)]
pub(super) struct Known {
    pub(super) has_ended: bool,
}

pub(super) struct Client {
    pub(super) session: Session,
    pub(super) state: Subscriptions<Notice>,
    pub(super) known: BTreeMap<usize, Known>,
    pub(super) callers: BTreeMap<CallerNumber, ConversationQuery>,
    /// Callers' subscriptions that have not begun yet.
    pub(super) begun: BTreeSet<CallerNumber>,
    waiters: BTreeMap<u64, (Waiter, u64)>,
    /// Subscriptions to request again, and when.
    later: Vec<(u64, crate::subscription::SubscriptionKey)>,
    requests: u64,
    ready: bool,
    pub(super) out: Vec<Outgoing>,
}

/// The connection's own subscription.
pub(super) fn own() -> ConversationQuery {
    ConversationQuery { agent_ids: vec![ME.into()], stage: vec![Stage::Open], ..ConversationQuery::default() }
}

fn timestamp(change: &Change) -> Timestamp {
    Timestamp(i64::try_from(change.updated).unwrap())
}

fn number(id: &ConversationId) -> usize {
    id.as_str()[1..].parse().unwrap()
}

impl Client {
    pub(super) fn new(rule: PageRule) -> Self {
        Self {
            session: Session::new(SessionPolicy::default()),
            state: Subscriptions::with(rule),
            known: BTreeMap::new(),
            callers: BTreeMap::new(),
            begun: BTreeSet::new(),
            waiters: BTreeMap::new(),
            later: Vec::new(),
            requests: 0,
            ready: false,
            out: Vec::new(),
        }
    }

    pub(super) fn feed(&mut self, input: Input, now: u64, random: &mut StdRng) {
        let outputs = self.session.handle(input, Millis(now), &mut || random.random());
        for output in outputs {
            match output {
                session::Output::LogIn => self.out.push(Outgoing::LogIn(self.session.epoch())),
                session::Output::RefreshToken => {
                    self.session.handle(Input::TokenRefreshed, Millis(now), &mut || 0);
                }
                session::Output::OpenSocket => self.out.push(Outgoing::OpenSocket(self.session.epoch())),
                session::Output::Verify => self.ask(Waiter::Verify, now),
                session::Output::SendKeepAlive => self.ask(Waiter::KeepAlive, now),
                session::Output::Resume { .. } => {
                    self.state.abandon_plan();
                    let outputs = self.state.resume(Some(own()));
                    self.carry_out(outputs, now, random);
                }
                session::Output::CloseSocket { .. } => {
                    self.state.abandon_plan();
                    self.out.push(Outgoing::CloseSocket);
                    self.lose_subscriptions(now, random);
                }
                session::Output::Claim | session::Output::Report(_) => {}
            }
        }
        let ready = self.session.may_send();
        if ready != self.ready {
            self.ready = ready;
            let outputs = self.state.ready(ready);
            self.carry_out(outputs, now, random);
        }
    }

    fn lose_subscriptions(&mut self, now: u64, random: &mut StdRng) {
        self.waiters.clear();
        let outputs = self.state.socket_lost();
        self.carry_out(outputs, now, random);
    }

    pub(super) fn socket_closed(&mut self, closure: Closure, now: u64, random: &mut StdRng) {
        self.state.abandon_plan();
        self.lose_subscriptions(now, random);
        self.feed(Input::SocketClosed(closure), now, random);
    }

    fn request(&mut self, waiter: Waiter, now: u64) -> u64 {
        self.requests += 1;
        self.waiters.insert(self.requests, (waiter, now + ANSWER_WITHIN));
        self.requests
    }

    fn ask(&mut self, waiter: Waiter, now: u64) {
        let request = self.request(waiter, now);
        self.out.push(Outgoing::Ask { request });
    }

    pub(super) fn carry_out(&mut self, outputs: Outputs, now: u64, random: &mut StdRng) {
        for output in outputs {
            match output {
                Output::Subscribe { key, query } => {
                    let request = self.request(Waiter::Subscribe(key), now);
                    self.out.push(Outgoing::Subscribe { request, query });
                }
                Output::Unsubscribe(id) => self.out.push(Outgoing::Unsubscribe(id)),
                Output::SnapshotCut { at } => panic!("cut at {at}, though no two changed at one time"),
                Output::SnapshotWhole(snapshot) => {
                    let known = self.known.keys().map(|number| ConversationId::from(format!("c{number}")));
                    let missing = known.filter(|id| !snapshot.contains(id)).collect();
                    let outputs = self.state.missing(missing, Millis(now));
                    self.carry_out(outputs, now, random);
                }
                Output::UpToDate { .. } => self.feed(Input::Resumed, now, random),
                Output::Settled(_) => {}
                Output::SubscribeLater { key, .. } => self.later.push((now + AGAIN_AFTER, key)),
                Output::CallerAnswered { caller, begun } => {
                    self.begun.remove(&caller);
                    if begun.is_err() {
                        self.remove_caller(caller, now, random);
                    }
                }
            }
        }
    }

    pub(super) fn add_caller(&mut self, query: ConversationQuery, now: u64, random: &mut StdRng) {
        if self.ready
            && let Some((caller, outputs)) = self.state.add_caller(query.clone())
        {
            self.callers.insert(caller, query);
            self.begun.insert(caller);
            self.carry_out(outputs, now, random);
        }
    }

    pub(super) fn remove_caller(&mut self, caller: CallerNumber, now: u64, random: &mut StdRng) {
        self.callers.remove(&caller);
        let (_, outputs) = self.state.remove_caller(caller, Millis(now));
        self.carry_out(outputs, now, random);
    }

    pub(super) fn refresh(&mut self, id: ConversationId, now: u64, random: &mut StdRng) {
        let outputs = self.state.refresh(id);
        self.carry_out(outputs, now, random);
    }

    pub(super) fn take_frame(&mut self, frame: Frame, platform: &Platform, now: u64, random: &mut StdRng) {
        self.feed(Input::FrameReceived, now, random);
        match frame {
            Frame::Done { request } => match self.waiters.remove(&request) {
                Some((Waiter::Verify, _)) => self.feed(Input::Verified, now, random),
                Some((Waiter::KeepAlive | Waiter::Subscribe(_), _)) | None => {}
            },
            Frame::Subscribed { request, id } => self.answered(request, Ok(id), platform, now, random),
            Frame::Refused { request, code } => {
                let refused = AnswerError::Refused { code, text: String::new() };
                self.answered(request, Err(refused), platform, now, random);
            }
            Frame::Snapshot(notice) | Frame::Change(notice) => self.take_notice(notice, platform, now, random),
        }
    }

    fn answered(
        &mut self,
        request: u64,
        answer: Result<crate::id::SubscriptionId, AnswerError>,
        platform: &Platform,
        now: u64,
        random: &mut StdRng,
    ) {
        let Some((Waiter::Subscribe(key), _)) = self.waiters.remove(&request) else { return };
        let outputs = self.state.answered(key, answer, Millis(now));
        self.carry_out(outputs, now, random);
        for Parked { notification, .. } in self.state.take_parked() {
            self.take_notice(notification, platform, now, random);
        }
    }

    fn take_notice(&mut self, notice: Notice, platform: &Platform, now: u64, random: &mut StdRng) {
        let addressee = self.state.addressee(Some(notice.id.as_str()));
        let mut notice = notice;
        if addressee == Addressee::Stranger {
            match self.state.park(Parked { subscription_id: notice.id.clone(), notification: notice }) {
                Ok(()) => return,
                Err(Parked { notification, .. }) => notice = notification,
            }
        }
        let mut named = Vec::new();
        for change in &notice.changes {
            let id = &platform.conversations[change.conversation].id;
            let kind = if change.is_gone { ChangeKind::Delete } else { ChangeKind::Upsert };
            let is_known = self.known.contains_key(&change.conversation);
            if self.state.change(addressee, id, &kind, is_known, || Some(timestamp(change)), Millis(now)).is_some() {
                self.known.entry(change.conversation).or_default().has_ended |= !change.is_open;
                named.push(id.clone());
            }
        }
        let times = notice.changes.iter().map(timestamp);
        let outputs = self.state.notified(addressee, named, notice.changes.len(), || times.min(), Millis(now));
        self.carry_out(outputs, now, random);
    }

    /// Drops departed conversations; returns them with what was known of them.
    pub(super) fn sweep(&mut self, now: u64, random: &mut StdRng) -> Vec<(usize, Known)> {
        let late: Vec<u64> = self.waiters.iter().filter(|(_, (_, by))| now >= *by).map(|(id, _)| *id).collect();
        for request in late {
            if let Some((Waiter::Subscribe(key), _)) = self.waiters.remove(&request) {
                let outputs = self.state.unanswered(key, Millis(now));
                self.carry_out(outputs, now, random);
            }
        }
        let due: Vec<_> = self.later.extract_if(.., |(at, _)| *at <= now).collect();
        for (_, key) in due {
            let outputs = self.state.again(key);
            self.carry_out(outputs, now, random);
        }
        let outputs = self.state.tick(Millis(now));
        self.carry_out(outputs, now, random);
        let mut gone = Vec::new();
        for id in self.state.take_left(LINGER, Millis(now)) {
            gone.extend(self.known.remove_entry(&number(&id)));
            self.state.forget(&id);
        }
        gone
    }

    /// Whether nothing is in flight.
    pub(super) fn is_at_rest(&self) -> bool {
        self.ready
            && self.waiters.is_empty()
            && self.later.is_empty()
            && self.begun.is_empty()
            && self.state.is_at_rest()
    }
}
