//! A conversation's members, one by one.

use serde_json::value::RawValue;

use super::{Conversation, Dialog, Participant};
use crate::{
    id::{AccountId, ConversationId, SkillId, UserId},
    time::Timestamp,
    ums::{CloseReason, Csat, Delay, Stage, TtrType},
};

impl Conversation {
    /// The conversation's id; also the id of its MAIN dialog.
    #[must_use]
    pub fn id(&self) -> &ConversationId {
        &self.id
    }

    /// The brand's account.
    #[must_use]
    pub fn account_id(&self) -> Option<&AccountId> {
        self.members.account_id.as_ref()
    }

    /// The installation of the connector that created the conversation ([CV-M1](crate::rules#cv-m1)).
    #[must_use]
    pub fn app_inst_id(&self) -> Option<&str> {
        self.members.app_inst_id.as_deref()
    }

    /// The agent assigned in the open dialog; `None` if the conversation is closed ([CV-M2](crate::rules#cv-m2)).
    #[must_use]
    pub fn assigned_agent(&self) -> Option<&Participant> {
        self.open_dialog().filter(|_| self.is_open()).and_then(Dialog::assigned_agent)
    }

    /// The consumer in the open dialog; `None` if the conversation is closed ([CV-M4](crate::rules#cv-m4)).
    #[must_use]
    pub fn consumer(&self) -> Option<&Participant> {
        self.open_dialog().filter(|_| self.is_open()).and_then(Dialog::consumer)
    }

    /// The campaign that led to the conversation ([CV-M3](crate::rules#cv-m3)).
    #[must_use]
    pub fn campaign_id(&self) -> Option<&str> {
        self.members.campaign_id.as_deref()
    }

    /// The engagement within the campaign.
    #[must_use]
    pub fn engagement_id(&self) -> Option<&str> {
        self.members.engagement_id.as_deref()
    }

    /// The account that handles the conversation now ([CV-M5](crate::rules#cv-m5)).
    #[must_use]
    pub fn handler_account_id(&self) -> Option<&AccountId> {
        self.members.handler_account_id.as_ref()
    }

    /// The handling account's skill.
    #[must_use]
    pub fn handler_skill_id(&self) -> Option<&SkillId> {
        self.members.handler_skill_id.as_ref()
    }

    /// The agents' note as the platform stores it ([CV-M6](crate::rules#cv-m6)).
    #[must_use]
    pub fn note(&self) -> Option<&str> {
        self.members.note.as_deref()
    }

    /// The number of states processed, including the first ([CV-M7](crate::rules#cv-m7)).
    #[must_use]
    pub fn notification_count(&self) -> u64 {
        self.counters.processed
    }

    /// The number of states ignored because they repeat the known state ([CV-M8](crate::rules#cv-m8)).
    #[must_use]
    pub fn notification_ignored_count(&self) -> u64 {
        self.counters.ignored
    }

    /// The number of states dropped because they are older than the known state ([CV-M9](crate::rules#cv-m9)).
    #[must_use]
    pub fn notification_out_of_order_count(&self) -> u64 {
        self.counters.out_of_order
    }

    /// The number of unread messages by participant ([CV-M10](crate::rules#cv-m10)); `None` if the dialect does not
    /// report it. Returned by user id, each user once, although the platform counts agents by agent id. A former
    /// participant stays under the id that was sent.
    #[must_use]
    pub fn number_of_unread_messages(&self) -> Option<Vec<(UserId, u64)>> {
        let unread = self.members.number_of_unread_messages.as_ref()?;
        Some(unread.by_user_id(|| self.dialogs.iter().flat_map(Dialog::participants)))
    }

    /// The messages that one participant has not read; `None` if the platform does not report it.
    #[must_use]
    pub fn unread_by(&self, participant: &Participant) -> Option<u64> {
        self.members.number_of_unread_messages.as_ref()?.of(participant)
    }

    /// The time until which the agent must respond ([CV-M11](crate::rules#cv-m11)).
    #[must_use]
    pub fn ttr_effective(&self) -> Option<Timestamp> {
        self.members.ttr_effective
    }

    /// The deadline set by an agent.
    #[must_use]
    pub fn ttr_effective_manual(&self) -> Option<Timestamp> {
        self.members.ttr_effective_manual
    }

    /// How the response time is set.
    #[must_use]
    pub fn ttr_type(&self) -> Option<&TtrType> {
        self.members.ttr_type.as_ref()
    }

    /// The response time in seconds.
    #[must_use]
    pub fn ttr_value(&self) -> Option<i64> {
        self.members.ttr_value
    }

    /// The stage of the whole conversation; `None` before the first state.
    #[must_use]
    pub fn stage(&self) -> Option<&Stage> {
        self.members.stage.as_ref()
    }

    /// The skill; `-1` means no skill.
    #[must_use]
    pub fn skill_id(&self) -> Option<&SkillId> {
        self.members.skill_id.as_ref()
    }

    /// The agent group.
    #[must_use]
    pub fn group_id(&self) -> Option<&str> {
        self.members.group_id.as_deref()
    }

    /// The consumer's satisfaction.
    #[must_use]
    pub fn csat(&self) -> Option<&Csat> {
        self.members.csat.as_deref()
    }

    /// The time from which the response time counts.
    #[must_use]
    pub fn delay(&self) -> Option<&Delay> {
        self.members.delay.as_deref()
    }

    /// When it began.
    #[must_use]
    pub fn start_time(&self) -> Option<Timestamp> {
        self.members.start_time
    }

    /// The version of the known state.
    #[must_use]
    pub fn update_time(&self) -> Option<Timestamp> {
        self.members.update_time
    }

    /// When it ended.
    #[must_use]
    pub fn close_time(&self) -> Option<Timestamp> {
        self.members.close_time
    }

    /// Who ended it.
    #[must_use]
    pub fn close_reason(&self) -> Option<&CloseReason> {
        self.members.close_reason.as_ref()
    }

    /// Whether this is the consumer's first conversation.
    #[must_use]
    pub fn first_conversation(&self) -> Option<bool> {
        self.members.first_conversation
    }

    /// The consumer's source and device, from the first state that has them.
    #[must_use]
    pub fn context(&self) -> Option<&RawValue> {
        self.members.context.as_deref()
    }
}
