//! The conversations of one connection, with or without a socket: started, told, watched, quarantined and let go.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use actix::{Addr, Handler, Message};
use serde::Serialize;
use tertulia_core::{
    command::Identity,
    conversation::Conversation as Model,
    id::{ConversationId, ExternalConsumerId},
};
use tokio::time::Instant;

use super::{
    CatchUp, Conversation, Leave, LinkFailed, LinkLost, LinkReady, RecordsArrived, StateArrived, Upstream,
    keeping::Concluded,
    sleep_queue::{Activity, SleepQueue},
};
use crate::{
    metrics::Metrics,
    subscriber::{EventData, Subject},
    supervision::{ChildExit, ExitReason, GuardOptions, Parent, Systemic, SystemicPolicy, Verdict, start_guarded},
};

/// The conversations of one connection, each with what the connection notes of it.
pub(crate) struct Children<N> {
    entries: HashMap<ConversationId, Child<N>>,
    sleep_queue: SleepQueue,
    systemic: Systemic<ConversationId>,
}

/// One conversation of a connection.
pub(crate) struct Child<N> {
    life: Life,
    activity: Activity,
    pub(crate) notes: N,
}

enum Life {
    Running(Addr<Conversation>),
    /// It was given up, and takes nothing until it is released.
    Quarantined(Box<Quarantine>),
}

struct Quarantine {
    since: jiff::Timestamp,
    restarts: u32,
    reason: String,
    dropped: u64,
    metrics: Arc<Metrics>,
    /// `None` where even handing it over panicked.
    remains: Option<Box<Remains>>,
}

impl Quarantine {
    fn drop_one(&mut self) {
        self.dropped += 1;
        self.metrics.notifications_quarantined.inc();
    }
}

/// What a conversation that was given up leaves to the one that is released.
pub(crate) struct Remains {
    pub(super) address: Addr<Conversation>,
    pub(super) reason: String,
    pub(super) restarts: u32,
    pub(super) sequence: u64,
    pub(super) concluded: Concluded,
    pub(super) model: Model,
    pub(super) consumer: Option<ExternalConsumerId>,
}

/// A conversation that was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QuarantinedConversation {
    /// Which one.
    pub conversation: ConversationId,
    /// Since when.
    pub since: jiff::Timestamp,
    /// Restarts before it was given up.
    pub restarts: u32,
    /// The text of its last panic. It may quote a message, so it is never logged.
    pub reason: String,
    /// Notifications that were dropped since.
    pub notifications_dropped: u64,
}

/// Why a conversation was not released.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    /// There is no such connection, or it does not answer.
    #[error("the connection is not there")]
    UnknownConnection,
    /// It is not in quarantine.
    #[error("conversation {0} is not in quarantine")]
    NotQuarantined(ConversationId),
}

/// A conversation tells the owner of its connection's conversations what becomes of it.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct ChildTold {
    pub(crate) conversation: ConversationId,
    pub(crate) notice: ChildNotice,
}

pub(crate) enum ChildNotice {
    /// It is given up, and leaves this.
    Remains(Box<Remains>),
    /// Its actor was restarted or ended.
    Exited(ChildExit),
    /// How far its history is.
    History(HistoryProgress),
}

/// How far a conversation's history is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HistoryProgress {
    /// It is up to date, as far as the platform gives it.
    Done,
    /// The platform did not give it, and is asked on; the conversation's sends wait.
    Refused,
    /// A command waits for it.
    Awaited,
}

/// A conversation's actor failed.
pub(crate) struct ChildFailed {
    pub(crate) conversation: ConversationId,
    /// It is started again; it was quarantined otherwise.
    pub(crate) is_restarted: bool,
    /// What this is to the connection.
    pub(crate) verdict: Verdict,
}

/// The guard's end of a child: small, because there is one for each conversation.
struct ChildParent {
    conversation: ConversationId,
    upstream: Rc<Upstream>,
}

impl Parent for ChildParent {
    fn write_name(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.upstream.origin.connection, self.conversation)
    }

    fn told(&mut self, exit: ChildExit) {
        let conversation = self.conversation.clone();
        self.upstream.parent.do_send(ChildTold { conversation, notice: ChildNotice::Exited(exit) });
    }
}

impl<N> Child<N> {
    /// Hands a state over; a quarantined conversation drops and counts it.
    pub(crate) fn pass_state(&mut self, state: StateArrived) {
        match &mut self.life {
            Life::Running(address) => address.do_send(state),
            Life::Quarantined(quarantine) => quarantine.drop_one(),
        }
    }

    /// Hands records over; a quarantined conversation drops and counts them.
    pub(crate) fn pass_records(&mut self, records: RecordsArrived) {
        match &mut self.life {
            Life::Running(address) => address.do_send(records),
            Life::Quarantined(quarantine) => quarantine.drop_one(),
        }
    }

    /// Has the conversation fetch what it missed; it tells when it has.
    pub(crate) fn catch_up(&self) {
        self.tell(CatchUp);
    }

    /// Tells the conversation, unless it is quarantined.
    pub(crate) fn tell<M>(&self, message: M)
    where
        M: Message + Send + 'static,
        M::Result: Send,
        Conversation: Handler<M>,
    {
        if let Life::Running(address) = &self.life {
            address.do_send(message);
        }
    }

    /// When something was last told that concerns the conversation.
    pub(crate) fn used(&self) -> std::time::Instant {
        self.activity.used()
    }

    pub(crate) fn is_quarantined(&self) -> bool {
        matches!(self.life, Life::Quarantined(_))
    }
}

impl<N> Default for Children<N> {
    fn default() -> Self {
        Self { entries: HashMap::new(), sleep_queue: SleepQueue::default(), systemic: Systemic::default() }
    }
}

impl<N: Default> Children<N> {
    /// The conversation's actor, begun if there is none yet. It is used, so it stays awake for a while.
    pub(crate) fn child(&mut self, id: &ConversationId, begin: impl FnOnce() -> Conversation) -> &mut Child<N> {
        let now = std::time::Instant::now();
        match self.entries.entry(id.clone()) {
            Entry::Occupied(child) => {
                let child = child.into_mut();
                self.sleep_queue.used(id, &mut child.activity, now);
                child
            }
            Entry::Vacant(vacant) => {
                let conversation = begin();
                conversation.upstream.metrics.conversations.inc();
                let activity = self.sleep_queue.add(id, now);
                vacant.insert(Child { life: start(id.clone(), conversation), activity, notes: N::default() })
            }
        }
    }

    /// Begins a quarantined conversation anew, with what is left of it.
    pub(crate) fn release(
        &mut self,
        id: &ConversationId,
        begin: impl FnOnce(Option<Box<Remains>>) -> Conversation,
    ) -> Result<(), ReleaseError> {
        let not_quarantined = || ReleaseError::NotQuarantined(id.clone());
        let child = self.entries.get_mut(id).ok_or_else(not_quarantined)?;
        let Life::Quarantined(quarantine) = &mut child.life else { return Err(not_quarantined()) };
        let conversation = begin(quarantine.remains.take());
        let upstream = Rc::clone(&conversation.upstream);
        child.life = start(id.clone(), conversation);
        upstream.metrics.conversations_in_quarantine.dec();
        if let Some(handle) = upstream.directory.get(&upstream.origin.connection, id) {
            handle.reopen();
        }
        Ok(())
    }
}

fn start(id: ConversationId, conversation: Conversation) -> Life {
    let upstream = Rc::clone(&conversation.upstream);
    let policy = Arc::clone(&upstream.policy);
    let parent = ChildParent { conversation: id, upstream };
    Life::Running(start_guarded(GuardOptions::of(parent, policy), |_| conversation))
}

impl<N> Children<N> {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn contains_key(&self, id: &ConversationId) -> bool {
        self.entries.contains_key(id)
    }

    pub(crate) fn get(&self, id: &ConversationId) -> Option<&Child<N>> {
        self.entries.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &ConversationId) -> Option<&mut Child<N>> {
        self.entries.get_mut(id)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &ConversationId> {
        self.entries.keys()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&ConversationId, &mut Child<N>)> {
        self.entries.iter_mut()
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Child<N>> {
        self.entries.values()
    }

    /// The conversations of which `is_so` holds.
    pub(crate) fn those(&self, is_so: impl Fn(&Child<N>) -> bool) -> Vec<ConversationId> {
        self.entries.iter().filter(|(_, child)| is_so(child)).map(|(id, _)| id.clone()).collect()
    }

    pub(crate) fn tell_ready(&self, identity: &Arc<Identity>) {
        self.values().for_each(|child| child.tell(LinkReady { identity: Arc::clone(identity) }));
    }

    pub(crate) fn tell_lost(&self) {
        self.values().for_each(|child| child.tell(LinkLost));
    }

    pub(crate) fn tell_failed(&self) {
        self.values().for_each(|child| child.tell(LinkFailed));
    }

    /// Notes that the conversations that were quiet for `after` rest from now on, and returns them: each is to be asked
    /// whether it may sleep. Those that must stay awake are looked at again after as long.
    pub(crate) fn resting(
        &mut self,
        after: Duration,
        must_stay: impl Fn(&ConversationId, &Child<N>) -> bool,
    ) -> Vec<ConversationId> {
        let now = std::time::Instant::now();
        let mut resting = Vec::new();
        for id in self.sleep_queue.take_over(now, after) {
            let Some(child) = self.entries.get_mut(&id) else { continue };
            if must_stay(&id, child) {
                self.sleep_queue.stays(&id, &mut child.activity, now);
            } else if self.sleep_queue.rests(&id, &mut child.activity, now, after) {
                resting.push(id);
            }
        }
        resting
    }

    /// Whether a conversation was asked whether it may sleep, and was told nothing since.
    pub(crate) fn is_resting(&self, id: &ConversationId) -> bool {
        self.entries.get(id).is_some_and(|child| child.activity.is_resting())
    }

    /// A conversation may not sleep: it is asked again when it was quiet for as long once more.
    pub(crate) fn stays_awake(&mut self, id: &ConversationId) {
        if let Some(child) = self.entries.get_mut(id) {
            self.sleep_queue.used(id, &mut child.activity, std::time::Instant::now());
        }
    }

    /// Lets a conversation's actor go; whether there was one.
    pub(crate) fn stop(&mut self, id: &ConversationId, leave: Leave, metrics: &Metrics) -> bool {
        let Some(child) = self.entries.remove(id) else { return false };
        self.sleep_queue.remove(id, &child.activity);
        if child.is_quarantined() {
            metrics.conversations_in_quarantine.dec();
        }
        child.tell(leave);
        metrics.conversations.dec();
        true
    }

    /// Takes a conversation's notice.
    pub(crate) fn told(
        &mut self,
        ChildTold { conversation, notice }: ChildTold,
        upstream: &Upstream,
        policy: &SystemicPolicy,
    ) -> Option<ChildFailed> {
        let is_restarted = match notice {
            // The conversation itself tells its subscribers, with its own next sequence.
            ChildNotice::Exited(ChildExit::Restarting { .. }) => {
                upstream.metrics.restarted(&upstream.metrics.conversation_restarts);
                true
            }
            ChildNotice::History(_) => return None,
            ChildNotice::Exited(ChildExit::Ended {
                reason: ExitReason::Normal | ExitReason::ArbiterStopped, ..
            }) => {
                return None;
            }
            ChildNotice::Remains(remains) => {
                let (restarts, reason, actor) = (remains.restarts, remains.reason.clone(), remains.address.clone());
                let is_it = |address: &Addr<Conversation>| *address == actor;
                self.quarantine(&conversation, is_it, upstream, restarts, reason)?.remains = Some(remains);
                false
            }
            // Only where there were no remains; a later actor of the same conversation is still connected.
            ChildNotice::Exited(ChildExit::Ended {
                reason: ExitReason::Panicked(panic) | ExitReason::GaveUp(panic),
                restarts,
            }) => {
                self.quarantine(&conversation, |address| !address.connected(), upstream, restarts, panic)?;
                false
            }
        };
        let verdict = self.systemic.note(policy, conversation.clone(), Instant::now());
        Some(ChildFailed { conversation, is_restarted, verdict })
    }

    fn quarantine(
        &mut self,
        id: &ConversationId,
        is_it: impl FnOnce(&Addr<Conversation>) -> bool,
        upstream: &Upstream,
        restarts: u32,
        reason: String,
    ) -> Option<&mut Quarantine> {
        let child = self.entries.get_mut(id)?;
        if !matches!(&child.life, Life::Running(address) if is_it(address)) {
            return None;
        }
        upstream.metrics.conversations_quarantined.inc();
        upstream.metrics.conversations_in_quarantine.inc();
        tracing::error!(connection = %upstream.origin.connection, conversation = %id, restarts, "conversation quarantined");
        let data = EventData::ConversationQuarantined { restarts };
        upstream.routing.publish(&upstream.origin, Subject::About(id), data);
        // Where the conversation could not do so itself.
        if let Some(handle) = upstream.directory.get(&upstream.origin.connection, id) {
            handle.shut();
        }
        child.life = Life::Quarantined(Box::new(Quarantine {
            since: jiff::Timestamp::now(),
            restarts,
            reason,
            dropped: 0,
            metrics: Arc::clone(&upstream.metrics),
            remains: None,
        }));
        match &mut child.life {
            Life::Quarantined(quarantine) => Some(quarantine),
            Life::Running(_) => None,
        }
    }

    pub(crate) fn quarantined(&self) -> Vec<QuarantinedConversation> {
        let quarantined = self.entries.iter().filter_map(|(id, child)| match &child.life {
            Life::Running(_) => None,
            Life::Quarantined(quarantine) => Some(QuarantinedConversation {
                conversation: id.clone(),
                since: quarantine.since,
                restarts: quarantine.restarts,
                reason: quarantine.reason.clone(),
                notifications_dropped: quarantine.dropped,
            }),
        });
        quarantined.collect()
    }
}

/// Answers the conversations in quarantine.
#[derive(Message)]
#[rtype(result = "Vec<QuarantinedConversation>")]
pub(crate) struct ListQuarantined;

/// Begins a quarantined conversation anew.
#[derive(Message)]
#[rtype(result = "Result<(), ReleaseError>")]
pub(crate) struct Release {
    pub(crate) conversation: ConversationId,
}

impl Conversation {
    /// The conversation that follows one in quarantine: its events go on where they ended, and it fetches what it
    /// missed.
    pub(crate) fn released(
        id: ConversationId,
        remains: Option<Box<Remains>>,
        upstream: Rc<Upstream>,
        ready: Option<Arc<Identity>>,
    ) -> Self {
        let mut fresh = Self::new(id, upstream, ready);
        // It counts as a restart: subscribers hear of it, and history is caught up.
        fresh.restarts = 1;
        if let Some(remains) = remains {
            let Remains { sequence, concluded, model, consumer, restarts, .. } = *remains;
            (fresh.sequence, fresh.concluded, fresh.model) = (sequence, concluded, model);
            fresh.consumer = consumer;
            fresh.restarts = restarts + 1;
        }
        fresh
    }
}
