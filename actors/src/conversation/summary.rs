//! What lists and bulk work need of a conversation, read from the store: whoever sleeps there sleeps on.

use tertulia_core::{
    conversation::{Conversation as Model, Dialog, Participant},
    id::{ConversationId, SkillId},
    time::Timestamp,
    ums::{Dialect, ParticipantRole, Stage},
};

use super::Snapshot;
use crate::engine::Record;

/// A conversation in brief, as it was after its last event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationSummary {
    /// Which.
    pub id: ConversationId,
    /// As whose its connection sees it.
    pub dialect: Dialect,
    /// How far it has come; unknown before the first state.
    pub stage: Option<Stage>,
    /// The skill; `-1` is none.
    pub skill_id: Option<SkillId>,
    /// Who takes part in its open dialog; nobody once it is closed.
    pub participants: Vec<Participant>,
    /// When it began.
    pub start_time: Option<Timestamp>,
    /// The version of its state.
    pub update_time: Option<Timestamp>,
    /// When it ended.
    pub close_time: Option<Timestamp>,
}

impl ConversationSummary {
    /// Reads a record of the snapshots; `None` where it is of another shape.
    pub(crate) fn read(record: &Record) -> Option<Self> {
        let text = std::str::from_utf8(&record.value).ok()?;
        Snapshot::read(text).ok().map(|snapshot| Self::of(snapshot.conversation()))
    }

    fn of(conversation: &Model) -> Self {
        let open = conversation.open_dialog().filter(|_| conversation.is_open());
        Self {
            id: conversation.id().clone(),
            dialect: conversation.dialect(),
            stage: conversation.stage().cloned(),
            skill_id: conversation.skill_id().cloned(),
            participants: open.map(Dialog::participants).unwrap_or_default().to_vec(),
            start_time: conversation.start_time(),
            update_time: conversation.update_time(),
            close_time: conversation.close_time(),
        }
    }

    /// Whether it goes on; assumed until told.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !matches!(self.stage, Some(Stage::Close | Stage::Locked))
    }

    /// The agent it is assigned to; one who is merely suggested counts (CV-M2).
    #[must_use]
    pub fn assigned_agent(&self) -> Option<&Participant> {
        self.participants.iter().find(|participant| participant.is_assigned())
    }

    /// Whose conversation it is (CV-M4).
    #[must_use]
    pub fn consumer(&self) -> Option<&Participant> {
        self.participants.iter().find(|participant| participant.role == ParticipantRole::Consumer)
    }
}

/// Which conversations are meant: those of which everything holds that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConversationFilter {
    /// How far they have come. One of which nothing is known yet counts as open.
    pub stage: Option<Stage>,
    /// Their skill.
    pub skill: Option<SkillId>,
    /// Whom they are assigned to: a public id, `account.user`, or the user alone.
    pub agent: Option<String>,
    /// They began before. One of which it is not known when does not.
    pub started_before: Option<Timestamp>,
    /// Nothing changed in them since. One of which it is not known when does not count.
    pub updated_before: Option<Timestamp>,
}

impl ConversationFilter {
    /// Whether the conversation is meant.
    #[must_use]
    pub fn matches(&self, summary: &ConversationSummary) -> bool {
        let Self { stage, skill, agent, started_before, updated_before } = self;
        let is_before = |limit: &Option<Timestamp>, time: Option<Timestamp>| {
            limit.is_none_or(|limit| time.is_some_and(|time| time < limit))
        };
        let present = summary.stage.as_ref().unwrap_or(&Stage::Open);
        stage.as_ref().is_none_or(|stage| stage == present)
            && (skill.is_none() || *skill == summary.skill_id)
            && agent.as_ref().is_none_or(|agent| summary.assigned_agent().is_some_and(|assigned| is(assigned, agent)))
            && is_before(started_before, summary.start_time)
            && is_before(updated_before, summary.update_time)
    }
}

fn is(participant: &Participant, agent: &str) -> bool {
    let user = participant.agent_id.as_ref().and_then(|id| id.as_str().rsplit_once('.'));
    participant.is(agent) || user.is_some_and(|(_, user)| user == agent)
}

#[cfg(test)]
mod tests {
    use tertulia_core::{
        id::{AgentId, UserId},
        ums::{ChatState, ParticipantStatus},
    };

    use super::*;

    fn participant(role: ParticipantRole, user: &str, agent: Option<&str>) -> Participant {
        Participant {
            user_id: UserId::from(user),
            agent_id: agent.map(AgentId::from),
            role,
            state: ParticipantStatus::Active,
            chat_state: ChatState::Active,
        }
    }

    fn summary() -> ConversationSummary {
        ConversationSummary {
            id: "c1".into(),
            dialect: Dialect::Brand,
            stage: Some(Stage::Open),
            skill_id: Some("501".into()),
            participants: vec![
                participant(ParticipantRole::Consumer, "anna", None),
                participant(ParticipantRole::AssignedAgent, "6f-1", Some("12345678.7")),
                participant(ParticipantRole::Manager, "6f-2", Some("12345678.8")),
            ],
            start_time: Some(Timestamp(1_000)),
            update_time: Some(Timestamp(2_000)),
            close_time: None,
        }
    }

    #[test]
    fn a_filter_without_conditions_means_every_conversation() {
        assert!(ConversationFilter::default().matches(&summary()));
    }

    #[test]
    fn an_agent_is_meant_by_public_id_by_agent_id_and_by_user_if_it_is_assigned() {
        for (agent, is_meant) in [("6f-1", true), ("12345678.7", true), ("7", true), ("8", false), ("anna", false)] {
            let filter = ConversationFilter { agent: Some(agent.to_owned()), ..ConversationFilter::default() };
            assert_eq!(filter.matches(&summary()), is_meant, "{agent}");
        }
    }

    #[test]
    fn every_condition_that_is_given_must_hold() {
        let all = ConversationFilter {
            stage: Some(Stage::Open),
            skill: Some("501".into()),
            agent: Some("7".to_owned()),
            started_before: Some(Timestamp(1_001)),
            updated_before: Some(Timestamp(2_001)),
        };
        assert!(all.matches(&summary()));
        for one_fails in [
            ConversationFilter { stage: Some(Stage::Close), ..all.clone() },
            ConversationFilter { skill: Some("502".into()), ..all.clone() },
            ConversationFilter { agent: Some("8".to_owned()), ..all.clone() },
            ConversationFilter { started_before: Some(Timestamp(1_000)), ..all.clone() },
            ConversationFilter { updated_before: Some(Timestamp(2_000)), ..all.clone() },
        ] {
            assert!(!one_fails.matches(&summary()), "{one_fails:?}");
        }
    }

    #[test]
    fn what_is_not_known_of_a_conversation_is_never_before_and_always_open() {
        let unknown = ConversationSummary { stage: None, start_time: None, update_time: None, ..summary() };
        let far = Some(Timestamp(i64::MAX));
        let open = ConversationFilter { stage: Some(Stage::Open), ..ConversationFilter::default() };
        assert!(open.matches(&unknown));
        assert!(!ConversationFilter { started_before: far, ..open.clone() }.matches(&unknown));
        assert!(!ConversationFilter { updated_before: far, ..open }.matches(&unknown));
    }
}
