//! The events of a conversation: those of the class page and additional ones.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{PageText, Participant};
use crate::{
    command::{HostedFile, Identity},
    id::{DialogId, ExternalConsumerId, SkillId, UserId},
    time::Timestamp,
    ums::{
        ChannelType, ChatState, CloseReason, ContentType, DeliveryStatus, DialogStatus, DialogType, MessageAudience,
        ParticipantRole, TtrType,
    },
};

/// One event of a conversation.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum ConversationEvent {
    /// The first state of the conversation arrived. Carries all members of [`super::Conversation::members`] after that
    /// state, as the text of an object.
    Conversation(#[cfg_attr(feature = "openapi", schema(inline))] PageText),
    /// A notification changed members that no other event reports. Follows the other events of the notification.
    #[cfg_attr(feature = "openapi", schema(title = "update"))]
    Update {
        /// The members of [`super::Conversation::members`] that changed, with their new values, as the text of an
        /// object. The value of a member that was unset is null.
        #[cfg_attr(feature = "openapi", schema(value_type = Object))]
        changed: PageText,
    },
    /// A message, in the order of its dialog ([MS-1](crate::rules#ms-1)).
    Message(Arc<Message>),
    /// A receipt for earlier messages ([MS-7](crate::rules#ms-7)).
    MessageDelivery(MessageDelivery),
    /// The stage became CLOSE.
    #[serde(rename_all = "camelCase")]
    #[cfg_attr(feature = "openapi", schema(title = "close"))]
    Close {
        /// The time.
        close_time: Option<Timestamp>,
        /// The closing side.
        close_reason: Option<CloseReason>,
    },
    /// A new dialog.
    #[serde(rename_all = "camelCase")]
    #[cfg_attr(feature = "openapi", schema(title = "dialog"))]
    Dialog {
        /// The dialog's id.
        dialog_id: DialogId,
        /// The dialog's purpose.
        dialog_type: Option<DialogType>,
        /// The medium.
        channel_type: Option<ChannelType>,
        /// Whether it is open.
        state: DialogStatus,
    },
    /// A dialog closed ([CV-E1](crate::rules#cv-e1)).
    #[serde(rename_all = "camelCase")]
    #[cfg_attr(feature = "openapi", schema(title = "dialog.close"))]
    DialogClose {
        /// The dialog's id.
        dialog_id: DialogId,
        /// The present state.
        state: DialogStatus,
        /// The version of the dialog's state.
        meta_data_last_update_ts: Option<Timestamp>,
        /// The participants at the end.
        participants_details: Vec<Participant>,
        /// Who closed it.
        closed_by: Option<CloseReason>,
        /// The cause, as text.
        closed_cause: Option<String>,
    },
    /// The conversation has no assignee any more, and the skill is the same ([CV-E2](crate::rules#cv-e2)).
    #[serde(rename_all = "camelCase")]
    #[cfg_attr(feature = "openapi", schema(title = "back-to-queue"))]
    BackToQueue {
        /// The dialog.
        dialog_id: DialogId,
    },
    /// The consumer was replaced by another user id ([CV-E3](crate::rules#cv-e3)).
    #[serde(rename_all = "camelCase")]
    #[cfg_attr(feature = "openapi", schema(title = "consumer-step-up"))]
    ConsumerStepUp {
        /// The dialog.
        dialog_id: DialogId,
        /// The previous consumer.
        previous: Participant,
        /// The new consumer.
        participant: Participant,
    },
    /// The agent group changed ([CV-E4](crate::rules#cv-e4)).
    #[serde(rename_all = "camelCase")]
    #[cfg_attr(feature = "openapi", schema(title = "group-change"))]
    GroupChange {
        /// The old group.
        prev_group_id: Option<Arc<str>>,
        /// The new group.
        new_group_id: Option<Arc<str>>,
    },
    /// The skill changed.
    #[serde(rename_all = "camelCase")]
    #[cfg_attr(feature = "openapi", schema(title = "skill-change"))]
    SkillChange {
        /// The old skill.
        prev_skill_id: Option<SkillId>,
        /// The new skill.
        new_skill_id: Option<SkillId>,
    },
    /// An agent set the deadline ([CV-E5](crate::rules#cv-e5)).
    #[serde(rename_all = "camelCase")]
    #[cfg_attr(feature = "openapi", schema(title = "manual-ettr-change"))]
    ManualEttrChange {
        /// The deadline set.
        ttr_effective_manual: Option<Timestamp>,
        /// The deadline in force.
        ttr_effective: Option<Timestamp>,
    },
    /// A participant joined ([CV-E6](crate::rules#cv-e6)).
    #[serde(rename_all = "camelCase")]
    #[cfg_attr(feature = "openapi", schema(title = "participant-added"))]
    ParticipantAdded {
        /// The dialog.
        dialog_id: DialogId,
        /// The participant.
        participant: Participant,
        /// The reason.
        context: AdditionContext,
    },
    /// A participant left ([CV-E7](crate::rules#cv-e7)).
    #[serde(rename_all = "camelCase")]
    #[cfg_attr(feature = "openapi", schema(title = "participant-removed"))]
    ParticipantRemoved {
        /// The dialog.
        dialog_id: DialogId,
        /// The participant.
        participant: Participant,
    },
    /// A participant was suggested ([CV-E8](crate::rules#cv-e8)).
    #[serde(rename_all = "camelCase")]
    #[cfg_attr(feature = "openapi", schema(title = "participant-suggested"))]
    ParticipantSuggested {
        /// The dialog.
        dialog_id: DialogId,
        /// The participant.
        participant: Participant,
    },
    /// A suggested participant is no longer suggested ([CV-E9](crate::rules#cv-e9)).
    #[serde(rename_all = "camelCase")]
    #[cfg_attr(feature = "openapi", schema(title = "participant-suggested-removed"))]
    ParticipantSuggestedRemoved {
        /// The dialog.
        dialog_id: DialogId,
        /// The participant.
        participant: Participant,
    },
    /// A participant, or suggested participant, has another role now ([DG-N6](crate::rules#dg-n6)).
    #[serde(rename_all = "camelCase")]
    #[cfg_attr(feature = "openapi", schema(title = "participant-role-change"))]
    ParticipantRoleChange {
        /// The dialog.
        dialog_id: DialogId,
        /// The participant, with the new role.
        participant: Participant,
        /// The previous role.
        previous_role: ParticipantRole,
    },
    /// The conversation is offered to another agent ([CV-E10](crate::rules#cv-e10)).
    #[serde(rename_all = "camelCase")]
    #[cfg_attr(feature = "openapi", schema(title = "transfer-agent"))]
    TransferAgent {
        /// The dialog.
        dialog_id: DialogId,
        /// The agent transferred to.
        participant: Participant,
    },
    /// The skill changed and nobody is assigned ([CV-E11](crate::rules#cv-e11)).
    #[serde(rename_all = "camelCase")]
    #[cfg_attr(feature = "openapi", schema(title = "transfer-skill"))]
    TransferSkill {
        /// The dialog.
        dialog_id: DialogId,
        /// The skill transferred to.
        skill_id: SkillId,
    },
    /// The response time changed ([CV-E12](crate::rules#cv-e12)).
    #[serde(rename_all = "camelCase")]
    #[cfg_attr(feature = "openapi", schema(title = "ttr-change"))]
    TtrChange {
        /// In seconds.
        ttr_value: Option<i64>,
        /// How it is set.
        ttr_type: Option<TtrType>,
        /// The deadline in force.
        ttr_effective: Option<Timestamp>,
    },
    /// A user's chat state changed, such as typing.
    #[serde(rename_all = "camelCase")]
    #[cfg_attr(feature = "openapi", schema(title = "chat-state"))]
    ChatState {
        /// The dialog.
        dialog_id: DialogId,
        /// The user.
        user_id: Option<UserId>,
        /// The chat state.
        chat_state: ChatState,
    },
    /// A notification repeated the known state ([CV-N2](crate::rules#cv-n2)).
    #[cfg_attr(feature = "openapi", schema(title = "notification-ignored"))]
    NotificationIgnored {},
    /// A notification was older than the known state ([CV-N4](crate::rules#cv-n4)), or its part about one dialog was
    /// ([DG-N2](crate::rules#dg-n2)).
    #[serde(rename_all = "camelCase")]
    #[cfg_attr(feature = "openapi", schema(title = "notification-out-of-order"))]
    NotificationOutOfOrder {
        /// The dialog, if the rest of the state was applied.
        #[serde(skip_serializing_if = "Option::is_none")]
        dialog_id: Option<DialogId>,
    },
    /// Sequences that the platform could not provide; delivery continues after them (promise 2).
    #[serde(rename_all = "camelCase")]
    #[cfg_attr(feature = "openapi", schema(title = "gap"))]
    Gap {
        /// The dialog.
        dialog_id: DialogId,
        /// The first missing sequence.
        from: u64,
        /// The last missing sequence, as far as known.
        to: u64,
        /// Whether they are still expected and may arrive: delivery waits for them.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        awaited: bool,
    },
}

/// The circumstances of a participant's joining.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AdditionContext {
    /// Whether the participant had been suggested before.
    pub previously_suggested: bool,
}

/// A message of a dialog.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// The dialog.
    pub dialog_id: DialogId,
    /// Its sequence in the dialog, from 0.
    pub sequence: u64,
    /// The author.
    pub originator_id: Option<UserId>,
    /// The author's role at that time.
    pub role: Option<ParticipantRole>,
    /// The audience.
    pub message_audience: MessageAudience,
    /// The type of the body; absent for rich content.
    pub content_type: Option<ContentType>,
    /// A string for text, an object for everything else, as the platform sent it.
    #[cfg_attr(feature = "openapi", schema(value_type = MessageBody))]
    pub body: Box<RawValue>,
    /// The metadata of the publishing request, an array.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<Object>>))]
    pub metadata: Option<Box<RawValue>>,
    /// Suggested replies.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub quick_replies: Option<Box<RawValue>>,
    /// When the platform received it.
    pub time: Option<Timestamp>,
    /// Whether it is not new, because it was published before the conversation came to this connection
    /// ([`super::Arrival`]).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub back_filled: bool,
    /// The connector's own id of the consumer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_consumer_id: Option<ExternalConsumerId>,
}

/// The body of a message: a string for text, an object for everything else.
#[cfg(feature = "openapi")]
#[derive(Serialize, utoipa::ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only for the OpenAPI document")]
enum MessageBody {
    Text(String),
    #[schema(value_type = Object)]
    Content(serde_json::Map<String, serde_json::Value>),
}

/// A receipt.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct MessageDelivery {
    /// The dialog.
    pub dialog_id: DialogId,
    /// The receipt's own sequence in the dialog.
    pub sequence: u64,
    /// The reader.
    pub originator_id: Option<UserId>,
    /// The reader's role at that time.
    pub role: Option<ParticipantRole>,
    /// The status of the messages.
    pub status: DeliveryStatus,
    /// The sequences of the messages.
    pub sequences: Vec<u64>,
    /// The time.
    pub time: Option<Timestamp>,
}

impl Message {
    /// The text, if the body is text.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        serde_json::from_str(self.body.get()).ok()
    }

    /// Returns whether `who` is its author.
    #[must_use]
    pub fn is_by(&self, who: &Identity) -> bool {
        let Some(writer) = &self.originator_id else { return false };
        let is_agent = matches!(who, Identity::Brand { agent_id, .. } if *agent_id == *writer.as_str());
        is_agent || Some(writer) == who.user_id()
    }

    /// Returns the file that the message announces, which can be downloaded by its path ([FL-4](crate::rules#fl-4)).
    #[must_use]
    pub fn file(&self) -> Option<HostedFile> {
        let is_file = self.content_type == Some(ContentType::HostedFile);
        is_file.then(|| serde_json::from_str(self.body.get()).ok()).flatten()
    }
}

impl ConversationEvent {
    /// The event's name on the class page and, after `tertulia.`, in the event stream.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Conversation(_) => "conversation",
            Self::Update { .. } => "update",
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
