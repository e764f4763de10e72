//! The conversations that a job selects.

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

/// The most conversations that a filter can list.
pub const LISTED_AT_MOST: usize = 10_000;

/// Selects conversations that satisfy all given conditions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Filter {
    /// The connection that sees the conversations and acts on them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionId>,
    /// The stage. By default only open conversations, but all stages if conversations are listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// The skill.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skill: Option<SkillId>,
    /// The assigned agent; for closed conversations the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Only conversations that began before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_before: Option<jiff::Timestamp>,
    /// Only conversations that have not changed since this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_before: Option<jiff::Timestamp>,
    /// Only these conversations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversations: Option<Arc<[ConversationId]>>,
    /// Selects every open conversation; required if there is no other condition.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
}

impl Filter {
    /// Whether the filter has any condition or `all`.
    #[must_use]
    pub fn has_condition(&self) -> bool {
        *self != Self::default()
    }

    /// The conditions to check for each conversation.
    pub(super) fn conditions(&self) -> ConversationFilter {
        let Self { stage, skill, agent, started_before, updated_before, conversations, .. } = self;
        let default = conversations.is_none().then_some(Stage::Open);
        let millis = |time: &jiff::Timestamp| Timestamp(time.as_millisecond());
        ConversationFilter {
            stage: stage.clone().or(default),
            skill: skill.clone(),
            agent: agent.clone(),
            consumer: None,
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
    fn an_empty_filter_has_no_condition() {
        for filter in ["{}", r#"{"all":false}"#] {
            assert!(!read(filter).has_condition(), "{filter}");
        }
        for filter in [r#"{"all":true}"#, r#"{"skill":"501"}"#, r#"{"connection":"a"}"#, r#"{"conversations":["c"]}"#] {
            assert!(read(filter).has_condition(), "{filter}");
        }
    }

    #[test]
    fn open_conversations_match_unless_a_stage_or_a_list_is_given() {
        let stage = |filter: &str| read(filter).conditions().stage;
        assert_eq!(stage(r#"{"all":true}"#), Some(Stage::Open));
        assert_eq!(stage(r#"{"stage":"CLOSE"}"#), Some(Stage::Close));
        assert_eq!(stage(r#"{"conversations":["c"]}"#), None);
        let before = read(r#"{"updatedBefore":"1970-01-01T00:00:01Z"}"#).conditions().updated_before;
        assert_eq!(before, Some(Timestamp(1_000)));
    }
}
