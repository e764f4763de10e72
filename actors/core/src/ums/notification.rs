//! Notifications ([§6](crate::protocol#6)): their types, and how far each is parsed at first.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeSeed};
use serde_json::value::RawValue;

use super::{
    AgentState, ChangeKind, FrameError, Json, MessageRecord, RoutingTask, Text,
    json_reader::{JsonReader, Kind, Scalar},
    lenient,
};
use crate::{id::AgentId, time::Timestamp};

/// A notification, by its type. The names of both dialects are recognized by their endings
/// ([§6.1](crate::protocol#61)).
#[derive(Debug)]
pub enum Notification<'a> {
    /// Conversations changed ([§6.1](crate::protocol#61)).
    Conversations(ConversationChanges<'a>),
    /// Records of dialogs ([§6.2](crate::protocol#62)).
    Messages(Messages<'a>),
    /// Offers changed ([§6.3](crate::protocol#63)).
    Rings(Rings<'a>),
    /// An agent's state changed ([§6.4](crate::protocol#64)).
    AgentStates(Vec<AgentStateChange>),
    /// Any other type; passed on raw.
    Unlisted {
        /// The type as sent.
        kind: Text<'a>,
        /// The body as sent.
        body: Option<Json<'a>>,
    },
}

/// The body of a conversation notification. States stay raw, so that a repeated state need not be parsed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConversationChanges<'a> {
    /// The subscription; webhooks have none.
    #[serde(borrow, default)]
    pub subscription_id: Option<Text<'a>>,
    /// The changes; the first notification of a subscription has every match.
    #[serde(default, deserialize_with = "lenient::one_or_many")]
    pub changes: Vec<Change<'a>>,
}

impl ConversationChanges<'_> {
    /// Returns whether a notification of this type contains changes of conversations ([§6.1](crate::protocol#61)).
    pub(super) fn are_named(kind: &str) -> bool {
        last_part(kind) == "ExConversationChangeNotification"
    }
}

/// The part of a type's name that both dialects share ([§6.1](crate::protocol#61)).
fn last_part(kind: &str) -> &str {
    kind.rsplit('.').next().unwrap_or_default()
}

/// One change of one conversation.
#[derive(Debug, Deserialize)]
pub struct Change<'a> {
    /// Whether the conversation still matches.
    #[serde(rename = "type")]
    pub kind: ChangeKind,
    /// The state as sent, a [`super::ConversationState`].
    #[serde(borrow, default)]
    pub result: Option<StateText<'a>>,
}

/// A state as sent: the text of one JSON value, borrowed from the frame.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct StateText<'a> {
    text: &'a str,
    is_presumed: bool,
}

impl<'a> StateText<'a> {
    /// The text.
    #[must_use]
    pub fn get(self) -> &'a str {
        self.text
    }

    /// Whether the end of the state is only presumed, as in a [`StateFrame`](super::StateFrame). Then the text may be no
    /// JSON value.
    #[must_use]
    pub fn is_presumed(self) -> bool {
        self.is_presumed
    }

    pub(super) fn known(text: &'a str) -> Self {
        Self { text, is_presumed: false }
    }

    pub(super) fn presumed(text: &'a str) -> Self {
        Self { text, is_presumed: true }
    }
}

impl fmt::Debug for StateText<'_> {
    /// Only the length, because a state contains message text, which is never logged.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StateText({} bytes)", self.text.len())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for StateText<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&'de RawValue>::deserialize(deserializer).map(|raw| Self::known(raw.get()))
    }
}

impl<'a> ConversationChanges<'a> {
    /// Reads the body of a conversation notification in its usual form. `None` if it must be decoded by [`serde_json`].
    pub(super) fn read(reader: &mut JsonReader<'a>) -> Option<Self> {
        let (mut subscription_id, mut changes) = (None, None);
        reader.object(|reader, name| match name {
            "subscriptionId" if subscription_id.is_none() => set_plain(reader, &mut subscription_id),
            "changes" if changes.is_none() => {
                let mut list = Vec::with_capacity(1);
                reader.array(|reader| {
                    list.push(Change::read(reader)?);
                    Some(())
                })?;
                changes = Some(list);
                Some(())
            }
            "subscriptionId" | "changes" => None,
            _ => reader.value().map(|_| ()),
        })?;
        Some(Self { subscription_id, changes: changes? })
    }
}

impl<'a> Change<'a> {
    fn read(reader: &mut JsonReader<'a>) -> Option<Self> {
        let (mut kind, mut result) = (None, None);
        reader.object(|reader, name| match name {
            "type" if kind.is_none() => {
                let Scalar::Plain(plain) = reader.scalar()? else { return None };
                kind = Some(ChangeKind::from(plain));
                Some(())
            }
            "result" if result.is_none() && reader.kind()? == Kind::Object => {
                result = Some(StateText::known(reader.value()?));
                Some(())
            }
            "type" | "result" => None,
            _ => reader.value().map(|_| ()),
        })?;
        Some(Self { kind: kind?, result })
    }

    /// Returns the conversation's id, found without parsing the rest of the state.
    #[must_use]
    pub fn conversation_id(&self) -> Option<Text<'a>> {
        let state = self.result?.get();
        if let Some(id) = plain_id(state) {
            return Some(id);
        }
        let mut found = None;
        let mut reader = serde_json::Deserializer::from_str(state);
        // The seed stops the parser with an error as soon as it has the id; the id it found is the result.
        let _ = FirstMember { name: "convId", found: &mut found }.deserialize(&mut reader);
        found
    }

    /// Returns when the conversation was last changed, if the state has that time.
    #[must_use]
    pub fn last_updated(&self) -> Option<Timestamp> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct State {
            conversation_details: Details,
        }

        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Details {
            meta_data_last_update_ts: Timestamp,
        }

        let state: State = serde_json::from_str(self.result?.get()).ok()?;
        Some(state.conversation_details.meta_data_last_update_ts)
    }
}

/// Reads a string without escapes.
fn set_plain<'a>(reader: &mut JsonReader<'a>, text: &mut Option<Text<'a>>) -> Option<()> {
    let Scalar::Plain(plain) = reader.scalar()? else { return None };
    *text = Some(plain.into());
    Some(())
}

/// Returns the id of a state that begins with it, as usual, in the usual form.
fn plain_id(state: &str) -> Option<Text<'_>> {
    let mut id = None;
    JsonReader::new(state).object(|reader, name| {
        if let ("convId", Some(Scalar::Plain(plain))) = (name, reader.scalar()) {
            id = Some(Text::from(plain));
        }
        None
    });
    id
}

/// Parses an object up to one member.
struct FirstMember<'f, 'a> {
    name: &'static str,
    found: &'f mut Option<Text<'a>>,
}

impl<'de: 'a, 'a> DeserializeSeed<'de> for FirstMember<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de: 'a, 'a> serde::de::Visitor<'de> for FirstMember<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with {}", self.name)
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key::<Text<'de>>()? {
            if name.as_str() == self.name {
                *self.found = Some(members.next_value()?);
                return Err(serde::de::Error::custom("found"));
            }
            members.next_value::<serde::de::IgnoredAny>()?;
        }
        Ok(())
    }
}

/// The body of a message notification: a batch (consumer dialect) or one record (brand dialect).
#[derive(Debug)]
pub struct Messages<'a> {
    /// The dialog of all records, if the batch names it.
    pub dialog_id: Option<Text<'a>>,
    /// The conversation of all records, if the batch names it.
    pub conversation_id: Option<Text<'a>>,
    /// When the platform sent the batch, if the batch says so.
    pub sent_ts: Option<Timestamp>,
    /// The records, in the order sent.
    pub records: Vec<MessageRecord<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Batch<'a> {
    #[serde(borrow, default)]
    dialog_id: Option<Text<'a>>,
    #[serde(default)]
    conversation_id: Option<Text<'a>>,
    #[serde(default)]
    sent_ts: Option<Timestamp>,
    #[serde(default)]
    changes: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Records<'a>(#[serde(borrow, deserialize_with = "lenient::one_or_many")] Vec<MessageRecord<'a>>);

impl Messages<'_> {
    /// Returns whether a notification of this type contains records ([§6.2](crate::protocol#62)).
    pub(super) fn are_named(kind: &str) -> bool {
        matches!(last_part(kind), "OnlineEventDistribution" | "MessagingEventNotification")
    }
}

impl<'a> Messages<'a> {
    /// Reads either form as it usually is. `None` if it must be read by [`Self::read`].
    fn read_usual(reader: &mut JsonReader<'a>) -> Option<Self> {
        let start = reader.at();
        let (mut dialog_id, mut conversation_id, mut sent_ts, mut changes) = (None, None, None, None);
        reader.object(|reader, name| match name {
            "dialogId" if dialog_id.is_none() => set_plain(reader, &mut dialog_id),
            "conversationId" if conversation_id.is_none() => set_plain(reader, &mut conversation_id),
            "sentTs" if sent_ts.is_none() => {
                let Scalar::Integer(time) = reader.scalar()? else { return None };
                sent_ts = Some(Timestamp(time));
                Some(())
            }
            "changes" if changes.is_none() => {
                let list: &mut Vec<MessageRecord<'a>> = changes.insert(Vec::with_capacity(1));
                reader.array(|reader| {
                    list.push(serde_json::from_str(reader.value()?).ok()?);
                    Some(())
                })
            }
            "dialogId" | "conversationId" | "sentTs" | "changes" => None,
            _ => reader.value().map(|_| ()),
        })?;
        let records = match changes {
            Some(records) => records,
            None => vec![serde_json::from_str(reader.since(start)?).ok()?],
        };
        Some(Self { dialog_id, conversation_id, sent_ts, records })
    }

    /// Accepts either form on either socket (protocol [§6.2](crate::protocol#62)): a batch has `changes`; otherwise it
    /// is a record.
    fn read(body: &'a str) -> Result<Self, serde_json::Error> {
        let Batch { dialog_id, conversation_id, sent_ts, changes } = serde_json::from_str(body)?;
        let records = match changes {
            Some(changes) => serde_json::from_str::<Records<'a>>(changes.get())?.0,
            None => vec![serde_json::from_str(body)?],
        };
        Ok(Self { dialog_id, conversation_id, sent_ts, records })
    }
}

/// The body of a ring notification.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rings<'a> {
    /// The subscription.
    #[serde(borrow, default)]
    pub subscription_id: Option<Text<'a>>,
    /// The changes of tasks; the change of an ended task is [`ChangeKind::Delete`].
    #[serde(default, deserialize_with = "lenient::one_or_many")]
    pub changes: Vec<RingChange<'a>>,
}

/// One change of one routing task.
#[derive(Debug, Deserialize)]
pub struct RingChange<'a> {
    /// Whether the task still concerns this agent.
    #[serde(rename = "type")]
    pub kind: ChangeKind,
    /// The task with its rings.
    #[serde(borrow, default)]
    pub result: Option<RoutingTask<'a>>,
}

/// An agent's new state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentStateChange {
    /// The state.
    pub availability: AgentState,
    /// The agent, if named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_user_id: Option<AgentId>,
}

#[derive(Deserialize)]
struct AgentStates {
    #[serde(default, deserialize_with = "lenient::one_or_many")]
    changes: Vec<AgentStateUpsert>,
}

#[derive(Deserialize)]
struct AgentStateUpsert {
    #[serde(default)]
    result: Option<AgentStateChange>,
}

impl<'a> Notification<'a> {
    /// Reads the body of a frequent notification in its usual form. `None` if it must be read by [`Self::read`].
    pub(super) fn read_usual(kind: &str, reader: &mut JsonReader<'a>) -> Option<Self> {
        match kind {
            kind if ConversationChanges::are_named(kind) => ConversationChanges::read(reader).map(Self::Conversations),
            kind if Messages::are_named(kind) => Messages::read_usual(reader).map(Self::Messages),
            _ => None,
        }
    }

    pub(super) fn read(kind: Text<'a>, body: Option<Json<'a>>) -> Result<Self, FrameError> {
        let Some(text) = body.as_ref().and_then(Json::borrowed) else {
            return Ok(Self::Unlisted { kind, body });
        };
        let read = match last_part(&kind) {
            _ if ConversationChanges::are_named(&kind) => serde_json::from_str(text).map(Self::Conversations),
            _ if Messages::are_named(&kind) => Messages::read(text).map(Self::Messages),
            "RoutingTaskNotification" | "routingTaskNotification" => serde_json::from_str(text).map(Self::Rings),
            "AgentStateNotification" | "agentStateNotification" => {
                serde_json::from_str(text).map(|AgentStates { changes }| {
                    Self::AgentStates(changes.into_iter().filter_map(|upsert| upsert.result).collect())
                })
            }
            _ => return Ok(Self::Unlisted { kind, body }),
        };
        read.map_err(|source| FrameError::MalformedBody { kind: kind.to_string(), source })
    }
}
