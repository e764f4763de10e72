//! Conversations and their snapshots as callers read them, for the OpenAPI document only. The model in the library
//! serializes both. Tests compare its output with these types.

#![expect(dead_code, reason = "only for the OpenAPI document")]

use std::collections::HashMap;

use serde::Serialize;
use tertulia_actors::core::{
    conversation::Participant,
    id::{AccountId, ConnectionId, ConversationId, DialogId, ExternalConsumerId, SkillId, UserId},
    time::Timestamp,
    ums::{ChannelType, ChatState, CloseReason, Csat, Delay, DialogStatus, DialogType, Stage, TtrType},
};
use utoipa::ToSchema;

/// All members of a conversation under the names of the SDK's class page, with its dialogs and participants. An unknown
/// member is null. Times are in milliseconds since the epoch.
#[derive(Serialize, ToSchema)]
#[schema(as = Conversation)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConversationView {
    /// The connection that reports the conversation.
    connection: ConnectionId,
    conversation_id: ConversationId,
    /// The brand's account.
    account_id: Option<AccountId>,
    /// The id of the connector installation that created the conversation.
    app_inst_id: Option<String>,
    /// The agent assigned in the open dialog.
    assigned_agent: Option<Participant>,
    campaign_id: Option<NumberOrText>,
    close_reason: Option<CloseReason>,
    close_time: Option<Timestamp>,
    /// The consumer in the open dialog.
    consumer: Option<Participant>,
    /// The consumer's source and device, as the platform sent them.
    #[schema(value_type = Option<Object>)]
    context: Option<()>,
    csat: Option<Csat>,
    delay: Option<Delay>,
    dialogs: Vec<DialogView>,
    engagement_id: Option<NumberOrText>,
    /// A connector's own id of the consumer.
    external_consumer_id: Option<ExternalConsumerId>,
    /// Whether this is the consumer's first conversation.
    first_conversation: Option<bool>,
    /// The agent group.
    group_id: Option<String>,
    /// The account that handles the conversation now.
    handler_account_id: Option<AccountId>,
    handler_skill_id: Option<SkillId>,
    /// The agents' note as the platform stores it.
    note: Option<String>,
    /// States that were processed, including the first.
    notification_count: u64,
    /// States that repeated the known state.
    notification_ignored_count: u64,
    /// States that were older than the known state.
    notification_out_of_order_count: u64,
    /// Unread messages by user id; null if the platform does not report them.
    #[serde(rename = "numberOfunreadMessages")]
    number_of_unread_messages: Option<HashMap<UserId, u64>>,
    /// The participants of the open dialog, or of MAIN if no dialog is open.
    participants: Vec<Participant>,
    /// The `sequence` of the conversation's last event. The members contain what that event reports, and nothing of later
    /// events. Events show it as text too.
    sequence: String,
    /// The skill; `-1` means no skill.
    skill_id: Option<SkillId>,
    /// The stage; null before the first state.
    stage: Option<Stage>,
    start_time: Option<Timestamp>,
    /// The time until which the agent must respond.
    ttr_effective: Option<Timestamp>,
    /// The deadline that an agent set.
    ttr_effective_manual: Option<Timestamp>,
    ttr_type: Option<TtrType>,
    /// In seconds.
    ttr_value: Option<i64>,
    /// The version of the conversation's state.
    update_time: Option<Timestamp>,
}

/// An id that the platform sends as a number or as text.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum NumberOrText {
    Number(u64),
    Text(String),
}

/// A dialog of a conversation.
#[derive(Serialize, ToSchema)]
#[schema(as = Dialog)]
#[serde(rename_all = "camelCase")]
struct DialogView {
    dialog_id: DialogId,
    dialog_type: Option<DialogType>,
    channel_type: Option<ChannelType>,
    state: DialogStatus,
    start_time: Option<Timestamp>,
    update_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
    closed_by: Option<CloseReason>,
    /// The cause of the close, as text.
    closed_cause: Option<String>,
    /// Additional data of the dialog's kind, such as a survey's `appInstallId`.
    #[schema(value_type = Option<Object>)]
    meta_data: Option<()>,
    assigned_agent: Option<Participant>,
    consumer: Option<Participant>,
    participants: Vec<Participant>,
    /// The sequence that the next message is expected to have.
    next_sequence: Option<u64>,
    /// The newest message that the consumer has read.
    read_by_consumer: Option<u64>,
    /// The newest message that the assigned agent has read.
    read_by_assigned_agent: Option<u64>,
}

/// A serialized conversation, which any service of the same version can load. Callers may read `version`, `sequence`
/// and `outline`. `conversation` is internal and may change with the version.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Snapshot {
    /// The version of the format.
    version: u32,
    /// Whether the conversation belonged to its connection when the snapshot was taken.
    #[serde(default)]
    held: bool,
    /// When the snapshot was taken.
    at: Option<Timestamp>,
    /// The sequence of the conversation's last event.
    sequence: u64,
    /// A connector's own id of the consumer.
    #[serde(skip_serializing_if = "Option::is_none")]
    consumer: Option<ExternalConsumerId>,
    /// The newest chat state of each participant with a reported chat state.
    #[serde(default)]
    chat_states: Vec<SnapshotChatState>,
    outline: Option<SnapshotOutline>,
    #[schema(value_type = Object)]
    conversation: (),
}

/// The newest chat state of one participant in one dialog.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SnapshotChatState {
    dialog: String,
    user: String,
    sent: Timestamp,
    chat_state: ChatState,
}

/// A summary of a conversation. An unknown time is negative.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SnapshotOutline {
    assignment: Option<SnapshotAssignment>,
    consumer: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_consumer: Option<ExternalConsumerId>,
    start_time: Timestamp,
    update_time: Timestamp,
    close_time: Timestamp,
    /// The time until which the agent must respond.
    ttr_effective: Timestamp,
    /// The messages that the assigned agent has not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    unread: Option<u32>,
}

/// Stage, skill and agent of a conversation.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SnapshotAssignment {
    stage: Option<Stage>,
    skill_id: Option<SkillId>,
    agent: Option<SnapshotAgent>,
}

/// An agent with all known ids.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SnapshotAgent {
    user_id: UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_id: Option<String>,
}
