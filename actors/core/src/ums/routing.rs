//! Rings: offers of conversations to an agent ([§6.3](crate::protocol#63)).

use serde::{Deserialize, Serialize};

use super::{RingState, Text, lenient};
use crate::time::Timestamp;

/// The `result` of a routing change. Early frames have only the rings.
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
    /// The offers; usually one per change ([RG-3](crate::rules#rg-3)).
    #[serde(default, deserialize_with = "lenient::one_or_many")]
    pub rings_details: Vec<Ring<'a>>,
}

/// One offer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ring<'a> {
    /// The offer's id.
    #[serde(borrow)]
    pub ring_id: Text<'a>,
    /// The offer's state.
    pub ring_state: RingState,
    /// The offer's lifetime in milliseconds.
    #[serde(default, deserialize_with = "lenient::count", skip_serializing_if = "Option::is_none")]
    pub ring_expiration: Option<u64>,
    /// When the offer expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ring_expiration_ts: Option<Timestamp>,
    /// The order among offers: the time until which the conversation needs a response.
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
