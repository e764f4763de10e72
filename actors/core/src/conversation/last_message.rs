//! The newest message of a conversation in brief, for lists.

use serde::{Deserialize, Serialize};

use super::Message;
use crate::{
    time::Timestamp,
    ums::{MessageRecord, ParticipantRole},
};

/// The most characters of the text. Every conversation in memory has one such text.
const CHARACTERS: usize = 160;

/// The newest message of a conversation in brief.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastMessage {
    /// Its sequence in its dialog.
    pub sequence: u64,
    /// The author's role.
    pub role: Option<ParticipantRole>,
    /// The beginning of the text, at most 160 characters; `None` if the body is not text.
    pub text: Option<Box<str>>,
    /// When the platform received it.
    pub time: Option<Timestamp>,
}

impl LastMessage {
    pub(super) fn of(message: &Message) -> Self {
        Self {
            sequence: message.sequence,
            role: message.role.clone(),
            text: message.text().map(|text| beginning(&text)),
            time: message.time,
        }
    }

    /// Whether the message of `record` is newer. Compares the times, because each dialog counts its own sequences.
    pub(super) fn is_before(&self, record: &MessageRecord<'_>) -> bool {
        (self.time, self.sequence) < (record.server_timestamp, record.sequence.unwrap_or_default())
    }

    /// Whether `message` is not older.
    pub(super) fn is_followed_by(&self, message: &Message) -> bool {
        self.time <= message.time
    }
}

fn beginning(text: &str) -> Box<str> {
    match text.char_indices().nth(CHARACTERS) {
        None => text.into(),
        Some(_) => {
            let kept = text.char_indices().nth(CHARACTERS - 1).map_or(0, |(at, _)| at);
            format!("{}…", &text[..kept]).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(&*beginning("olá"), "olá");
        let exact = "ñ".repeat(CHARACTERS);
        assert_eq!(&*beginning(&exact), exact);
        assert_eq!(&*beginning(&"ñ".repeat(CHARACTERS + 1)), format!("{}…", "ñ".repeat(CHARACTERS - 1)));
    }
}
