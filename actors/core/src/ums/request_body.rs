//! The bodies of requests ([§5](crate::protocol#5)).

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::{
    AgentState, Dialect, DialogType, FieldChange, MessageAudience, MessageContent, RingState, Stage, TtrType, lenient,
};
use crate::{
    id::{AccountId, AgentId, ConversationId, DialogId, RingId, SkillId, SubscriptionId},
    rest::encoded,
    time::Timestamp,
};

/// A request without parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nothing {}

/// The first request of a consumer's socket ([§3.2](crate::protocol#32)). Its token is in a header of the frame.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InitConnection {}

/// A device's description ([§3.3](crate::protocol#33)), as a header of `InitConnection` and in a conversation's
/// context.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientProperties {
    /// The application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
    /// The application's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_version: Option<String>,
    /// DESKTOP, TABLET, MOBILE or OTHER.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_family: Option<String>,
    /// WINDOWS, LINUX, OSX, ANDROID, IOS or OTHER.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// WEB_SDK, MOBILE_SDK or BRAND_SDK.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<String>,
    /// The features of the device, such as RICH_CONTENT or QUICK_REPLIES.
    #[serde(default, deserialize_with = "lenient::one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// Further members, such as `browser` or `timeZone`.
    #[serde(flatten)]
    pub others: serde_json::Map<String, Value>,
}

impl ClientProperties {
    /// The properties as a header of `InitConnection`.
    #[must_use]
    pub fn header(&self) -> Value {
        let mut header = serde_json::to_value(self).unwrap_or_default();
        header["type"] = ".ams.headers.ClientProperties".into();
        header
    }

    /// The part of the socket's URL by which the platform identifies clients (protocol [§3.1](crate::protocol#31)):
    /// `&name=value` for the application, the integration and their versions, as far as they are set.
    #[must_use]
    pub fn socket_query(&self) -> String {
        let integration_version = self.others.get("integrationVersion").and_then(Value::as_str);
        let members = [
            ("appid", self.app_id.as_deref()),
            ("appvn", self.app_version.as_deref()),
            ("intid", self.integration.as_deref()),
            ("intvn", integration_version),
        ];
        let members = members.into_iter().filter_map(|(name, value)| Some((name, value?)));
        members.map(|(name, value)| format!("&{name}={}", encoded(value))).collect()
    }

    /// The properties as the HTTP header `Client-Properties` ([§10.3](crate::protocol#103)): one line of ASCII, as
    /// required for headers.
    #[must_use]
    pub fn http_header(&self) -> String {
        let mut header = serde_json::to_value(self).unwrap_or_default();
        header["type"] = ".ClientProperties".into();
        let mut line = String::new();
        let mut units = [0; 2];
        for character in header.to_string().chars() {
            if matches!(character, ' '..='~') {
                line.push(character);
            } else {
                for unit in character.encode_utf16(&mut units) {
                    line.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
        line
    }
}

/// The user of a profile; the sender if nobody is named ([§5.9](crate::protocol#59)).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProfileQuery {
    /// An agent id or a consumer's user id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
}

/// Selects the conversations of a subscription ([§5.2](crate::protocol#52)). An absent member does not filter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConversationQuery {
    /// The account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand_id: Option<AccountId>,
    /// Participants, as agent ids.
    #[serde(default, deserialize_with = "lenient::one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub agent_ids: Vec<AgentId>,
    /// The consumer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer_id: Option<String>,
    /// One conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    /// States of the MAIN dialog.
    #[serde(default, deserialize_with = "lenient::one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub conv_state: Vec<Stage>,
    /// Stages of the whole conversation.
    #[serde(default, deserialize_with = "lenient::one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub stage: Vec<Stage>,
    /// Kinds of dialogs that the conversation must have.
    #[serde(default, deserialize_with = "lenient::one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub dialog_types: Vec<DialogType>,
    /// Updated at this time or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_last_updated_time: Option<Timestamp>,
    /// Updated at this time or earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_last_updated_time: Option<Timestamp>,
    /// The latest time until which a response is due.
    #[serde(rename = "maxETTR", default, skip_serializing_if = "Option::is_none")]
    pub max_ettr: Option<Timestamp>,
}

/// Ends a subscription, or names the subscription to change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unsubscription {
    /// The subscription.
    pub subscription_id: SubscriptionId,
}

/// A consumer opens a conversation ([§5.3](crate::protocol#53)).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConversationRequest {
    /// The account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand_id: Option<AccountId>,
    /// Always MESSAGING.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_type: Option<super::ChannelType>,
    /// The urgency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttr_def_name: Option<TtrType>,
    /// The skill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skill_id: Option<SkillId>,
    /// The consumer's source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_context: Option<Value>,
    /// The campaign and engagement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign_info: Option<Value>,
}

/// An agent opens a conversation with a known consumer ([§5.3](crate::protocol#53)).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentConversationRequest {
    /// Always MESSAGING.
    pub channel_type: super::ChannelType,
    /// The consumer.
    pub consumer_id: String,
    /// The conversation that it continues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_context: Option<Value>,
}

/// Changes fields of a conversation, all or nothing ([§5.7](crate::protocol#57)).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConversationUpdate {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The changes, in order.
    #[serde(default, deserialize_with = "lenient::one_or_many")]
    pub conversation_field: Vec<FieldChange>,
}

/// Publishes an event in a dialog ([§5.6](crate::protocol#56)).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishRequest {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The dialog.
    pub dialog_id: DialogId,
    /// The audience.
    pub message_audience: MessageAudience,
    /// The event.
    #[serde(deserialize_with = "owned_event")]
    pub event: MessageContent<'static>,
}

fn owned_event<'de, D: Deserializer<'de>>(deserializer: D) -> Result<MessageContent<'static>, D::Error> {
    MessageContent::deserialize(deserializer).map(MessageContent::into_owned)
}

/// Requests a dialog's past and future messages on a consumer socket ([§5.4](crate::protocol#54)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageSubscription {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The dialog.
    pub dialog_id: DialogId,
    /// The first sequence, inclusive.
    pub from_seq: u64,
}

/// Requests a dialog's history on a brand socket ([§5.5](crate::protocol#55)). Both bounds are exclusive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageQuery {
    /// The dialog.
    pub dialog_id: DialogId,
    /// Only later sequences; -1 for all.
    #[serde(default, deserialize_with = "lenient::integer", skip_serializing_if = "Option::is_none")]
    pub newer_than_sequence: Option<i64>,
    /// Only earlier sequences.
    #[serde(default, deserialize_with = "lenient::integer", skip_serializing_if = "Option::is_none")]
    pub older_than_sequence: Option<i64>,
    /// The most records.
    #[serde(default, deserialize_with = "lenient::count", skip_serializing_if = "Option::is_none")]
    pub max_quantity: Option<u64>,
}

/// Requests the address for an upload ([§5.10](crate::protocol#510)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UploadUrlRequest {
    /// The size in bytes.
    pub file_size: FileSize,
    /// JPG, JPEG, PNG, GIF, PDF, DOCX, PPTX or XLSX.
    pub file_type: String,
}

/// A file's size in bytes: a number in the brand dialect, a string in the consumer's ([§5.10](crate::protocol#510)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FileSize {
    /// In the brand dialect.
    Number(u64),
    /// In the consumer dialect.
    Digits(String),
}

impl FileSize {
    /// Returns the size in the form of `dialect`.
    #[must_use]
    pub fn new(bytes: u64, dialect: Dialect) -> Self {
        match dialect {
            Dialect::Brand => Self::Number(bytes),
            Dialect::Consumer => Self::Digits(bytes.to_string()),
        }
    }
}

/// Requests the address for a download ([§5.10](crate::protocol#510)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DownloadUrlRequest {
    /// The file's path on the storage.
    pub relative_path: String,
}

/// Requests a secure form's one-time key ([§5.11](crate::protocol#511)); the members are those of the form.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenRequest(pub serde_json::Map<String, Value>);

/// Sets which offers an agent gets ([§5.8](crate::protocol#58)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentStateRequest {
    /// The state.
    pub availability: AgentState,
    /// Always MESSAGING.
    #[serde(default, deserialize_with = "lenient::one_or_many")]
    pub channels: Vec<super::ChannelType>,
    /// The agent.
    pub agent_user_id: AgentId,
}

/// Subscribes to an agent's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentsStateSubscription {
    /// The account.
    pub brand_id: AccountId,
    /// The agent.
    pub agent_id: AgentId,
}

/// Subscribes to an agent's rings ([§5.8](crate::protocol#58)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoutingSubscription {
    /// Always MESSAGING.
    pub channel_type: super::ChannelType,
    /// The account.
    pub brand_id: AccountId,
    /// The agent.
    pub agent_id: AgentId,
}

/// Accepts or declines a ring ([§5.8](crate::protocol#58)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RingAnswer {
    /// The ring.
    pub ring_id: RingId,
    /// [`RingState::Accepted`] or [`RingState::Rejected`].
    pub ring_state: RingState,
}
