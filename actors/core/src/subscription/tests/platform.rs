//! A model of the platform: conversations that open, move between agents and end, and subscriptions that report them
//! (protocol §5.2, §6.1; SB-8 to SB-11).

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    id::{AgentId, ConversationId, SubscriptionId},
    subscription::page::PageRule,
    time::Timestamp,
    ums::{ConversationQuery, Stage},
};

/// The agent to whom the connection's own conversations are assigned.
pub(super) const ME: &str = "me";

/// A conversation. Its number is its index in the platform's list.
pub(super) struct Conversation {
    pub(super) id: ConversationId,
    pub(super) agent: AgentId,
    pub(super) is_open: bool,
    /// Its state cannot be requested individually.
    pub(super) is_hidden: bool,
    pub(super) updated: u64,
}

/// The content of one change.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) conversation: usize,
    pub(super) is_gone: bool,
    pub(super) is_open: bool,
    pub(super) updated: u64,
}

/// A frame of the platform.
#[derive(Clone, Debug)]
pub(super) enum Frame {
    Done { request: u64 },
    Subscribed { request: u64, id: SubscriptionId },
    Refused { request: u64, code: u16 },
    Snapshot(Notice),
    Change(Notice),
}

/// A notification.
#[derive(Clone, Debug)]
pub(super) struct Notice {
    pub(super) id: SubscriptionId,
    pub(super) changes: Vec<Change>,
}

struct Subscription {
    socket: u64,
    query: ConversationQuery,
    follows: BTreeSet<usize>,
}

/// The platform, and its frames to send.
pub(super) struct Platform {
    rule: PageRule,
    pub(super) conversations: Vec<Conversation>,
    subscriptions: BTreeMap<u64, Subscription>,
    next: u64,
    pub(super) outbox: Vec<(u64, Frame)>,
}

impl Platform {
    pub(super) fn new(rule: PageRule) -> Self {
        Self { rule, conversations: Vec::new(), subscriptions: BTreeMap::new(), next: 0, outbox: Vec::new() }
    }

    /// The most conversations in one notification: a ninth more than a full page, as 1001 is to 900.
    fn limit(&self) -> usize {
        self.rule.full + self.rule.full / 9 + 1
    }

    pub(super) fn open(&mut self, agent: &str, is_hidden: bool, now: u64) {
        let id = ConversationId::from(format!("c{}", self.conversations.len()));
        self.conversations.push(Conversation { id, agent: agent.into(), is_open: true, is_hidden, updated: now });
        self.tell(self.conversations.len() - 1);
    }

    pub(super) fn change(&mut self, number: usize, now: u64, change: impl FnOnce(&mut Conversation)) {
        change(&mut self.conversations[number]);
        self.conversations[number].updated = now;
        self.tell(number);
    }

    pub(super) fn matches(query: &ConversationQuery, one: &Conversation) -> bool {
        let stage = if one.is_open { Stage::Open } else { Stage::Close };
        (query.stage.is_empty() || query.stage.contains(&stage))
            && (query.agent_ids.is_empty() || query.agent_ids.contains(&one.agent))
            && query.conversation_id.as_ref().is_none_or(|id| *id == one.id)
    }

    fn tell(&mut self, number: usize) {
        let one = &self.conversations[number];
        for (id, subscription) in &mut self.subscriptions {
            let is_gone = !Self::matches(&subscription.query, one);
            if is_gone && !subscription.follows.remove(&number) {
                continue;
            }
            if !is_gone {
                subscription.follows.insert(number);
            }
            let change = Change { conversation: number, is_gone, is_open: one.is_open, updated: one.updated };
            let notice = Notice { id: SubscriptionId::from(id.to_string()), changes: vec![change] };
            self.outbox.push((subscription.socket, Frame::Change(notice)));
        }
    }

    pub(super) fn subscribe(&mut self, socket: u64, request: u64, query: ConversationQuery) {
        let asked = query.conversation_id.as_ref();
        let is_hidden = |one: &Conversation| one.is_hidden && Some(&one.id) == asked;
        if self.conversations.iter().any(is_hidden) {
            return self.outbox.push((socket, Frame::Refused { request, code: 403 }));
        }
        self.next += 1;
        let within = |one: &Conversation| {
            let updated = Timestamp(i64::try_from(one.updated).unwrap());
            query.min_last_updated_time.is_none_or(|min| updated >= min)
                && query.max_last_updated_time.is_none_or(|max| updated <= max)
        };
        let mut all: Vec<usize> = (0..self.conversations.len())
            .filter(|number| {
                Self::matches(&query, &self.conversations[*number]) && within(&self.conversations[*number])
            })
            .collect();
        all.sort_unstable_by_key(|number| self.conversations[*number].updated);
        let follows = all.iter().copied().collect();
        let page = all.split_off(all.len().saturating_sub(self.limit()));
        let changes = page.into_iter().map(|conversation| {
            let Conversation { is_open, updated, .. } = self.conversations[conversation];
            Change { conversation, is_gone: false, is_open, updated }
        });
        let id = SubscriptionId::from(self.next.to_string());
        let notice = Notice { id: id.clone(), changes: changes.collect() };
        self.outbox.push((socket, Frame::Subscribed { request, id }));
        self.outbox.push((socket, Frame::Snapshot(notice)));
        self.subscriptions.insert(self.next, Subscription { socket, query, follows });
    }

    pub(super) fn unsubscribe(&mut self, id: &SubscriptionId) {
        self.subscriptions.remove(&id.as_str().parse().unwrap());
    }

    pub(super) fn drop_socket(&mut self, socket: u64) {
        self.subscriptions.retain(|_, subscription| subscription.socket != socket);
    }

    /// The number of active subscriptions.
    pub(super) fn subscriptions(&self) -> usize {
        self.subscriptions.len()
    }
}
