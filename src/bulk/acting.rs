//! Which connection acts on a conversation that several connections see.

use tertulia_actors::{
    conversation::ConversationSummary,
    core::{command::Identity, ums::Dialect},
};

/// How suitable a connection is to act on a conversation, the best first. Among equals the first by name acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// The conversation is assigned to the connection's agent, who has the most rights on the platform.
    Assigned,
    /// The connection's agent participates.
    TakesPart,
    /// The connection's agent sees the conversation.
    Sees,
    /// The connection is the consumer's own.
    Consumer,
}

impl Standing {
    /// The standing of the connection with `identity`; `None` if it cannot act at all. A connection has no identity
    /// before its first login.
    pub(super) fn of(summary: &ConversationSummary, identity: Option<&Identity>, is_for_agents: bool) -> Option<Self> {
        if summary.dialect == Dialect::Consumer {
            return (!is_for_agents).then_some(Self::Consumer);
        }
        let is_own = |id: &str| match identity {
            Some(Identity::Brand { agent_id, user_id, .. }) => *agent_id == *id || *user_id == *id,
            Some(Identity::Consumer { .. } | Identity::Connector { .. }) | None => false,
        };
        let own = summary.participants.iter().find(|participant| {
            is_own(participant.user_id.as_str())
                || participant.agent_id.as_ref().is_some_and(|agent_id| is_own(agent_id.as_str()))
        });
        Some(match own {
            Some(own) if own.is_assigned() => Self::Assigned,
            Some(_) => Self::TakesPart,
            None => Self::Sees,
        })
    }
}

#[cfg(test)]
mod tests {
    use tertulia_actors::{
        conversation::Outline,
        core::{
            conversation::Participant,
            ums::{ChatState, ParticipantRole, ParticipantStatus},
        },
    };

    use super::*;

    fn agent(user: &str) -> Identity {
        Identity::Brand {
            account: "1".into(),
            agent_id: format!("1.{user}").as_str().into(),
            user_id: format!("pid-{user}").as_str().into(),
            name: None,
        }
    }

    fn summary(dialect: Dialect) -> ConversationSummary {
        let participant = |role, user: &str| Participant {
            user_id: format!("pid-{user}").as_str().into(),
            agent_id: Some(format!("1.{user}").as_str().into()),
            role,
            state: ParticipantStatus::Active,
            chat_state: ChatState::Active,
        };
        ConversationSummary {
            id: "c".into(),
            dialect,
            outline: Outline::default(),
            held: true,
            participants: vec![
                participant(ParticipantRole::AssignedAgent, "7"),
                participant(ParticipantRole::Manager, "8"),
            ],
        }
    }

    #[test]
    fn the_order_is_assigned_participating_seeing_and_consumer() {
        let standing = |user: &str| Standing::of(&summary(Dialect::Brand), Some(&agent(user)), false);
        let expected = [Standing::Assigned, Standing::TakesPart, Standing::Sees].map(Some);
        assert_eq!(["7", "8", "9"].map(standing), expected);
        let consumer = Standing::of(&summary(Dialect::Consumer), None, false);
        assert_eq!(consumer, Some(Standing::Consumer));
        assert!(expected.iter().all(|agents| *agents < consumer));
    }

    #[test]
    fn a_consumer_does_not_act_if_only_agents_can() {
        assert_eq!(Standing::of(&summary(Dialect::Consumer), None, true), None);
        assert_eq!(Standing::of(&summary(Dialect::Brand), None, true), Some(Standing::Sees));
    }
}
