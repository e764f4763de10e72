//! A dead letter as lists show it.

use serde::Serialize;
use tertulia_actors::dead_letters::{DeadLetter, DeadLetterKind};
use utoipa::ToSchema;

/// A dead letter without its content.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadLetterInBrief)]
#[serde(rename_all = "camelCase")]
pub(in crate::gateway) struct Brief {
    pub(in crate::gateway) id: String,
    /// When the item was given up.
    time: String,
    connection: String,
    conversation: Option<String>,
    /// The subscriber that could not take the item, if the item is a delivery.
    subscriber: Option<String>,
    kind: DeadLetterKind,
    /// Why the item could not be handled.
    reason: String,
    /// Bytes that are kept of the item.
    size: usize,
    /// Whether some bytes were cut off. A cut item cannot be handed over again.
    is_cut: bool,
}

impl From<&DeadLetter> for Brief {
    fn from(letter: &DeadLetter) -> Self {
        Self {
            id: letter.id.to_string(),
            time: letter.time.to_string(),
            connection: letter.connection.to_string(),
            conversation: letter.conversation.as_ref().map(ToString::to_string),
            subscriber: letter.subscriber.as_ref().map(ToString::to_string),
            kind: letter.kind,
            reason: letter.reason.clone(),
            size: letter.body.len(),
            is_cut: letter.is_cut,
        }
    }
}
