//! Rings on the wire: offering, accepting, rejecting, expiring, cancelling; and the agents' states
//! ([§5.8](crate::protocol#58), [§6.3](crate::protocol#63), [§6.4](crate::protocol#64)).

use serde::Deserialize;
use serde_json::json;

use super::Platform;
use super::answer::{Answer, FrameKind, Refusal};
use super::conversation::Participant;
use super::names::{AgentIndex, Availability, ConversationId, Millis, Party, RingState, Role};
use super::routing::Ring;
use super::sessions::Caller;
use crate::dialect::{Dialect, Request, notification_frame};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RingBody {
    ring_id: String,
    ring_state: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StateBody {
    availability: String,
    agent_user_id: Option<String>,
    #[serde(default)]
    description: Option<String>,
}

impl Platform {
    /// Rings one agent for a conversation.
    pub(super) fn ring(&mut self, id: &ConversationId, agent: AgentIndex, now: Millis) {
        let account = self.settings.account.clone();
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        // Ring ids are told apart by their start alone.
        let started = now.max(conversation.rung + 1);
        let expires = started + self.settings.ring_expiry;
        conversation.rung = started;
        if let Some(task) = &mut conversation.routing {
            let ring_id = format!("{id}_{account}_{started}");
            task.ring = Some(Ring { id: ring_id, agent, state: RingState::Waiting, started, expires });
        }
        if let Some(known) = self.directory.agent_mut(agent) {
            known.rings.insert(id.clone());
            known.last_ring = now;
        }
        self.timers.insert((expires, id.clone()));
        self.announce_ring(id);
    }

    /// Ends the ring of a conversation in some state and tells its agent; the ring that was.
    pub(super) fn finish_ring(&mut self, id: &ConversationId, state: RingState) -> Option<Ring> {
        let task = self.conversations.get_mut(id)?.routing.as_mut()?;
        let ring = task.ring.as_mut()?;
        ring.state = state;
        let finished = ring.clone();
        self.timers.remove(&(finished.expires, id.clone()));
        if let Some(agent) = self.directory.agent_mut(finished.agent) {
            agent.rings.remove(id);
        }
        self.announce_ring(id);
        if let Some(task) = self.conversations.get_mut(id).and_then(|conversation| conversation.routing.as_mut()) {
            task.ring = None;
        }
        Some(finished)
    }

    /// Rejected or expired: a suggestion ends, the next agent is rung.
    pub(super) fn ring_refused(&mut self, id: &ConversationId, state: RingState, now: Millis) {
        let Some(ring) = self.finish_ring(id, state) else { return };
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        if let Some(task) = &mut conversation.routing {
            task.refused.push(ring.agent);
        }
        if conversation.suggested_agent() == Some(ring.agent) {
            let at = conversation.touch(now);
            if let Some(main) = conversation.main_mut() {
                main.participants.retain(|participant| !participant.suggested);
                main.updated = at;
            }
            self.forget_participation(id, ring.agent);
            self.changed(id, now);
        }
        self.offer(id, now);
        self.offer_waiting(now);
    }

    pub(super) fn update_ring_state(
        &mut self,
        caller: &Caller,
        request: &Request,
        now: Millis,
    ) -> Result<Answer, Refusal> {
        let body: RingBody = request.body()?;
        let id = body.ring_id.split('_').next().unwrap_or_default();
        let conversation = self.conversations.get(id).ok_or_else(|| Refusal::bad("Ring does not exist"))?;
        let ring = conversation.routing.as_ref().and_then(|task| task.ring.as_ref());
        let ring = ring.filter(|ring| ring.id == body.ring_id && caller.party == Party::Agent(ring.agent));
        let agent = ring.ok_or_else(|| Refusal::bad("Ring is not waiting for this agent"))?.agent;
        let id = conversation.id.clone();
        match RingState::parse(&body.ring_state) {
            RingState::Accepted => self.accept_ring(&id, agent, now),
            RingState::Rejected => self.ring_refused(&id, RingState::Rejected, now),
            _ => return Err(Refusal::bad("Ring state must be ACCEPTED or REJECTED")),
        }
        Ok(Answer::accepted("Ring state updated successfully"))
    }

    fn accept_ring(&mut self, id: &ConversationId, agent: AgentIndex, now: Millis) {
        self.finish_ring(id, RingState::Accepted);
        self.release_assignee(id);
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        conversation.routing = None;
        let at = conversation.touch(now);
        let replaced = conversation.assigned_agent();
        if let Some(main) = conversation.main_mut() {
            main.participants
                .retain(|one| !one.suggested && one.role != Role::AssignedAgent && one.party != Party::Agent(agent));
            main.participants.push(Participant {
                party: Party::Agent(agent),
                role: Role::AssignedAgent,
                suggested: false,
            });
            main.updated = at;
        }
        if let Some(known) = self.directory.agent_mut(agent) {
            known.assigned += 1;
            known.conversations.insert(id.clone());
        }
        if let Some(replaced) = replaced {
            self.forget_participation(id, replaced);
        }
        self.changed(id, now);
    }

    /// One change, one ring (protocol [§6.3](crate::protocol#63)).
    fn ring_change(&self, id: &ConversationId) -> Option<String> {
        let conversation = self.conversations.get(id)?;
        let task = conversation.routing.as_ref()?;
        let ring = task.ring.as_ref()?;
        let accepted = ring.state == RingState::Accepted;
        let agent = self.directory.agent(ring.agent)?;
        let consumer = conversation.consumer();
        let change = json!({"type": "UPSERT", "result": {
            "routingTaskId": task.id,
            "taskCompleted": accepted,
            "assignedAgentId": accepted.then_some(&agent.old_id),
            "brandId": self.settings.account,
            "conversationId": id,
            "consumerId": consumer,
            "skillId": conversation.skill,
            "ringsDetails": [{
                "ringId": ring.id,
                "ringState": ring.state,
                "ringExpiration": ring.expires - ring.started,
                "ringExpirationTs": ring.expires,
                "weight": conversation.effective_ttr(),
                "convId": id,
                "consumerId": consumer,
                "skillId": conversation.skill,
                "brandId": self.settings.account,
            }],
        }});
        Some(change.to_string())
    }

    fn announce_ring(&mut self, id: &ConversationId) {
        let ring = self.conversations.get(id).and_then(|one| one.routing.as_ref()).and_then(|task| task.ring.as_ref());
        let Some(agent) = ring.map(|ring| ring.agent) else { return };
        let Some(change) = self.ring_change(id) else { return };
        let frames: Vec<_> = self
            .sockets
            .ring_subscriptions(agent)
            .map(|(socket, subscription)| (socket, routing_frame(subscription, &change)))
            .collect();
        for (socket, frame) in frames {
            self.emit(socket, FrameKind::Routing, frame);
        }
    }

    /// The first notification carries the rings that wait already, or nothing.
    pub(super) fn subscribe_rings(&mut self, caller: &Caller, now: Millis) -> Result<Answer, Refusal> {
        let Party::Agent(agent) = caller.party else {
            return Err(Refusal::new(403, "Only an agent has rings"));
        };
        let subscription = self.uuid();
        self.sockets.set_rings(caller.socket, subscription.clone());
        let rings = self.directory.agent(agent).map(|known| &known.rings);
        let changes: Vec<String> = rings.into_iter().flatten().filter_map(|id| self.ring_change(id)).collect();
        self.emit(caller.socket, FrameKind::Snapshot, routing_frame(&subscription, &changes.join(",")));
        self.offer_waiting(now);
        Ok(Answer::body(&json!({"subscriptionId": subscription})))
    }

    pub(super) fn set_agent_state(
        &mut self,
        caller: &Caller,
        request: &Request,
        now: Millis,
    ) -> Result<Answer, Refusal> {
        let body: StateBody = request.body()?;
        let Party::Agent(own) = caller.party else {
            return Err(Refusal::new(403, "Only an agent has a state"));
        };
        let agent = match body.agent_user_id.as_deref().filter(|id| !id.is_empty()) {
            Some(id) => self.directory.agent_by_id(id).ok_or_else(|| Refusal::bad("Unknown agent"))?,
            None => own,
        };
        if let Some(known) = self.directory.agent_mut(agent) {
            let availability = Availability::parse(&body.availability);
            if known.availability != availability {
                known.availability = availability;
                known.available_since = now;
            }
            known.description = body.description.unwrap_or_default();
        }
        self.announce_state(agent);
        self.offer_waiting(now);
        Ok(Answer::accepted("Agent state updated successfully"))
    }

    pub(super) fn subscribe_agent_state(&mut self, caller: &Caller) -> Result<Answer, Refusal> {
        let Party::Agent(agent) = caller.party else {
            return Err(Refusal::new(403, "Only an agent has a state"));
        };
        let subscription = self.uuid();
        self.sockets.set_agent_states(caller.socket, subscription.clone());
        let frame = self.state_frame(agent, &subscription, caller.dialect);
        self.emit(caller.socket, FrameKind::Snapshot, frame);
        Ok(Answer::body(&json!({"subscriptionId": subscription})))
    }

    fn announce_state(&mut self, agent: AgentIndex) {
        let subscriptions = self.sockets.state_subscriptions(agent);
        let frames: Vec<_> =
            subscriptions.map(|(socket, id)| (socket, self.state_frame(agent, id, Dialect::V21))).collect();
        for (socket, frame) in frames {
            self.emit(socket, FrameKind::Routing, frame);
        }
    }

    fn state_frame(&self, agent: AgentIndex, subscription: &str, dialect: Dialect) -> String {
        let known = self.directory.agent(agent);
        let body = json!({"subscriptionId": subscription, "changes": [{"type": "UPSERT", "result": {
            "channels": ["MESSAGING"],
            "availability": known.map(|agent| &agent.availability),
            "description": known.map(|agent| &agent.description),
            "agentUserId": known.map(|agent| &agent.old_id),
        }}]});
        notification_frame(dialect.agent_state(), &body.to_string())
    }
}

fn routing_frame(subscription: &str, changes: &str) -> String {
    let body = format!(r#"{{"subscriptionId":"{subscription}","changes":[{changes}]}}"#);
    notification_frame(Dialect::V21.routing_task(), &body)
}
