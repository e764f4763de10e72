//! What an accepted notification tells the world: the events of the class page and those beside it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Participant;
use crate::{
    command::{HostedFile, Identity},
    id::{DialogId, ExternalConsumerId, SkillId, UserId},
    time::Timestamp,
    ums::{
        ChannelType, ChatState, CloseReason, ContentType, DeliveryStatus, DialogStatus, DialogType, MessageAudience,
        ParticipantRole, TtrType,
    },
};

/// One thing that happened in a conversation.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum ConversationEvent {
    /// Its first state arrived.
    #[serde(rename_all = "camelCase")]
    Conversation {
        /// The connector's own id of the consumer for whom it speaks here.
        #[serde(skip_serializing_if = "Option::is_none")]
        external_consumer_id: Option<ExternalConsumerId>,
    },
    /// A message, in the order of its dialog ([MS-1](crate::rules#ms-1)).
    Message(Arc<Message>),
    /// A receipt for earlier messages ([MS-7](crate::rules#ms-7)).
    MessageDelivery(MessageDelivery),
    /// The stage became CLOSE.
    #[serde(rename_all = "camelCase")]
    Close {
        /// When.
        close_time: Option<Timestamp>,
        /// By whom.
        close_reason: Option<CloseReason>,
    },
    /// A dialog not seen before.
    #[serde(rename_all = "camelCase")]
    Dialog {
        /// Which.
        dialog_id: DialogId,
        /// What it is for.
        dialog_type: Option<DialogType>,
        /// Its medium.
        channel_type: Option<ChannelType>,
        /// Whether it goes on.
        state: DialogStatus,
    },
    /// A dialog closed ([CV-E1](crate::rules#cv-e1)).
    #[serde(rename_all = "camelCase")]
    DialogClose {
        /// Which.
        dialog_id: DialogId,
        /// The present state.
        state: DialogStatus,
        /// The version of the dialog's state.
        meta_data_last_update_ts: Option<Timestamp>,
        /// Who took part.
        participants_details: Vec<Participant>,
        /// Who closed it.
        closed_by: Option<CloseReason>,
        /// Why, in words.
        closed_cause: Option<String>,
    },
    /// Nobody is assigned any more, and the skill is the same ([CV-E2](crate::rules#cv-e2)).
    #[serde(rename_all = "camelCase")]
    BackToQueue {
        /// In which dialog.
        dialog_id: DialogId,
    },
    /// The consumer was replaced by another user id ([CV-E3](crate::rules#cv-e3)).
    #[serde(rename_all = "camelCase")]
    ConsumerStepUp {
        /// In which dialog.
        dialog_id: DialogId,
        /// Who was the consumer.
        previous: Participant,
        /// Who is the consumer.
        participant: Participant,
    },
    /// The agent group changed ([CV-E4](crate::rules#cv-e4)).
    #[serde(rename_all = "camelCase")]
    GroupChange {
        /// The old group.
        prev_group_id: Option<Arc<str>>,
        /// The new group.
        new_group_id: Option<Arc<str>>,
    },
    /// The skill changed.
    #[serde(rename_all = "camelCase")]
    SkillChange {
        /// The old skill.
        prev_skill_id: Option<SkillId>,
        /// The new skill.
        new_skill_id: Option<SkillId>,
    },
    /// An agent set the deadline ([CV-E5](crate::rules#cv-e5)).
    #[serde(rename_all = "camelCase")]
    ManualEttrChange {
        /// The deadline set.
        ttr_effective_manual: Option<Timestamp>,
        /// The deadline in force.
        ttr_effective: Option<Timestamp>,
    },
    /// Somebody takes part ([CV-E6](crate::rules#cv-e6)).
    #[serde(rename_all = "camelCase")]
    ParticipantAdded {
        /// In which dialog.
        dialog_id: DialogId,
        /// Who.
        participant: Participant,
        /// How it came about.
        context: AdditionContext,
    },
    /// Somebody who took part left ([CV-E7](crate::rules#cv-e7)).
    #[serde(rename_all = "camelCase")]
    ParticipantRemoved {
        /// In which dialog.
        dialog_id: DialogId,
        /// Who.
        participant: Participant,
    },
    /// Somebody was proposed ([CV-E8](crate::rules#cv-e8)).
    #[serde(rename_all = "camelCase")]
    ParticipantSuggested {
        /// In which dialog.
        dialog_id: DialogId,
        /// Who.
        participant: Participant,
    },
    /// Somebody who was proposed is so no more ([CV-E9](crate::rules#cv-e9)).
    #[serde(rename_all = "camelCase")]
    ParticipantSuggestedRemoved {
        /// In which dialog.
        dialog_id: DialogId,
        /// Who.
        participant: Participant,
    },
    /// Somebody who takes part, or is proposed, does so in another role now ([DG-N6](crate::rules#dg-n6)).
    #[serde(rename_all = "camelCase")]
    ParticipantRoleChange {
        /// In which dialog.
        dialog_id: DialogId,
        /// Who, in the new role.
        participant: Participant,
        /// The role before.
        previous_role: ParticipantRole,
    },
    /// The conversation is offered to another agent ([CV-E10](crate::rules#cv-e10)).
    #[serde(rename_all = "camelCase")]
    TransferAgent {
        /// In which dialog.
        dialog_id: DialogId,
        /// The agent transferred to.
        participant: Participant,
    },
    /// The skill changed and nobody is assigned ([CV-E11](crate::rules#cv-e11)).
    #[serde(rename_all = "camelCase")]
    TransferSkill {
        /// In which dialog.
        dialog_id: DialogId,
        /// The skill transferred to.
        skill_id: SkillId,
    },
    /// The response time changed ([CV-E12](crate::rules#cv-e12)).
    #[serde(rename_all = "camelCase")]
    TtrChange {
        /// In seconds.
        ttr_value: Option<i64>,
        /// How it is set.
        ttr_type: Option<TtrType>,
        /// The deadline in force.
        ttr_effective: Option<Timestamp>,
    },
    /// Somebody types, stopped typing, came or went.
    #[serde(rename_all = "camelCase")]
    ChatState {
        /// In which dialog.
        dialog_id: DialogId,
        /// Who.
        user_id: Option<UserId>,
        /// What they are doing.
        chat_state: ChatState,
    },
    /// A notification repeated the state that is held ([CV-N2](crate::rules#cv-n2)).
    NotificationIgnored {},
    /// A notification was older than the state that is held ([CV-N4](crate::rules#cv-n4)), or what it says of one
    /// dialog was ([DG-N2](crate::rules#dg-n2)).
    #[serde(rename_all = "camelCase")]
    NotificationOutOfOrder {
        /// The dialog, if the rest of the state was taken.
        #[serde(skip_serializing_if = "Option::is_none")]
        dialog_id: Option<DialogId>,
    },
    /// Sequences that the platform could not give; delivery goes on behind them (promise 2).
    #[serde(rename_all = "camelCase")]
    Gap {
        /// In which dialog.
        dialog_id: DialogId,
        /// The first sequence missing.
        from: u64,
        /// The last sequence missing, as far as is known.
        to: u64,
        /// Whether they are still asked for and may come: delivery waits for them.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        awaited: bool,
    },
}

/// How a participant came to take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AdditionContext {
    /// Whether the participant had been proposed before.
    pub previously_suggested: bool,
}

/// A message of a dialog.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// In which dialog.
    pub dialog_id: DialogId,
    /// Its place in the dialog, from 0.
    pub sequence: u64,
    /// Who wrote it.
    pub originator_id: Option<UserId>,
    /// The writer's role at that time.
    pub role: Option<ParticipantRole>,
    /// Who may read it.
    pub message_audience: MessageAudience,
    /// What the body is; nothing for rich content.
    pub content_type: Option<ContentType>,
    /// A string for text, an object for everything else, as the platform sent it.
    pub body: Box<RawValue>,
    /// The metadata of the publishing request, an array.
    pub metadata: Option<Box<RawValue>>,
    /// Suggested answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quick_replies: Option<Box<RawValue>>,
    /// When the platform took it.
    pub time: Option<Timestamp>,
    /// It is not news: it was said before the conversation came to this connection ([`super::Arrival`]).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub back_filled: bool,
    /// The connector's own id of the consumer for whom it speaks in the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_consumer_id: Option<ExternalConsumerId>,
}

/// A receipt.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageDelivery {
    /// In which dialog.
    pub dialog_id: DialogId,
    /// The receipt's own place in the dialog.
    pub sequence: u64,
    /// Whose receipt.
    pub originator_id: Option<UserId>,
    /// The reader's role at that time.
    pub role: Option<ParticipantRole>,
    /// What became of the messages.
    pub status: DeliveryStatus,
    /// Which messages.
    pub sequences: Vec<u64>,
    /// When.
    pub time: Option<Timestamp>,
}

impl Message {
    /// The text, if the body is text.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        serde_json::from_str(self.body.get()).ok()
    }

    /// Whether `who` wrote it.
    #[must_use]
    pub fn is_by(&self, who: &Identity) -> bool {
        let Some(writer) = &self.originator_id else { return false };
        let is_agent = matches!(who, Identity::Brand { agent_id, .. } if *agent_id == *writer.as_str());
        is_agent || writer == who.user_id()
    }

    /// The file that the message tells of, which can be downloaded by its path ([FL-4](crate::rules#fl-4)).
    #[must_use]
    pub fn file(&self) -> Option<HostedFile> {
        let is_file = self.content_type == Some(ContentType::HostedFile);
        is_file.then(|| serde_json::from_str(self.body.get()).ok()).flatten()
    }
}

impl ConversationEvent {
    /// The event's name, as the class page and the event stream have it (`tertulia.` goes before it).
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Conversation { .. } => "conversation",
            Self::Message(_) => "message",
            Self::MessageDelivery(_) => "message-delivery",
            Self::Close { .. } => "close",
            Self::Dialog { .. } => "dialog",
            Self::DialogClose { .. } => "dialog.close",
            Self::BackToQueue { .. } => "back-to-queue",
            Self::ConsumerStepUp { .. } => "consumer-step-up",
            Self::GroupChange { .. } => "group-change",
            Self::SkillChange { .. } => "skill-change",
            Self::ManualEttrChange { .. } => "manual-ettr-change",
            Self::ParticipantAdded { .. } => "participant-added",
            Self::ParticipantRemoved { .. } => "participant-removed",
            Self::ParticipantSuggested { .. } => "participant-suggested",
            Self::ParticipantSuggestedRemoved { .. } => "participant-suggested-removed",
            Self::ParticipantRoleChange { .. } => "participant-role-change",
            Self::TransferAgent { .. } => "transfer-agent",
            Self::TransferSkill { .. } => "transfer-skill",
            Self::TtrChange { .. } => "ttr-change",
            Self::ChatState { .. } => "chat-state",
            Self::NotificationIgnored {} => "notification-ignored",
            Self::NotificationOutOfOrder { .. } => "notification-out-of-order",
            Self::Gap { .. } => "gap",
        }
    }
}
