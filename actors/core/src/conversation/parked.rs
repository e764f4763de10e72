//! The form in which a snapshot keeps the records that wait for a hole before them.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ConversationEvent, Message, MessageDelivery};
use crate::id::DialogId;

/// A waiting record. Only these kinds of events have a sequence in a dialog.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Parked {
    Message(Arc<Message>),
    Delivery(MessageDelivery),
    /// A record that could not be parsed.
    #[serde(rename_all = "camelCase")]
    Unreadable {
        dialog_id: DialogId,
        sequence: u64,
    },
    /// A record without an event.
    Silent,
}

type Records = BTreeMap<u64, Option<ConversationEvent>>;

pub(super) fn serialize<S: Serializer>(records: &Records, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(records.iter().map(|(sequence, event)| {
        let parked = match event {
            Some(ConversationEvent::Message(message)) => Parked::Message(Arc::clone(message)),
            Some(ConversationEvent::MessageDelivery(delivery)) => Parked::Delivery(delivery.clone()),
            Some(ConversationEvent::Gap { dialog_id, from, .. }) => {
                Parked::Unreadable { dialog_id: dialog_id.clone(), sequence: *from }
            }
            _ => Parked::Silent,
        };
        (sequence, parked)
    }))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Records, D::Error> {
    let records = BTreeMap::<u64, Parked>::deserialize(deserializer)?;
    let event = |parked| match parked {
        Parked::Message(message) => Some(ConversationEvent::Message(message)),
        Parked::Delivery(delivery) => Some(ConversationEvent::MessageDelivery(delivery)),
        Parked::Unreadable { dialog_id, sequence } => {
            Some(ConversationEvent::Gap { dialog_id, from: sequence, to: sequence, awaited: false })
        }
        Parked::Silent => None,
    };
    Ok(records.into_iter().map(|(sequence, parked)| (sequence, event(parked))).collect())
}
