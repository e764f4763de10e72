//! Which agent a conversation is offered to: skill, availability, capacity, least load, then longest unrung (protocol
//! [§6.3](crate::protocol#63), [§12.2](crate::protocol#122)). Nobody free: it waits in its skill's queue.

use super::Platform;
use super::names::{AgentIndex, Availability, ConversationId, Millis, RingState, SkillId};

/// How long a conversation that everybody refused waits before it is offered again.
const REFUSAL_PAUSE: Millis = 5_000;

/// One offer to one agent.
#[derive(Debug, Clone)]
pub(crate) struct Ring {
    /// `{conversation}_{account}_{start}`.
    pub(crate) id: String,
    pub(crate) agent: AgentIndex,
    pub(crate) state: RingState,
    pub(crate) started: Millis,
    pub(crate) expires: Millis,
}

/// The search for an agent of one conversation.
#[derive(Debug, Clone)]
pub(crate) struct RoutingTask {
    pub(crate) id: String,
    pub(crate) ring: Option<Ring>,
    /// Agents who rejected it or let it expire, in this round.
    pub(crate) refused: Vec<AgentIndex>,
    pub(crate) queued: bool,
    /// When the search began.
    pub(crate) since: Millis,
}

impl Platform {
    /// Offers a conversation without an agent: to the suggested one, else to the best one for its skill.
    pub(super) fn offer(&mut self, id: &ConversationId, now: Millis) {
        let Some(conversation) = self.conversations.get(id) else { return };
        let open = conversation.main().is_some_and(super::conversation::Dialog::is_open);
        let ringing = conversation.routing.as_ref().is_some_and(|task| task.ring.is_some());
        let suggested = conversation.suggested_agent();
        if !open || ringing || (conversation.assigned_agent().is_some() && suggested.is_none()) {
            return;
        }
        let skill = conversation.skill.clone();
        let task_id = conversation.routing.is_none().then(|| self.uuid());
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        let task = conversation.routing.get_or_insert_with(|| RoutingTask {
            id: task_id.unwrap_or_default(),
            ring: None,
            refused: Vec::new(),
            queued: false,
            since: now,
        });
        let refused = task.refused.clone();
        if let Some(agent) = suggested.or_else(|| self.free_agent(&skill, &refused)) {
            self.ring(id, agent, now);
        } else if refused.is_empty() {
            self.enqueue(id, skill);
        } else {
            self.timers.insert((now + REFUSAL_PAUSE, id.clone()));
        }
    }

    fn enqueue(&mut self, id: &ConversationId, skill: SkillId) {
        let task = self.conversations.get_mut(id).and_then(|conversation| conversation.routing.as_mut());
        if let Some(task) = task.filter(|task| !task.queued) {
            task.queued = true;
            self.waiting.entry(skill).or_default().push_back(id.clone());
        }
    }

    /// The agent who should be rung next for a skill.
    fn free_agent(&self, skill: &SkillId, refused: &[AgentIndex]) -> Option<AgentIndex> {
        self.directory
            .agents()
            .filter(|(index, agent)| {
                agent.availability == Availability::Online
                    && agent.load() < self.settings.agent_capacity
                    && agent.serves(skill)
                    && !refused.contains(index)
                    && self.sockets.ring_subscriptions(*index).next().is_some()
            })
            .min_by_key(|(_, agent)| (agent.load(), agent.last_ring))
            .map(|(index, _)| index)
    }

    /// Offers waiting conversations while there are agents for them.
    pub(super) fn offer_waiting(&mut self, now: Millis) {
        let skills: Vec<SkillId> =
            self.waiting.iter().filter(|(_, queue)| !queue.is_empty()).map(|(skill, _)| skill.clone()).collect();
        for skill in skills {
            while self.free_agent(&skill, &[]).is_some() {
                let Some(id) = self.waiting.get_mut(&skill).and_then(std::collections::VecDeque::pop_front) else {
                    break;
                };
                if let Some(task) = self.conversations.get_mut(&id).and_then(|one| one.routing.as_mut()) {
                    task.queued = false;
                    self.offer(&id, now);
                }
            }
        }
    }

    /// A ring's time is up, or a refused conversation has paused long enough.
    pub(super) fn routing_timer(&mut self, id: &ConversationId, now: Millis) {
        let Some(task) = self.conversations.get_mut(id).and_then(|conversation| conversation.routing.as_mut()) else {
            return;
        };
        match &task.ring {
            Some(ring) if ring.expires <= now => self.ring_refused(id, RingState::Expired, now),
            Some(_) => {}
            None => {
                task.refused.clear();
                self.offer(id, now);
            }
        }
    }

    /// The search is over: a waiting ring is cancelled, the queue entry will be skipped.
    pub(super) fn withdraw_offer(&mut self, id: &ConversationId) {
        self.finish_ring(id, RingState::Cancelled);
        if let Some(conversation) = self.conversations.get_mut(id)
            && let Some(mut task) = conversation.routing.take()
            && std::mem::take(&mut task.queued)
            && let Some(queue) = self.waiting.get_mut(&conversation.skill)
        {
            queue.retain(|waiting| waiting != id);
        }
    }

    /// The assignee of a conversation that has just ended is free again.
    pub(super) fn release_assignee(&mut self, id: &ConversationId) {
        let assignee = self.conversations.get(id).and_then(super::conversation::Conversation::assigned_agent);
        if let Some(agent) = assignee.and_then(|agent| self.directory.agent_mut(agent)) {
            agent.assigned = agent.assigned.saturating_sub(1);
        }
    }
}
