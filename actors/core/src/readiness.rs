//! The missing parts of a connection on its socket. A connection without missing parts is ready for everything.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::id::ConversationId;

/// The missing parts of a connection. A part that works, or is not wanted, is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default)]
pub struct Lacking {
    /// Why the subscriptions to conversations do not work: new conversations and changes stay unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscriptions: Option<String>,
    /// Why the subscription to rings does not work: no conversation is offered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rings: Option<String>,
    /// Why the platform does not have the agent's state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_state: Option<String>,
    /// The number of conversations whose history is not up to date.
    #[serde(skip_serializing_if = "is_zero")]
    pub histories: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Lacking {
    /// Returns whether nothing is missing.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.has_parts() && self.histories == 0
    }

    /// Returns whether every part of the whole connection works. A missing history concerns only its conversation.
    #[must_use]
    pub fn has_parts(&self) -> bool {
        self.parts().iter().all(|(_, reason)| reason.is_none())
    }

    /// The parts of the whole connection, each with the reason if it is missing.
    #[must_use]
    pub fn parts(&self) -> [(&'static str, Option<&str>); 3] {
        [
            ("subscriptions", self.subscriptions.as_deref()),
            ("rings", self.rings.as_deref()),
            ("agentState", self.agent_state.as_deref()),
        ]
    }
}

/// A part of the resume plan for the whole connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The subscriptions to conversations.
    Subscriptions,
    /// The subscription to rings.
    Rings,
    /// The agent's state.
    AgentState,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Standing {
    /// Not wanted, or it works.
    #[default]
    Fine,
    /// Not requested yet, or without a response yet.
    Awaited,
    /// Refused; `goes_on` says whether the connection continues without it.
    Refused { reason: String, goes_on: bool },
}

impl Standing {
    fn reason(&self) -> Option<String> {
        match self {
            Self::Fine => None,
            Self::Awaited => Some("not answered yet".to_owned()),
            Self::Refused { reason, .. } => Some(reason.clone()),
        }
    }

    fn is_passed(&self) -> bool {
        matches!(self, Self::Fine | Self::Refused { goes_on: true, .. })
    }
}

/// The progress of the resume plan on one socket.
#[derive(Debug, Default)]
pub struct Readiness {
    subscriptions: Standing,
    rings: Standing,
    agent_state: Standing,
    /// The histories that are not up to date, and whether the connection continues without each.
    histories: HashMap<ConversationId, bool>,
    refused: usize,
}

impl Readiness {
    /// Begins a new socket, on which these parts are wanted. Histories that were not read on the previous socket stay
    /// wanted.
    pub fn begin(&mut self, wanted: &[Part]) {
        for part in [Part::Subscriptions, Part::Rings, Part::AgentState] {
            *self.standing(part) = if wanted.contains(&part) { Standing::Awaited } else { Standing::Fine };
        }
        self.histories.values_mut().for_each(|is_refused| *is_refused = false);
        self.refused = 0;
    }

    /// The part works, or is no longer wanted.
    pub fn stands(&mut self, part: Part) {
        *self.standing(part) = Standing::Fine;
    }

    /// The part was refused. `goes_on` says whether the connection continues without it.
    pub fn refused(&mut self, part: Part, reason: String, goes_on: bool) {
        *self.standing(part) = Standing::Refused { reason, goes_on };
    }

    /// The history of a conversation must be read.
    pub fn history_wanted(&mut self, conversation: &ConversationId) {
        self.histories.entry(conversation.clone()).or_default();
    }

    /// The history of a conversation was refused, and the connection continues without it.
    pub fn history_refused(&mut self, conversation: &ConversationId) {
        if self.histories.insert(conversation.clone(), true) != Some(true) {
            self.refused += 1;
        }
    }

    /// The history of a conversation is up to date, or is no longer wanted.
    pub fn history_done(&mut self, conversation: &ConversationId) {
        if self.histories.remove(conversation) == Some(true) {
            self.refused -= 1;
        }
    }

    /// Returns whether a part was refused and the connection continues without it.
    #[must_use]
    pub fn goes_on_without(&self, part: Part) -> bool {
        let standing = match part {
            Part::Subscriptions => &self.subscriptions,
            Part::Rings => &self.rings,
            Part::AgentState => &self.agent_state,
        };
        matches!(standing, Standing::Refused { goes_on: true, .. })
    }

    /// Returns whether the plan is complete: every part works, or the connection continues without it.
    #[must_use]
    pub fn is_passed(&self) -> bool {
        [&self.subscriptions, &self.rings, &self.agent_state].into_iter().all(Standing::is_passed)
            && self.histories.len() == self.refused
    }

    /// The missing parts.
    #[must_use]
    pub fn lacking(&self) -> Lacking {
        Lacking {
            subscriptions: self.subscriptions.reason(),
            rings: self.rings.reason(),
            agent_state: self.agent_state.reason(),
            histories: self.histories.len(),
        }
    }

    /// The missing parts that were refused, without those that are still expected.
    #[must_use]
    pub fn refused_now(&self) -> Lacking {
        let refused = |standing: &Standing| match standing {
            Standing::Refused { reason, .. } => Some(reason.clone()),
            Standing::Fine | Standing::Awaited => None,
        };
        Lacking {
            subscriptions: refused(&self.subscriptions),
            rings: refused(&self.rings),
            agent_state: refused(&self.agent_state),
            histories: self.refused,
        }
    }

    fn standing(&mut self, part: Part) -> &mut Standing {
        match part {
            Part::Subscriptions => &mut self.subscriptions,
            Part::Rings => &mut self.rings,
            Part::AgentState => &mut self.agent_state,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ALL: [Part; 3] = [Part::Subscriptions, Part::Rings, Part::AgentState];

    #[test]
    fn a_connection_is_through_the_plan_when_each_part_stands_or_is_gone_on_without() {
        let (mut readiness, a, b) = (Readiness::default(), "a".into(), "b".into());
        readiness.begin(&ALL);
        readiness.history_wanted(&a);
        readiness.history_wanted(&b);
        readiness.stands(Part::Subscriptions);
        readiness.refused(Part::Rings, "refused".to_owned(), true);
        readiness.refused(Part::AgentState, "refused".to_owned(), false);
        readiness.history_done(&a);
        assert!(!readiness.is_passed());
        readiness.stands(Part::AgentState);
        assert!(!readiness.is_passed(), "the history of b");
        readiness.history_refused(&b);
        assert!(readiness.is_passed());
        assert_eq!(json!(readiness.lacking()), json!({ "rings": "refused", "histories": 1 }));
        readiness.history_done(&b);
        readiness.stands(Part::Rings);
        assert_eq!(json!(readiness.lacking()), json!({}));
        assert!(readiness.lacking().is_nothing());
    }

    #[test]
    fn histories_that_a_socket_left_unread_are_wanted_on_the_next_one() {
        let (mut readiness, a) = (Readiness::default(), "a".into());
        readiness.history_refused(&a);
        readiness.begin(&[]);
        assert!(readiness.lacking().histories == 1 && !readiness.is_passed());
        assert!(readiness.refused_now().is_nothing());
        readiness.history_done(&a);
        assert!(readiness.is_passed());
    }
}
