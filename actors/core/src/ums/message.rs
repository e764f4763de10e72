//! A record of a dialog's history: content, receipts and chat states ([§6.2](crate::protocol#62)).

use serde::{Deserialize, Deserializer, Serialize};

use super::{ChatState, ContentType, DeliveryStatus, Json, MessageAudience, ParticipantRole, Text, lenient};
use crate::time::Timestamp;

/// One record as either dialect sends it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageRecord<'a> {
    /// Its sequence in the dialog, from 0; chat states have none ([MS-1](crate::rules#ms-1)).
    #[serde(default, deserialize_with = "lenient::count", skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// The publisher: an agent id on a brand socket, a user id on a consumer's.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub originator_id: Option<Text<'a>>,
    /// The publisher's user id, brand dialect only.
    #[serde(rename = "originatorPId", default, skip_serializing_if = "Option::is_none")]
    pub originator_public_id: Option<Text<'a>>,
    /// The publisher's user id and role at that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub originator_metadata: Option<Originator<'a>>,
    /// When the platform received it; chat states have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_timestamp: Option<Timestamp>,
    /// The published event.
    pub event: MessageContent<'a>,
    /// The dialog; always present in live records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialog_id: Option<Text<'a>>,
    /// The conversation; may be missing ([MS-9](crate::rules#ms-9)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<Text<'a>>,
    /// The audience.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_audience: Option<MessageAudience>,
    /// The metadata of the publishing request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Json<'a>>,
}

impl MessageRecord<'_> {
    /// Returns the publisher's user id, from whichever member has it.
    #[must_use]
    pub fn originator_user_id(&self) -> Option<&str> {
        let metadata = self.originator_metadata.as_ref().and_then(|originator| originator.id.as_ref());
        self.originator_public_id.as_ref().or(metadata).or(self.originator_id.as_ref()).and_then(Text::non_empty)
    }

    /// Returns the publisher's role at that time.
    #[must_use]
    pub fn originator_role(&self) -> Option<&ParticipantRole> {
        self.originator_metadata.as_ref().and_then(|originator| originator.role.as_ref())
    }
}

/// The `originatorMetadata` of a record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Originator<'a> {
    /// The user id.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Text<'a>>,
    /// The role when publishing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<ParticipantRole>,
}

/// The content of a record or of a publishing request.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(into = "EventMembers<'a>")]
pub enum MessageContent<'a> {
    /// Text, files and forms, by content type.
    Content {
        /// The type of the body.
        content_type: ContentType,
        /// A string for text, an object for files and forms.
        message: Json<'a>,
        /// Suggested replies.
        quick_replies: Option<Json<'a>>,
    },
    /// Structured content.
    Rich {
        /// The structured content.
        content: Json<'a>,
        /// Suggested replies.
        quick_replies: Option<Json<'a>>,
    },
    /// A receipt for earlier records.
    AcceptStatus {
        /// The status of the records.
        status: DeliveryStatus,
        /// Their sequences.
        sequences: Vec<u64>,
    },
    /// Typing and presence.
    ChatState {
        /// The publisher's activity.
        chat_state: ChatState,
    },
    /// A kind of event unknown to this version.
    Unlisted {
        /// The kind as sent.
        kind: Text<'a>,
    },
}

impl MessageContent<'_> {
    /// An owned copy of the content.
    #[must_use]
    pub fn into_owned(self) -> MessageContent<'static> {
        match self {
            Self::Content { content_type, message, quick_replies } => MessageContent::Content {
                content_type,
                message: message.into_owned(),
                quick_replies: quick_replies.map(Json::into_owned),
            },
            Self::Rich { content, quick_replies } => MessageContent::Rich {
                content: content.into_owned(),
                quick_replies: quick_replies.map(Json::into_owned),
            },
            Self::AcceptStatus { status, sequences } => MessageContent::AcceptStatus { status, sequences },
            Self::ChatState { chat_state } => MessageContent::ChatState { chat_state },
            Self::Unlisted { kind } => MessageContent::Unlisted { kind: kind.into_owned().into() },
        }
    }
}

/// The members of an event, flat as in the protocol.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventMembers<'a> {
    #[serde(borrow, rename = "type", default)]
    kind: Text<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<ContentType>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<Json<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<Json<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quick_replies: Option<Json<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<DeliveryStatus>,
    #[serde(default, deserialize_with = "sequences", skip_serializing_if = "Option::is_none")]
    sequence_list: Option<Vec<u64>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chat_state: Option<ChatState>,
}

fn sequences<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u64>>, D::Error> {
    let listed: Vec<Timestamp> = lenient::one_or_many(deserializer)?;
    Ok(Some(listed.into_iter().filter_map(|Timestamp(sequence)| u64::try_from(sequence).ok()).collect()))
}

impl<'de: 'a, 'a> Deserialize<'de> for MessageContent<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        EventMembers::deserialize(deserializer).map(Self::from)
    }
}

impl<'a> From<EventMembers<'a>> for MessageContent<'a> {
    fn from(members: EventMembers<'a>) -> Self {
        let EventMembers { kind, content_type, message, content, quick_replies, status, sequence_list, chat_state } =
            members;
        match (kind.as_str(), status, chat_state) {
            ("ContentEvent", ..) => Self::Content {
                content_type: content_type.unwrap_or(ContentType::PlainText),
                message: message.or(content).unwrap_or_else(|| serde_json::value::RawValue::NULL.into()),
                quick_replies,
            },
            ("RichContentEvent", ..) => Self::Rich {
                content: content.or(message).unwrap_or_else(|| serde_json::value::RawValue::NULL.into()),
                quick_replies,
            },
            ("AcceptStatusEvent", Some(status), _) => {
                Self::AcceptStatus { status, sequences: sequence_list.unwrap_or_default() }
            }
            ("ChatStateEvent", _, Some(chat_state)) => Self::ChatState { chat_state },
            _ => Self::Unlisted { kind },
        }
    }
}

impl<'a> From<MessageContent<'a>> for EventMembers<'a> {
    fn from(event: MessageContent<'a>) -> Self {
        let empty = |kind: Text<'a>| EventMembers {
            kind,
            content_type: None,
            message: None,
            content: None,
            quick_replies: None,
            status: None,
            sequence_list: None,
            chat_state: None,
        };
        match event {
            MessageContent::Content { content_type, message, quick_replies } => EventMembers {
                content_type: Some(content_type),
                message: Some(message),
                quick_replies,
                ..empty("ContentEvent".into())
            },
            MessageContent::Rich { content, quick_replies } => {
                EventMembers { content: Some(content), quick_replies, ..empty("RichContentEvent".into()) }
            }
            MessageContent::AcceptStatus { status, sequences } => EventMembers {
                status: Some(status),
                sequence_list: Some(sequences),
                ..empty("AcceptStatusEvent".into())
            },
            MessageContent::ChatState { chat_state } => {
                EventMembers { chat_state: Some(chat_state), ..empty("ChatStateEvent".into()) }
            }
            MessageContent::Unlisted { kind } => empty(kind),
        }
    }
}
