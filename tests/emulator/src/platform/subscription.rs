//! Conversation subscriptions: what each one matches, and who hears of a change (protocol [§5.2](crate::protocol#52),
//! [§6.1](crate::protocol#61)).

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::conversation::Conversation;
use super::directory::Directory;
use super::names::{AgentIndex, ConsumerId, Millis, SocketId, State};
use crate::dialect::{number_of, one_or_many, text_of};

/// One subscription; numbers are never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SubscriptionId(u64);

impl SubscriptionId {
    /// The id on the wire.
    pub(crate) fn wire(self) -> String {
        uuid::Uuid::from_u64_pair(0x7e57_0000_0000_4000, 0x8000_0000_0000_0000 | self.0).to_string()
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (_, low) = uuid::Uuid::parse_str(text).ok()?.as_u64_pair();
        Some(Self(low & 0x7fff_ffff_ffff_ffff))
    }
}

/// Whose eyes a subscription sees with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Viewer {
    Brand,
    Consumer(ConsumerId),
}

/// The body of a subscription; members that nobody knows are ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct FilterBody {
    conv_state: Value,
    stage: Value,
    conv_stage: Value,
    dialog_types: Value,
    agent_ids: Value,
    consumer_id: Value,
    brand_id: Value,
    conversation_id: Value,
    min_last_updated_time: Value,
    max_last_updated_time: Value,
    #[serde(rename = "maxETTR")]
    max_ettr: Value,
    /// Of `UpdateExConversationSubscription` and `Unsubscribe…` only.
    pub(crate) subscription_id: Option<String>,
}

/// Which conversations a subscription is about.
#[derive(Debug)]
pub(crate) struct Filter {
    viewer: Viewer,
    states: Vec<String>,
    stages: Vec<String>,
    dialog_types: Vec<String>,
    /// `None`: all the caller may see.
    agents: Option<Vec<AgentIndex>>,
    consumer: Option<String>,
    brand: Option<String>,
    conversation: Option<String>,
    min_updated: Option<i64>,
    max_updated: Option<i64>,
    max_ettr: Option<i64>,
}

impl Filter {
    pub(crate) fn new(body: FilterBody, viewer: Viewer, directory: &Directory) -> Self {
        let texts = |value: Value| -> Vec<String> {
            one_or_many(value).iter().filter_map(text_of).filter(|text| !text.is_empty()).collect()
        };
        let agent_ids = texts(body.agent_ids);
        let mut stages = texts(body.stage);
        stages.extend(texts(body.conv_stage));
        Self {
            viewer,
            states: texts(body.conv_state),
            stages,
            dialog_types: texts(body.dialog_types),
            agents: (!agent_ids.is_empty())
                .then(|| agent_ids.iter().filter_map(|id| directory.agent_by_id(id)).collect()),
            consumer: text_of(&body.consumer_id),
            brand: text_of(&body.brand_id),
            conversation: text_of(&body.conversation_id),
            min_updated: number_of(&body.min_last_updated_time),
            max_updated: number_of(&body.max_last_updated_time),
            max_ettr: number_of(&body.max_ettr),
        }
    }

    pub(crate) fn agents(&self) -> Option<&[AgentIndex]> {
        self.agents.as_deref()
    }

    pub(crate) fn viewer(&self) -> &Viewer {
        &self.viewer
    }

    /// Whether a conversation belongs to the subscription, apart from its update time.
    pub(crate) fn matches(&self, conversation: &Conversation, directory: &Directory, account: &str) -> bool {
        let any = |wanted: &[String], is: &str| wanted.is_empty() || wanted.iter().any(|text| text == is);
        let consumer = conversation.consumer();
        let visible = match &self.viewer {
            Viewer::Brand => true,
            Viewer::Consumer(viewer) => consumer.is_some_and(|id| directory.acts_for(viewer, id)),
        };
        visible
            && any(&self.states, conversation.state.as_str())
            && any(&self.stages, conversation.stage.as_str())
            && (self.dialog_types.is_empty()
                || conversation.dialogs.iter().any(|dialog| any(&self.dialog_types, dialog.dialog_type.as_str())))
            && self.agents.as_ref().is_none_or(|agents| conversation.agents().any(|agent| agents.contains(&agent)))
            && self.consumer.as_ref().is_none_or(|wanted| consumer.is_some_and(|id| id.as_str() == wanted))
            && self.brand.as_ref().is_none_or(|brand| brand == account)
            && self.conversation.as_ref().is_none_or(|wanted| conversation.id.as_str() == wanted)
            && self.max_ettr.is_none_or(|max| {
                let effective = conversation.effective_ttr();
                if max == i64::MAX { effective == -1 } else { effective != -1 && effective < max }
            })
    }

    /// Whether an update time lies within the inclusive bounds.
    pub(crate) fn within_time(&self, updated: Millis) -> bool {
        let updated = updated as i64;
        self.min_updated.is_none_or(|min| updated >= min) && self.max_updated.is_none_or(|max| updated <= max)
    }

    /// A filter for open conversations only sees the close as a DELETE.
    pub(crate) fn open_only(&self) -> bool {
        let open = |list: &[String]| !list.is_empty() && list.iter().all(|text| text == State::Open.as_str());
        open(&self.stages) || open(&self.states)
    }
}

/// One live subscription.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) socket: SocketId,
    pub(crate) filter: Filter,
}

/// All conversation subscriptions, found by whom they look for.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    next: u64,
    live: HashMap<SubscriptionId, Subscription>,
    everywhere: Vec<SubscriptionId>,
    by_agent: HashMap<AgentIndex, Vec<SubscriptionId>>,
    by_consumer: HashMap<ConsumerId, Vec<SubscriptionId>>,
}

impl Subscriptions {
    pub(crate) fn add(&mut self, socket: SocketId, filter: Filter) -> SubscriptionId {
        self.next += 1;
        let id = SubscriptionId(self.next);
        self.insert(id, Subscription { socket, filter });
        id
    }

    fn insert(&mut self, id: SubscriptionId, subscription: Subscription) {
        for list in self.lists(&subscription.filter) {
            list.push(id);
        }
        self.live.insert(id, subscription);
    }

    fn lists(&mut self, filter: &Filter) -> Vec<&mut Vec<SubscriptionId>> {
        match (&filter.viewer, &filter.agents) {
            (Viewer::Consumer(id), _) => vec![self.by_consumer.entry(id.clone()).or_default()],
            (Viewer::Brand, None) => vec![&mut self.everywhere],
            (Viewer::Brand, Some(agents)) => {
                for agent in agents {
                    self.by_agent.entry(*agent).or_default();
                }
                self.by_agent.iter_mut().filter(|(agent, _)| agents.contains(agent)).map(|(_, list)| list).collect()
            }
        }
    }

    pub(crate) fn get(&self, id: SubscriptionId) -> Option<&Subscription> {
        self.live.get(&id)
    }

    pub(crate) fn remove(&mut self, id: SubscriptionId) -> Option<Subscription> {
        let subscription = self.live.remove(&id)?;
        for list in self.lists(&subscription.filter) {
            list.retain(|known| *known != id);
        }
        if let Viewer::Consumer(consumer) = &subscription.filter.viewer
            && self.by_consumer.get(consumer).is_some_and(Vec::is_empty)
        {
            self.by_consumer.remove(consumer);
        }
        Some(subscription)
    }

    /// Puts another filter on a subscription.
    pub(crate) fn replace(&mut self, id: SubscriptionId, filter: Filter) {
        if let Some(old) = self.remove(id) {
            self.insert(id, Subscription { socket: old.socket, filter });
        }
    }

    /// Everybody who may have to hear of a change: those who hold it, and those it may have come to match.
    pub(crate) fn candidates(&self, conversation: &Conversation, directory: &Directory) -> Vec<SubscriptionId> {
        let mut found = conversation.followers.clone();
        found.extend(&self.everywhere);
        for agent in conversation.agents() {
            found.extend(self.by_agent.get(&agent).into_iter().flatten());
        }
        if let Some(consumer) = conversation.consumer() {
            found.extend(self.by_consumer.get(consumer).into_iter().flatten());
            for successor in directory.successors(consumer) {
                found.extend(self.by_consumer.get(successor).into_iter().flatten());
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}
