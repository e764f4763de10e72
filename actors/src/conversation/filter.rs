//! Selects the conversations of a list or of bulk work.

use tertulia_core::{id::SkillId, time::Timestamp, ums::Stage};

use super::Outline;

/// Selects conversations that meet every given condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConversationFilter {
    /// The stage. A conversation without a known stage counts as open.
    pub stage: Option<Stage>,
    /// The skill.
    pub skill: Option<SkillId>,
    /// The assigned agent, or the last agent of a closed conversation: a public id, `account.user`, or the user alone.
    pub agent: Option<String>,
    /// The consumer, or the last consumer of a closed conversation: the public id, or a connector's own id.
    pub consumer: Option<String>,
    /// Began before this time. A conversation whose start is unknown does not match.
    pub started_before: Option<Timestamp>,
    /// Not updated since this time. A conversation whose last update is unknown does not match.
    pub updated_before: Option<Timestamp>,
}

impl ConversationFilter {
    /// Returns whether the conversation matches.
    #[must_use]
    pub fn matches(&self, outline: &Outline) -> bool {
        let Self { stage, skill, agent, consumer, started_before, updated_before } = self;
        let is_before = |limit: &Option<Timestamp>, time: Timestamp| {
            limit.is_none_or(|limit| time.when_set().is_some_and(|time| time < limit))
        };
        stage.as_ref().is_none_or(|stage| stage == outline.stage().unwrap_or(&Stage::Open))
            && skill.as_ref().is_none_or(|skill| outline.skill_id() == Some(skill))
            && agent.as_ref().is_none_or(|agent| outline.agent().is_some_and(|own| own.is(agent)))
            && consumer.as_ref().is_none_or(|consumer| outline.is_of_consumer(consumer))
            && is_before(started_before, outline.start_time)
            && is_before(updated_before, outline.update_time)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::conversation::{Assignee, Assignment};

    fn outline() -> Outline {
        let agent = Assignee { user_id: "6f-1".into(), agent_id: Some("12345678.7".into()) };
        let assignment = Assignment { stage: Some(Stage::Open), skill_id: Some("501".into()), agent: Some(agent) };
        Outline {
            assignment: Some(Arc::new(assignment)),
            consumer: Some("anna".into()),
            start_time: Timestamp(1_000),
            update_time: Timestamp(2_000),
            ..Outline::default()
        }
    }

    #[test]
    fn a_filter_without_conditions_means_every_conversation() {
        assert!(ConversationFilter::default().matches(&outline()));
        assert!(ConversationFilter::default().matches(&Outline::default()));
    }

    #[test]
    fn an_agent_is_meant_by_public_id_by_agent_id_and_by_user_if_it_is_assigned() {
        for (agent, is_meant) in [("6f-1", true), ("12345678.7", true), ("7", true), ("8", false), ("anna", false)] {
            let filter = ConversationFilter { agent: Some(agent.to_owned()), ..ConversationFilter::default() };
            assert_eq!(filter.matches(&outline()), is_meant, "{agent}");
        }
    }

    #[test]
    fn every_condition_that_is_given_must_hold() {
        let all = ConversationFilter {
            stage: Some(Stage::Open),
            skill: Some("501".into()),
            agent: Some("7".to_owned()),
            consumer: Some("anna".to_owned()),
            started_before: Some(Timestamp(1_001)),
            updated_before: Some(Timestamp(2_001)),
        };
        assert!(all.matches(&outline()));
        for one_fails in [
            ConversationFilter { stage: Some(Stage::Close), ..all.clone() },
            ConversationFilter { skill: Some("502".into()), ..all.clone() },
            ConversationFilter { agent: Some("8".to_owned()), ..all.clone() },
            ConversationFilter { consumer: Some("ann".to_owned()), ..all.clone() },
            ConversationFilter { started_before: Some(Timestamp(1_000)), ..all.clone() },
            ConversationFilter { updated_before: Some(Timestamp(2_000)), ..all.clone() },
        ] {
            assert!(!one_fails.matches(&outline()), "{one_fails:?}");
        }
    }

    #[test]
    fn what_is_not_known_of_a_conversation_is_never_before_and_always_open() {
        let (unknown, far) = (Outline::default(), Some(Timestamp(i64::MAX)));
        let open = ConversationFilter { stage: Some(Stage::Open), ..ConversationFilter::default() };
        assert!(open.matches(&unknown));
        assert!(!ConversationFilter { started_before: far, ..open.clone() }.matches(&unknown));
        assert!(!ConversationFilter { updated_before: far, ..open }.matches(&unknown));
    }
}
