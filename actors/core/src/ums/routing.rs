//! Rings: offers of conversations to an agent ([§6.3](crate::protocol#63)).

use serde::{Deserialize, Serialize};

use super::{RingState, Text, lenient};
use crate::time::Timestamp;

/// The `result` of a routing change. Early frames carry the rings only.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoutingTask<'a> {
    /// Whether the task is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_completed: Option<bool>,
    /// The conversation to be routed.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<Text<'a>>,
    /// Its consumer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer_id: Option<Text<'a>>,
    /// Its skill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skill_id: Option<Text<'a>>,
    /// The offers; one a change as a rule ([RG-3](crate::rules#rg-3)).
    #[serde(default, deserialize_with = "lenient::one_or_many")]
    pub rings_details: Vec<Ring<'a>>,
}

/// One offer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ring<'a> {
    /// Which offer.
    #[serde(borrow)]
    pub ring_id: Text<'a>,
    /// What became of it.
    pub ring_state: RingState,
    /// For how long it stands, in milliseconds.
    #[serde(default, deserialize_with = "lenient::count", skip_serializing_if = "Option::is_none")]
    pub ring_expiration: Option<u64>,
    /// Until when it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ring_expiration_ts: Option<Timestamp>,
    /// The order among offers: the deadline of the conversation's answer.
    #[serde(default, deserialize_with = "lenient::integer", skip_serializing_if = "Option::is_none")]
    pub weight: Option<i64>,
    /// The conversation offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conv_id: Option<Text<'a>>,
    /// Its consumer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer_id: Option<Text<'a>>,
    /// Its skill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skill_id: Option<Text<'a>>,
    /// Its account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand_id: Option<Text<'a>>,
}
