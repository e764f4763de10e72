//! Events: what happened in a conversation or on a connection, the same for every subscriber.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use serde::{
    Serialize, Serializer,
    ser::{Error as _, SerializeMap},
};
use serde_json::value::RawValue;
use tertulia_core::{
    conversation::{ConversationEvent, Message, PageText},
    id::{AccountId, AgentId, CommandKey, ConnectionId, ConversationId, RingId, SkillId, UserId},
    readiness::Lacking,
    session::{ClosedBy, DisconnectReason, IdentityLoss, WaitReason},
    time::Timestamp,
    ums::{AgentState, RingState},
};

use super::EventKind;
use crate::{
    engine::{Loggable, NewEvent},
    role::Role,
};

/// The resume cursor of an event: the epoch of the log and the event's offset in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventId {
    /// Identifies the log. A reader with another epoch has lost events.
    pub epoch: Arc<str>,
    /// The offset, which grows by one per event over all connections.
    pub offset: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.offset)
    }
}

impl EventId {
    /// Parses the text form of an id.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (epoch, offset) = text.rsplit_once('-')?;
        Some(Self { epoch: epoch.into(), offset: offset.parse().ok()? })
    }
}

/// The source of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The account.
    pub account: AccountId,
    /// The connection.
    pub connection: ConnectionId,
}

/// One event.
#[derive(Clone, Debug)]
pub struct Event {
    /// Set when the event is durable; at once if nothing is kept.
    pub(crate) id: OnceLock<EventId>,
    /// The account and the connection of the event.
    pub origin: Arc<Origin>,
    /// The conversation; `None` for the connection's own events.
    pub conversation: Option<ConversationId>,
    /// The event's number within the conversation, from 1, without holes. `None` if the connection emitted the event.
    pub sequence: Option<u64>,
    /// When it was emitted.
    pub time: jiff::Timestamp,
    /// What happened.
    pub data: EventData,
}

/// A conversation offered to an agent.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Offer {
    /// The offer's id.
    pub ring_id: RingId,
    /// The state of the offer.
    pub ring_state: RingState,
    /// The offered conversation.
    pub conversation_id: Option<ConversationId>,
    /// The conversation's skill.
    pub skill_id: Option<SkillId>,
    /// The consumer of the conversation.
    pub consumer_id: Option<UserId>,
    /// When the offer expires.
    pub ring_expiration_ts: Option<Timestamp>,
}

/// The kind and data of an event.
#[non_exhaustive]
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum EventData {
    /// An event of a conversation.
    Conversation(ConversationEvent),
    /// A conversation is offered, or the offer changed. The conversation does not belong to this connection yet, so the
    /// event is the connection's own.
    Ring(Offer),
    /// A command succeeded.
    #[cfg_attr(feature = "openapi", schema(title = "command-sent"))]
    CommandSent {
        /// The command's key.
        key: CommandKey,
        /// The kind of the command.
        command: &'static str,
        /// The message's sequence in its dialog.
        #[serde(skip_serializing_if = "Option::is_none")]
        sequence: Option<u64>,
        /// The name of the caller, if the caller has one.
        #[serde(skip_serializing_if = "Option::is_none")]
        caller: Option<Arc<str>>,
    },
    /// A command failed, or its outcome stays unknown.
    #[cfg_attr(feature = "openapi", schema(title = "command-failed"))]
    CommandFailed {
        /// The command's key.
        key: CommandKey,
        /// The kind of the command.
        command: &'static str,
        /// The stable code of the error.
        code: &'static str,
        /// The error as text.
        detail: String,
        /// The platform's own code, if the platform refused the command or closed the connection over it.
        #[serde(rename = "platformCode", skip_serializing_if = "Option::is_none")]
        platform_code: Option<u16>,
        /// The name of the caller, if the caller has one.
        #[serde(skip_serializing_if = "Option::is_none")]
        caller: Option<Arc<str>>,
    },
    /// A conversation's actor was restarted after a panic.
    #[cfg_attr(feature = "openapi", schema(title = "conversation-restarted"))]
    ConversationRestarted {
        /// The number of restarts since its start.
        restarts: u32,
    },
    /// A conversation's actor panicked too often and receives no more notifications.
    #[cfg_attr(feature = "openapi", schema(title = "conversation-quarantined"))]
    ConversationQuarantined {
        /// The number of restarts since its start.
        restarts: u32,
    },
    /// The socket is open and the platform accepted the identity.
    #[cfg_attr(feature = "openapi", schema(title = "connection.connected"))]
    Connected {},
    /// The socket is gone.
    #[cfg_attr(feature = "openapi", schema(title = "connection.disconnected"))]
    Disconnected {
        /// The close code, if there was one.
        code: Option<u16>,
        /// The side that ended it.
        by: ClosedBy,
        /// The reason.
        reason: DisconnectReason,
    },
    /// The connection is fetching what it missed.
    #[cfg_attr(feature = "openapi", schema(title = "connection.resuming"))]
    Resuming {
        /// Attempts since the connection was last stable.
        attempt: u32,
    },
    /// The connection has fetched what it missed.
    #[serde(rename_all = "camelCase")]
    #[cfg_attr(feature = "openapi", schema(title = "connection.resumed"))]
    Resumed {
        /// The account.
        account: AccountId,
        /// The role of the connection.
        role: Role,
        /// The user id of the connection, as in
        /// [`ConnectionStatus::user_id`](crate::connection::ConnectionStatus::user_id).
        user_id: Option<UserId>,
        /// The agent id of the connection.
        agent_id: Option<AgentId>,
        /// The agent's state that the platform confirmed.
        agent_state: Option<AgentState>,
        /// Conversations in the subscription's snapshot.
        conversations: usize,
        /// Missed messages that were fetched.
        filled: u64,
        /// Conversations whose history could not be brought up to date.
        incomplete: usize,
    },
    /// A part that the connection needs was refused, or works again.
    #[cfg_attr(feature = "openapi", schema(title = "connection.lacking"))]
    Lacking {
        /// The parts refused now; empty if none.
        lacking: Lacking,
    },
    /// The connection cannot log in, or another login keeps ending it. It tries again by itself, but an operator may
    /// have to act. Emitted once until the connection is ready again.
    #[serde(rename_all = "camelCase")]
    #[cfg_attr(feature = "openapi", schema(title = "connection.waiting"))]
    Waiting {
        /// The reason.
        reason: WaitReason,
        /// When it tries again for the first time.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
        until: jiff::Timestamp,
        /// The last error, as text.
        last_error: Option<String>,
    },
    /// The identity of a consumer is lost, and the connection continues as another consumer. The identity is anonymous,
    /// and each open conversation ends on this side, with its own `close`. After the loss of a step-up the configured
    /// consumer continues, and the conversations stay with the lost identity until it is stepped up to again.
    #[serde(rename_all = "camelCase")]
    #[cfg_attr(feature = "openapi", schema(title = "connection.identity-lost"))]
    IdentityLost {
        /// The previous consumer, as far as the platform reported it.
        user_id: Option<UserId>,
        /// The reason.
        reason: IdentityLoss,
        /// How many conversations the connection held.
        conversations: usize,
    },
    /// The connection has given up.
    #[cfg_attr(feature = "openapi", schema(title = "connection.failed"))]
    Failed {
        /// The reason.
        reason: String,
    },
}

impl EventData {
    /// The kind.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        match self {
            Self::Conversation(event) => event.into(),
            Self::Ring(_) => EventKind::Ring,
            Self::CommandSent { .. } => EventKind::CommandSent,
            Self::CommandFailed { .. } => EventKind::CommandFailed,
            Self::ConversationRestarted { .. } => EventKind::ConversationRestarted,
            Self::ConversationQuarantined { .. } => EventKind::ConversationQuarantined,
            Self::Connected {} => EventKind::Connected,
            Self::Disconnected { .. } => EventKind::Disconnected,
            Self::Resuming { .. } => EventKind::Resuming,
            Self::Resumed { .. } => EventKind::Resumed,
            Self::Lacking { .. } => EventKind::Lacking,
            Self::Waiting { .. } => EventKind::Waiting,
            Self::IdentityLost { .. } => EventKind::IdentityLost,
            Self::Failed { .. } => EventKind::Failed,
        }
    }

    /// The name after `tertulia.`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.kind().name()
    }

    /// Returns the event of the conversation's model; `None` for every other event, such as `CommandSent`.
    #[must_use]
    pub fn conversation_event(&self) -> Option<&ConversationEvent> {
        match self {
            Self::Conversation(event) => Some(event),
            _ => None,
        }
    }

    /// Returns the message, if this event is a message.
    #[must_use]
    pub fn message(&self) -> Option<&Message> {
        match self {
            Self::Conversation(ConversationEvent::Message(message)) => Some(message),
            _ => None,
        }
    }
}

impl Event {
    /// The resume cursor. `None` until the event is durable, because only its commit determines its offset. If nothing
    /// is kept, every event has one.
    #[must_use]
    pub fn id(&self) -> Option<&EventId> {
        self.id.get()
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        self.data.kind()
    }

    /// Returns the event of the conversation's model; `None` for every other event, such as `CommandSent`.
    #[must_use]
    pub fn conversation_event(&self) -> Option<&ConversationEvent> {
        self.data.conversation_event()
    }

    /// Returns the message, if this event is a message.
    #[must_use]
    pub fn message(&self) -> Option<&Message> {
        self.data.message()
    }
}

impl Serialize for Event {
    /// Serializes the event as a CloudEvents 1.0 object; without `id` until the event has one.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut event = serializer.serialize_map(None)?;
        event.serialize_entry("specversion", "1.0")?;
        if let Some(id) = self.id() {
            event.serialize_entry("id", &id.to_string())?;
        }
        self.serialize_members(&mut event)?;
        event.end()
    }
}

/// An event as the store keeps it, without `specversion` and `id`.
struct WithoutId<'e>(&'e Event);

impl Serialize for WithoutId<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut event = serializer.serialize_map(None)?;
        self.0.serialize_members(&mut event)?;
        event.end()
    }
}

impl Event {
    /// Serializes the members after `id`.
    fn serialize_members<M: SerializeMap>(&self, event: &mut M) -> Result<(), M::Error> {
        let Origin { account, connection } = &*self.origin;
        event.serialize_entry("source", &format_args!("/accounts/{account}/connections/{connection}"))?;
        if let Some(conversation) = &self.conversation {
            event.serialize_entry("subject", conversation)?;
        }
        event.serialize_entry("connection", connection)?;
        event.serialize_entry("type", &format_args!("tertulia.{}", self.data.name()))?;
        event.serialize_entry("time", &self.time)?;
        if let Some(sequence) = self.sequence {
            event.serialize_entry("sequence", &format_args!("{sequence}"))?;
        }
        event.serialize_entry("datacontenttype", "application/json")?;
        match &self.data {
            EventData::Conversation(ConversationEvent::Conversation(members)) => {
                // A conversation's event has a sequence.
                let sequence = self.sequence.unwrap_or_default();
                let data = first_seen(connection, sequence, members).map_err(M::Error::custom)?;
                event.serialize_entry("data", &data)?;
            }
            data => event.serialize_entry("data", data)?,
        }
        Ok(())
    }
}

/// The members of a conversation with the connection that sees it and the sequence of its last event, as in the gateway's
/// `GET /v1/conversations/{id}`.
fn first_seen(
    connection: &ConnectionId,
    sequence: u64,
    members: &PageText,
) -> Result<Box<RawValue>, serde_json::Error> {
    let connection = serde_json::to_string(connection)?;
    // The object is never empty, so both become its first members.
    let members = members.get().strip_prefix('{').unwrap_or_default();
    RawValue::from_string(format!("{{\"connection\":{connection},\"sequence\":\"{sequence}\",{members}"))
}

impl Loggable for Event {
    fn stored(&self) -> NewEvent {
        // The names and values of an event can always be serialized.
        let mut json = serde_json::to_vec(&WithoutId(self)).unwrap_or_default();
        // An event is one line. The line breaks are white space of values that the platform sent as JSON, because JSON
        // has none inside strings.
        for byte in json.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')) {
            *byte = b' ';
        }
        NewEvent {
            connection: self.origin.connection.share(),
            conversation: self.conversation.as_ref().map(ConversationId::share),
            name: self.data.name().into(),
            // A store in memory keeps the bytes for days, so the unused capacity is dropped.
            json: json.into_boxed_slice().into(),
        }
    }

    fn committed(&self, epoch: &Arc<str>, offset: u64) {
        self.id.get_or_init(|| EventId { epoch: Arc::clone(epoch), offset });
    }
}
