//! Which conversations a job is for.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tertulia_actors::{
    conversation::ConversationFilter,
    core::{
        id::{ConnectionId, ConversationId, SkillId},
        time::Timestamp,
        ums::Stage,
    },
};

/// Conversations that can be listed one by one, at most.
pub const LISTED_AT_MOST: usize = 10_000;

/// Which conversations a job is for: those of which everything holds that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Filter {
    /// By which connection they are seen, and acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionId>,
    /// How far they have come. Where nothing is told, those that go on; of listed ones, all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// Their skill.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skill: Option<SkillId>,
    /// Whom they are assigned to, or were at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// They began before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_before: Option<jiff::Timestamp>,
    /// Nothing changed in them since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_before: Option<jiff::Timestamp>,
    /// These only, one by one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversations: Option<Arc<[ConversationId]>>,
    /// Every conversation that goes on is meant. Has to be said where nothing else is.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
}

impl Filter {
    /// Whether anything is told of the conversations that are meant.
    #[must_use]
    pub fn is_told(&self) -> bool {
        *self != Self::default()
    }

    /// What is compared with each conversation.
    pub(super) fn conditions(&self) -> ConversationFilter {
        let Self { stage, skill, agent, started_before, updated_before, conversations, .. } = self;
        let default = conversations.is_none().then_some(Stage::Open);
        let millis = |time: &jiff::Timestamp| Timestamp(time.as_millisecond());
        ConversationFilter {
            stage: stage.clone().or(default),
            skill: skill.clone(),
            agent: agent.clone(),
            started_before: started_before.as_ref().map(millis),
            updated_before: updated_before.as_ref().map(millis),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(filter: &str) -> Filter {
        serde_json::from_str(filter).unwrap()
    }

    #[test]
    fn a_filter_that_tells_nothing_means_nothing() {
        for filter in ["{}", r#"{"all":false}"#] {
            assert!(!read(filter).is_told(), "{filter}");
        }
        for filter in [r#"{"all":true}"#, r#"{"skill":"501"}"#, r#"{"connection":"a"}"#, r#"{"conversations":["c"]}"#] {
            assert!(read(filter).is_told(), "{filter}");
        }
    }

    #[test]
    fn those_that_go_on_are_meant_unless_a_stage_is_told_or_they_are_listed() {
        let stage = |filter: &str| read(filter).conditions().stage;
        assert_eq!(stage(r#"{"all":true}"#), Some(Stage::Open));
        assert_eq!(stage(r#"{"stage":"CLOSE"}"#), Some(Stage::Close));
        assert_eq!(stage(r#"{"conversations":["c"]}"#), None);
        let before = read(r#"{"updatedBefore":"1970-01-01T00:00:01Z"}"#).conditions().updated_before;
        assert_eq!(before, Some(Timestamp(1_000)));
    }
}
