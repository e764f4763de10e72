//! Events: what happened in a conversation or to a connection, as every subscriber gets it.

use std::{fmt, sync::Arc};

use serde::{Serialize, Serializer, ser::SerializeMap};
use tertulia_core::{
    conversation::{ConversationEvent, Message},
    id::{AccountId, CommandKey, ConnectionId, ConversationId, RingId, SkillId, UserId},
    readiness::Lacking,
    session::{ClosedBy, DisconnectReason, IdentityLoss, WaitReason},
    time::Timestamp,
    ums::RingState,
};

use super::EventKind;
use crate::engine::{Loggable, StoredEvent};

/// The resume cursor of an event: the process's epoch and the event's place in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventId {
    /// Tells one history from another: a reader that comes with another epoch has lost some.
    pub epoch: Arc<str>,
    /// Grows by one an event, over all connections.
    pub offset: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.offset)
    }
}

impl EventId {
    /// Reads an id as it is written.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (epoch, offset) = text.rsplit_once('-')?;
        Some(Self { epoch: epoch.into(), offset: offset.parse().ok()? })
    }
}

/// Where events come from.
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
    /// The resume cursor.
    pub id: EventId,
    /// Where it comes from.
    pub origin: Arc<Origin>,
    /// In which conversation; `None` for the connection's own.
    pub conversation: Option<ConversationId>,
    /// Its place among the conversation's events, from 1, without holes; `None` where another than the conversation
    /// tells it.
    pub sequence: Option<u64>,
    /// When it was emitted.
    pub time: jiff::Timestamp,
    /// What happened.
    pub data: EventData,
}

/// A conversation that is offered to an agent.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Offer {
    /// Which offer.
    pub ring_id: RingId,
    /// What became of it.
    pub ring_state: RingState,
    /// The conversation offered.
    pub conversation_id: Option<ConversationId>,
    /// The conversation's skill.
    pub skill_id: Option<SkillId>,
    /// The consumer who waits.
    pub consumer_id: Option<UserId>,
    /// Until when it stands.
    pub ring_expiration_ts: Option<Timestamp>,
}

/// What happened.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum EventData {
    /// In a conversation.
    Conversation(ConversationEvent),
    /// A conversation is offered, or the offer changed. It is not this connection's yet, so the event is the
    /// connection's own.
    Ring(Offer),
    /// A command was carried out by the platform.
    CommandSent {
        /// The command's key.
        key: CommandKey,
        /// What was asked.
        command: &'static str,
        /// The message's place in its dialog.
        #[serde(skip_serializing_if = "Option::is_none")]
        sequence: Option<u64>,
    },
    /// A command failed, or its outcome stays unknown.
    CommandFailed {
        /// The command's key.
        key: CommandKey,
        /// What was asked.
        command: &'static str,
        /// The stable word for the error.
        code: &'static str,
        /// What went wrong.
        detail: String,
        /// The platform's own code, where the platform refused the command or closed the connection over it.
        #[serde(rename = "platformCode", skip_serializing_if = "Option::is_none")]
        platform_code: Option<u16>,
    },
    /// A conversation's actor was rebuilt after a panic.
    ConversationRestarted {
        /// Restarts since it began.
        restarts: u32,
    },
    /// A conversation's actor failed too often and takes no more notifications.
    ConversationQuarantined {
        /// Restarts since it began.
        restarts: u32,
    },
    /// The socket is open and the platform knows who speaks.
    Connected {},
    /// The socket is gone.
    Disconnected {
        /// The close code, if there was one.
        code: Option<u16>,
        /// Who ended it.
        by: ClosedBy,
        /// Why.
        reason: DisconnectReason,
    },
    /// What was missed is being fetched.
    Resuming {
        /// Attempts since the connection was last stable.
        attempt: u32,
    },
    /// What was missed was fetched.
    Resumed {
        /// Conversations in the snapshot.
        conversations: usize,
        /// Messages that had been missed and were fetched.
        filled: u64,
        /// Conversations whose history could not be brought up to date.
        incomplete: usize,
    },
    /// Something that the connection needs was refused, or stands again.
    Lacking {
        /// What is refused now; nothing where all stands.
        lacking: Lacking,
    },
    /// The connection cannot log in, or is ended by another login again and again. It tries again by itself; somebody
    /// may have to act all the same. Told once, until the connection is ready again.
    #[serde(rename_all = "camelCase")]
    Waiting {
        /// Why.
        reason: WaitReason,
        /// When it tries again for the first time.
        until: jiff::Timestamp,
        /// What last went wrong, in words.
        last_error: Option<String>,
    },
    /// The identity of an anonymous consumer is lost, and the connection goes on as another consumer. Each open
    /// conversation ends on this side, with its own `close`.
    #[serde(rename_all = "camelCase")]
    IdentityLost {
        /// Who the consumer was, as far as the platform told.
        user_id: Option<UserId>,
        /// Why.
        reason: IdentityLoss,
        /// How many conversations the connection held.
        conversations: usize,
    },
    /// The connection has given up.
    Failed {
        /// Why.
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

    /// What happened in the conversation; `None` of an event that is not the conversation's own.
    #[must_use]
    pub fn conversation_event(&self) -> Option<&ConversationEvent> {
        match self {
            Self::Conversation(event) => Some(event),
            _ => None,
        }
    }

    /// The message, if a message arrived.
    #[must_use]
    pub fn message(&self) -> Option<&Message> {
        match self {
            Self::Conversation(ConversationEvent::Message(message)) => Some(message),
            _ => None,
        }
    }
}

impl Event {
    /// The kind.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        self.data.kind()
    }

    /// What happened in the conversation; `None` of an event that is not the conversation's own.
    #[must_use]
    pub fn conversation_event(&self) -> Option<&ConversationEvent> {
        self.data.conversation_event()
    }

    /// The message, if a message arrived.
    #[must_use]
    pub fn message(&self) -> Option<&Message> {
        self.data.message()
    }
}

impl Serialize for Event {
    /// Writes a CloudEvents 1.0 object.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Origin { account, connection } = &*self.origin;
        let mut event = serializer.serialize_map(None)?;
        event.serialize_entry("specversion", "1.0")?;
        event.serialize_entry("id", &self.id.to_string())?;
        event.serialize_entry("source", &format!("/accounts/{account}/connections/{connection}"))?;
        if let Some(conversation) = &self.conversation {
            event.serialize_entry("subject", conversation)?;
        }
        event.serialize_entry("type", &format!("tertulia.{}", self.data.name()))?;
        event.serialize_entry("time", &self.time)?;
        if let Some(sequence) = self.sequence {
            event.serialize_entry("sequence", &sequence.to_string())?;
        }
        event.serialize_entry("datacontenttype", "application/json")?;
        event.serialize_entry("data", &self.data)?;
        event.end()
    }
}

impl Loggable for Event {
    fn stored(&self) -> StoredEvent {
        // Names and values of an event are always JSON.
        let json = serde_json::to_vec(self).unwrap_or_default();
        StoredEvent {
            offset: self.id.offset,
            connection: self.origin.connection.share(),
            conversation: self.conversation.as_ref().map(ConversationId::share),
            name: self.data.name().into(),
            // A store in memory holds it for days: without the room that it was written in.
            json: json.into_boxed_slice().into(),
        }
    }
}
