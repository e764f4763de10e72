//! A short form of the newest message of a conversation, for lists.

use serde::{Deserialize, Serialize};

use super::Message;
use crate::{
    time::Timestamp,
    ums::{MessageRecord, ParticipantRole},
};

/// The most characters of the text. The limit is small, because every conversation in memory has one such text.
const CHARACTERS: usize = 160;

/// A short form of the newest message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LastMessage {
    /// The sequence of the message in its dialog.
    pub sequence: u64,
    /// The author's role.
    pub role: Option<ParticipantRole>,
    /// The beginning of the text, at most 160 characters; `None` if the body is not text.
    pub text: Option<Box<str>>,
    /// When the platform received the message.
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

    /// Whether the message of `record` is newer. Compares times, because each dialog has sequences of its own.
    pub(super) fn is_before(&self, record: &MessageRecord<'_>) -> bool {
        (self.time, self.sequence) < (record.server_timestamp, record.sequence.unwrap_or_default())
    }

    /// Whether `message` is not older than this message.
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
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        conversation::{Conversation, HistoryStart},
        ums::Dialect,
    };

    fn record(sequence: u64, time: i64, text: &str) -> Value {
        json!({
            "sequence": sequence, "dialogId": "c1", "originatorMetadata": { "id": "anna", "role": "CONSUMER" },
            "serverTimestamp": time, "event": { "type": "ContentEvent", "message": text, "contentType": "text/plain" },
        })
    }

    fn state(updated: i64, last: &Value) -> String {
        let details = json!({
            "state": "OPEN", "stage": "OPEN", "skillId": "501", "startTs": 1_000, "metaDataLastUpdateTs": updated,
            "participants": [{ "id": "anna", "role": "CONSUMER" }],
            "dialogs": [{
                "dialogId": "c1", "dialogType": "MAIN", "channelType": "MESSAGING", "state": "OPEN",
                "participantsDetails": [{ "id": "anna", "role": "CONSUMER", "state": "ACTIVE" }],
            }],
        });
        json!({ "convId": "c1", "conversationDetails": details, "lastContentEventNotification": last }).to_string()
    }

    fn said(conversation: &Conversation) -> Option<(u64, String)> {
        let last = conversation.last_message()?;
        Some((last.sequence, last.text.clone()?.into()))
    }

    #[test]
    fn the_newest_message_is_kept_whether_it_was_delivered_or_named_by_a_state() {
        let mut conversation = Conversation::new("c1".into(), Dialect::Brand, HistoryStart::FirstSeen);
        conversation.receive_state(&state(2_000, &record(7, 1_900, "named"))).unwrap();
        assert_eq!(said(&conversation), Some((7, "named".to_owned())), "a message that is never delivered");
        let live = record(8, 2_100, "live").to_string();
        let live: MessageRecord<'_> = serde_json::from_str(&live).unwrap();
        assert_eq!(conversation.receive_record(&live, Some("c1")).events.len(), 1);
        assert_eq!(said(&conversation), Some((8, "live".to_owned())));
        conversation.receive_state(&state(2_200, &record(7, 1_900, "named"))).unwrap();
        assert_eq!(said(&conversation), Some((8, "live".to_owned())), "a state may be late");
        let kept = serde_json::to_string(&conversation).unwrap();
        assert!(!kept.contains("live"), "{kept}");
        let mut again: Conversation = serde_json::from_str(&kept).unwrap();
        again.recall_last_message(conversation.last_message().cloned());
        assert_eq!(said(&again), Some((8, "live".to_owned())));
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(&*beginning("olá"), "olá");
        let exact = "ñ".repeat(CHARACTERS);
        assert_eq!(&*beginning(&exact), exact);
        assert_eq!(&*beginning(&"ñ".repeat(CHARACTERS + 1)), format!("{}…", "ñ".repeat(CHARACTERS - 1)));
    }
}
