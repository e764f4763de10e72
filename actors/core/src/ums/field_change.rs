//! The field changes of an `UpdateConversationField` request ([§5.7](crate::protocol#57)).

use serde::{Deserialize, Serialize};

use super::{
    ChannelType, CloseReason, CsatStatus, DialogChangeKind, DialogStatus, DialogType, ParticipantChangeKind,
    ParticipantRole, Stage, TtrType,
};
use crate::{
    id::{AccountId, DialogId, SkillId},
    time::Timestamp,
};

/// One element of `conversationField`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "field")]
pub enum FieldChange {
    /// A participant joins, leaves, is suggested or changes the role.
    #[serde(rename_all = "camelCase")]
    ParticipantsChange {
        /// The kind of change.
        #[serde(rename = "type")]
        kind: ParticipantChangeKind,
        /// The role.
        role: ParticipantRole,
        /// The participant: an agent id, or a consumer's user id. If absent, the platform uses the sender.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user_id: Option<String>,
        /// The dialog, if it is not MAIN.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dialog_id: Option<DialogId>,
    },
    /// The conversation ends.
    #[serde(rename_all = "camelCase")]
    ConversationStateField {
        /// Always [`Stage::Close`].
        conversation_state: Stage,
    },
    /// The conversation and all its dialogs end, without a survey.
    #[serde(rename_all = "camelCase")]
    Stage {
        /// Always [`Stage::Close`].
        conversation_state: Stage,
    },
    /// A dialog begins, ends or gets metadata.
    DialogChange {
        /// The kind of change.
        #[serde(rename = "type")]
        kind: DialogChangeKind,
        /// The dialog.
        dialog: DialogChange,
    },
    /// The conversation moves to another skill.
    Skill {
        /// Always [`ParticipantChangeKind::Update`].
        #[serde(rename = "type")]
        kind: ParticipantChangeKind,
        /// The new skill.
        skill: SkillId,
    },
    /// The response time changes.
    #[serde(rename = "TTRField", rename_all = "camelCase")]
    Ttr {
        /// How it is set.
        ttr_type: TtrType,
        /// In seconds; used only for [`TtrType::Custom`], but always present.
        value: u64,
    },
    /// An agent sets the time until which a response is due.
    ManualETTR {
        /// The time.
        time: Timestamp,
    },
    /// The agents' note changes.
    Note {
        /// The whole new text.
        note: String,
    },
    /// Another account handles the conversation from now on: a rollover ([CV-M5](crate::rules#cv-m5)).
    #[serde(rename_all = "camelCase")]
    ConversationHandler {
        /// The handling account.
        account_id: AccountId,
        /// Its skill.
        skill_id: SkillId,
    },
    /// The consumer's satisfaction.
    #[serde(rename_all = "camelCase")]
    CSATRate {
        /// From "0" to "5", as a string.
        csat_rate: String,
        /// Whether the matter was resolved.
        csat_resolution_confirmation: Option<bool>,
        /// How far the survey was completed.
        status: CsatStatus,
    },
}

/// The dialog of a [`FieldChange::DialogChange`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DialogChange {
    /// The dialog's id; absent for a new dialog.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialog_id: Option<DialogId>,
    /// Its new state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<DialogStatus>,
    /// Who ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_by: Option<CloseReason>,
    /// The cause, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_cause: Option<String>,
    /// The purpose of a new dialog.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialog_type: Option<DialogType>,
    /// The medium of a new dialog.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_type: Option<ChannelType>,
    /// Additional data of a new dialog's kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta_data: Option<serde_json::Value>,
}
