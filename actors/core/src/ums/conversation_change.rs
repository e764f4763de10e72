//! The state of a conversation in a notification ([§6.1](crate::protocol#61)). Always complete, never a difference.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap};

use super::{
    ChannelType, CloseReason, CsatStatus, DelayType, Dialect, DialogStatus, DialogType, Json, MessageRecord,
    ParticipantDetails, Person, Presence, RoleMap, Roster, Stage, Text, TtrType, lenient,
};
use crate::time::Timestamp;

/// The `result` of a change: a conversation's present state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConversationState<'a> {
    /// The conversation's id.
    #[serde(borrow)]
    pub conv_id: Text<'a>,
    /// The time until which the agent must respond; negative or null if nothing waits ([CV-M11](crate::rules#cv-m11)).
    #[serde(rename = "effectiveTTR", default, skip_serializing_if = "Presence::is_absent")]
    pub effective_ttr: Presence<Timestamp>,
    /// All other members. A state without them is malformed ([CV-N3](crate::rules#cv-n3)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_details: Option<ConversationDetails<'a>>,
    /// Unread messages by participant ([CV-M10](crate::rules#cv-m10)). The platform spells the member this way.
    #[serde(rename = "numberOfunreadMessages", default, skip_serializing_if = "Presence::is_absent")]
    pub number_of_unread_messages: Presence<UnreadMessages<'a>>,
    /// The time of the last change of any kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_update_time: Option<Timestamp>,
    /// The newest content; may be missing because of a race ([§9.4](crate::protocol#94)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_content_event_notification: Option<MessageRecord<'a>>,
}

/// The `conversationDetails` of a state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConversationDetails<'a> {
    /// The conversation's id again, brand dialect only.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub conv_id: Option<Text<'a>>,
    /// The present skill.
    #[serde(default, skip_serializing_if = "Presence::is_absent")]
    pub skill_id: Presence<Text<'a>>,
    /// The account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand_id: Option<Text<'a>>,
    /// The participants; read them with [`ConversationDetails::people`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participants: Option<Roster<'a>>,
    /// Public ids in addition to `participants`, brand dialect only.
    #[serde(rename = "participantsPId", default, skip_serializing_if = "Option::is_none")]
    pub participants_public: Option<RoleMap<'a>>,
    /// The dialogs, in no particular order.
    #[serde(default, deserialize_with = "lenient::one_or_many")]
    pub dialogs: Vec<DialogState<'a>>,
    /// Follows the MAIN dialog.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Stage>,
    /// The whole conversation, surveys included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_ts: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_ts: Option<Timestamp>,
    /// The version of this state: an older one is out of order ([CV-N4](crate::rules#cv-n4)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta_data_last_update_ts: Option<Timestamp>,
    /// Who ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close_reason: Option<CloseReason>,
    /// Whether this is the consumer's first conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_conversation: Option<bool>,
    /// The agent group.
    #[serde(default, skip_serializing_if = "Presence::is_absent")]
    pub group_id: Presence<Text<'a>>,
    /// The response time.
    #[serde(default, skip_serializing_if = "Presence::is_absent")]
    pub ttr: Presence<Ttr>,
    /// The time from which the response time counts.
    #[serde(default, skip_serializing_if = "Presence::is_absent")]
    pub delay: Presence<Delay>,
    /// A deadline set by an agent; overrides the rest.
    #[serde(rename = "manualETTR", default, skip_serializing_if = "Presence::is_absent")]
    pub manual_ettr: Presence<Timestamp>,
    /// The consumer's satisfaction, consumer dialect.
    #[serde(default, skip_serializing_if = "Presence::is_absent")]
    pub csat: Presence<Csat>,
    /// The consumer's satisfaction, brand dialect; 0 means not set.
    #[serde(default, deserialize_with = "lenient::count", skip_serializing_if = "Option::is_none")]
    pub csat_rate: Option<u64>,
    /// The agents' note ([CV-M6](crate::rules#cv-m6)).
    #[serde(default, skip_serializing_if = "Presence::is_absent")]
    pub note: Presence<Text<'a>>,
    /// The consumer's source and device.
    #[serde(default, skip_serializing_if = "Presence::is_absent")]
    pub context: Presence<Json<'a>>,
    /// The campaign and engagement of the conversation ([CV-M3](crate::rules#cv-m3)).
    #[serde(default, skip_serializing_if = "Presence::is_absent")]
    pub campaign_info: Presence<CampaignInfo<'a>>,
    /// The account and skill that handle the conversation ([CV-M5](crate::rules#cv-m5)).
    #[serde(default, skip_serializing_if = "Presence::is_absent")]
    pub conversation_handler_details: Presence<HandlerDetails<'a>>,
    /// The connector's installation ([CV-M1](crate::rules#cv-m1)).
    #[serde(default, skip_serializing_if = "Presence::is_absent")]
    pub app_inst_id: Presence<Text<'a>>,
}

impl<'a> ConversationDetails<'a> {
    /// The participants, in either dialect ([DG-N10](crate::rules#dg-n10)).
    #[must_use]
    pub fn people(&self) -> Vec<Person<'a>> {
        Roster::read(self.participants.as_ref(), self.participants_public.as_ref())
    }

    /// The participants, or `None` if the details have no list of participants.
    pub(crate) fn roster(&self) -> Option<Vec<Person<'a>>> {
        (self.participants.is_some() || self.participants_public.is_some()).then(|| self.people())
    }

    /// The MAIN dialog `id` as far as the details of its conversation describe it, because old conversations have no
    /// dialogs ([§6.1](crate::protocol#61)).
    pub(crate) fn as_main<'s>(&'s self, id: Text<'s>) -> DialogState<'s> {
        DialogState {
            dialog_id: id,
            participants_details: None,
            dialog_type: Some(DialogType::Main),
            channel_type: None,
            meta_data: None,
            state: self.state.as_ref().map(|state| match state {
                Stage::Open => DialogStatus::Open,
                Stage::Close | Stage::Locked => DialogStatus::Close,
                Stage::Unlisted(state) => DialogStatus::Unlisted(state.clone()),
            }),
            creation_ts: self.start_ts,
            end_ts: self.end_ts,
            meta_data_last_update_ts: self.meta_data_last_update_ts,
            closed_by: self.close_reason.clone(),
            closed_cause: None,
        }
    }

    /// Returns the same details with `people` in the form of `dialect`.
    #[must_use]
    pub fn with_people(mut self, people: Vec<Person<'a>>, dialect: Dialect) -> Self {
        let (participants, participants_public) = Roster::write(people, dialect);
        self.participants = Some(participants);
        self.participants_public = participants_public;
        self
    }
}

/// One element of `dialogs`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DialogState<'a> {
    /// The dialog's id.
    #[serde(borrow)]
    pub dialog_id: Text<'a>,
    /// The participants; old conversations lack them, and an empty list means that there are none.
    #[serde(default, deserialize_with = "lenient::maybe_many", skip_serializing_if = "Option::is_none")]
    pub participants_details: Option<Vec<ParticipantDetails<'a>>>,
    /// The dialog's purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialog_type: Option<DialogType>,
    /// The medium.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_type: Option<ChannelType>,
    /// Additional data of the dialog's kind, such as the survey's `appInstallId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta_data: Option<Json<'a>>,
    /// Whether the dialog is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<DialogStatus>,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_ts: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_ts: Option<Timestamp>,
    /// The version of this dialog's state ([DG-N2](crate::rules#dg-n2)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta_data_last_update_ts: Option<Timestamp>,
    /// Who ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_by: Option<CloseReason>,
    /// The cause of its end, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_cause: Option<Text<'a>>,
}

/// A response time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ttr {
    /// How it is set; some records have an empty string.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttr_type: Option<TtrType>,
    /// In seconds.
    #[serde(default, deserialize_with = "lenient::integer", skip_serializing_if = "Option::is_none")]
    pub value: Option<i64>,
}

/// A postponement of the response time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Delay {
    /// The reason.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<DelayType>,
    /// The end of the postponement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub till_when: Option<Timestamp>,
}

/// A satisfaction rating.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Csat {
    /// From 1 to 5.
    #[serde(default, deserialize_with = "lenient::count", skip_serializing_if = "Option::is_none")]
    pub csat_rate: Option<u64>,
    /// Whether the matter was resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csat_resolution_confirmation: Option<bool>,
    /// How far the survey was completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<CsatStatus>,
}

/// Campaign and engagement, numbers or strings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CampaignInfo<'a> {
    /// The campaign.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub campaign_id: Option<Text<'a>>,
    /// The engagement within it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engagement_id: Option<Text<'a>>,
}

/// The handler of a conversation that may have rolled over to another account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HandlerDetails<'a> {
    /// The handling account.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<Text<'a>>,
    /// Its skill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skill_id: Option<Text<'a>>,
}

/// Unread counts by participant, in the order of the platform.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnreadMessages<'a>(pub Vec<(Text<'a>, u64)>);

impl Serialize for UnreadMessages<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (participant, count) in &self.0 {
            map.serialize_entry(participant, count)?;
        }
        map.end()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for UnreadMessages<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Count(u64);

        impl<'de> Deserialize<'de> for Count {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Ok(Self(lenient::count(deserializer)?.unwrap_or_default()))
            }
        }

        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = UnreadMessages<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from participant to count")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
                let mut counts = Vec::new();
                while let Some((participant, Count(count))) = members.next_entry::<Text<'de>, Count>()? {
                    counts.push((participant, count));
                }
                Ok(UnreadMessages(counts))
            }
        }

        deserializer.deserialize_map(Visitor)
    }
}
