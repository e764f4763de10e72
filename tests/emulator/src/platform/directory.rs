//! Who the account knows: its agents under their three ids, and its consumers.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;

use super::names::{AgentIndex, Availability, ConsumerId, ConversationId, Millis, Party, SkillId};

/// The agent group that every agent is a member of.
pub(crate) const MAIN_GROUP: i64 = -1;
pub(crate) const MAIN_GROUP_NAME: &str = "Main Group";

/// The name of a skill; a conversation without one has `-1`.
pub(crate) fn skill_name(id: &str) -> String {
    if id == "-1" { "Unassigned".to_owned() } else { format!("Skill {id}") }
}

/// An agent who is to be one of the account's.
#[derive(Debug, Default)]
pub(crate) struct NewAgent {
    pub(crate) user_id: String,
    pub(crate) pid: String,
    pub(crate) login: String,
    /// Empty: every skill.
    pub(crate) skills: Vec<String>,
    pub(crate) is_manager: bool,
}

/// One agent of the account.
#[derive(Debug)]
pub(crate) struct Agent {
    /// `{account}.{userId}`, used inside v2 frames.
    pub(crate) old_id: String,
    /// UUID, used in v3 shapes.
    pub(crate) pid: String,
    pub(crate) login: String,
    /// May read what other agents' conversations say.
    pub(crate) is_manager: bool,
    /// Empty: every skill.
    pub(crate) skills: Vec<SkillId>,
    pub(crate) availability: Availability,
    /// When the availability changed last.
    pub(crate) available_since: Millis,
    pub(crate) description: String,
    /// Conversations it takes part in or is suggested for.
    pub(crate) conversations: HashSet<ConversationId>,
    /// Conversations assigned to it.
    pub(crate) assigned: usize,
    /// Conversations that ring at it and wait for its answer.
    pub(crate) rings: HashSet<ConversationId>,
    /// When it was last rung: evens out the load among equals.
    pub(crate) last_ring: Millis,
}

impl Agent {
    /// The id without the account.
    pub(crate) fn user_id(&self) -> &str {
        self.old_id.rsplit('.').next().unwrap_or_default()
    }

    pub(crate) fn serves(&self, skill: &SkillId) -> bool {
        self.skills.is_empty() || self.skills.contains(skill)
    }

    pub(crate) fn load(&self) -> usize {
        self.assigned + self.rings.len()
    }
}

/// One consumer of the account.
#[derive(Debug, Default)]
pub(crate) struct Consumer {
    pub(crate) profile: Option<Value>,
    /// Earlier identities of the same person, linked by step-up.
    pub(crate) predecessors: Vec<ConsumerId>,
    /// Later identities of the same person.
    pub(crate) successors: Vec<ConsumerId>,
    /// Conversations opened by this identity or taken over by it.
    pub(crate) conversations: HashSet<ConversationId>,
    pub(crate) client_properties: Option<Arc<RawValue>>,
}

/// The account's people.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    agents: Vec<Agent>,
    by_id: HashMap<String, AgentIndex>,
    consumers: HashMap<ConsumerId, Consumer>,
}

impl Directory {
    pub(crate) fn add_agent(&mut self, account: &str, agent: NewAgent, now: Millis) {
        let NewAgent { user_id, pid, login, skills, is_manager } = agent;
        let skills = skills.into_iter().map(SkillId::new).collect();
        let index = AgentIndex(self.agents.len() as u32);
        let old_id = format!("{account}.{user_id}");
        for id in [user_id, old_id.clone(), pid.clone()] {
            self.by_id.insert(id, index);
        }
        self.agents.push(Agent {
            old_id,
            pid,
            login,
            is_manager,
            skills,
            availability: Availability::Offline,
            available_since: now,
            description: String::new(),
            conversations: HashSet::new(),
            assigned: 0,
            rings: HashSet::new(),
            last_ring: 0,
        });
    }

    /// An agent by any of its ids: old id, PID or bare user id.
    pub(crate) fn agent_by_id(&self, id: &str) -> Option<AgentIndex> {
        self.by_id.get(id).copied()
    }

    pub(crate) fn agent(&self, index: AgentIndex) -> Option<&Agent> {
        self.agents.get(index.0 as usize)
    }

    pub(crate) fn agent_mut(&mut self, index: AgentIndex) -> Option<&mut Agent> {
        self.agents.get_mut(index.0 as usize)
    }

    pub(crate) fn agents(&self) -> impl Iterator<Item = (AgentIndex, &Agent)> {
        self.agents.iter().enumerate().map(|(place, agent)| (AgentIndex(place as u32), agent))
    }

    pub(crate) fn consumer(&self, id: &str) -> Option<&Consumer> {
        self.consumers.get(id)
    }

    pub(crate) fn consumer_mut(&mut self, id: &ConsumerId) -> &mut Consumer {
        self.consumers.entry(id.clone()).or_default()
    }

    /// Links two identities of one person, after a step-up.
    pub(crate) fn step_up(&mut self, from: &ConsumerId, to: &ConsumerId) {
        if from == to {
            return;
        }
        let mut earlier = self.consumer(from.as_str()).map_or_else(Vec::new, |known| known.predecessors.clone());
        earlier.push(from.clone());
        for one in earlier {
            let successors = &mut self.consumer_mut(&one).successors;
            if !successors.contains(to) {
                successors.push(to.clone());
            }
            let predecessors = &mut self.consumer_mut(to).predecessors;
            if !predecessors.contains(&one) {
                predecessors.push(one);
            }
        }
    }

    pub(crate) fn successors(&self, consumer: &ConsumerId) -> &[ConsumerId] {
        self.consumers.get(consumer).map_or(&[], |known| &known.successors)
    }

    /// Whether one identity may act for another: itself, or one it was stepped up from.
    pub(crate) fn acts_for(&self, consumer: &ConsumerId, other: &ConsumerId) -> bool {
        consumer == other || self.consumers.get(consumer).is_some_and(|known| known.predecessors.contains(other))
    }

    /// The id used in v2 frames.
    pub(crate) fn old_id<'a>(&'a self, party: &'a Party) -> &'a str {
        match party {
            Party::Consumer(id) => id.as_str(),
            Party::Agent(index) => self.agent(*index).map_or("", |agent| &agent.old_id),
        }
    }

    /// The id used in v3 shapes.
    pub(crate) fn public_id<'a>(&'a self, party: &'a Party) -> &'a str {
        match party {
            Party::Consumer(id) => id.as_str(),
            Party::Agent(index) => self.agent(*index).map_or("", |agent| &agent.pid),
        }
    }
}
