//! The identifiers and the enumerations of the account, as they appear on the wire; unknown values are kept.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// Milliseconds since the epoch. The platform never reads a clock; each call passes the time.
pub(crate) type Millis = u64;

/// A time as the messaging REST API writes it, such as `2016-08-29T14:30:24.565Z`.
pub(crate) fn timestamp(time: Millis) -> String {
    let time = i64::try_from(time).ok().and_then(|time| jiff::Timestamp::from_millisecond(time).ok());
    format!("{:.3}", time.unwrap_or_default())
}

/// A time as the platform's other HTTP services write it, such as `2016-08-29 14:30:24.565+0000`.
pub(crate) fn date_time(time: Millis) -> String {
    let time = i64::try_from(time).ok().and_then(|time| jiff::Timestamp::from_millisecond(time).ok());
    time.unwrap_or_default().strftime("%Y-%m-%d %H:%M:%S%.3f%z").to_string()
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) struct $name(Arc<str>);

        impl $name {
            pub(crate) fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }
            pub(crate) fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    };
}

text_id!(
    /// One case between a consumer and the brand.
    ConversationId
);
text_id!(
    /// One dialog of a conversation; the MAIN dialog carries the conversation's own id.
    DialogId
);
text_id!(
    /// `sub` of the consumer's token.
    ConsumerId
);
/// A skill; `-1` means none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub(crate) struct SkillId(Arc<str>);

impl SkillId {
    pub(crate) fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl ConversationId {
    /// The id of the MAIN dialog, which equals the conversation's.
    pub(crate) fn main_dialog(&self) -> DialogId {
        DialogId(Arc::clone(&self.0))
    }
}

/// One open socket, as the shell numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SocketId(pub(crate) u64);

/// One agent: its place in the account's directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct AgentIndex(pub(crate) u32);

/// Somebody who can take part in a dialog.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Party {
    Consumer(ConsumerId),
    Agent(AgentIndex),
}

impl Party {
    pub(crate) fn agent(&self) -> Option<AgentIndex> {
        match self {
            Self::Agent(agent) => Some(*agent),
            Self::Consumer(_) => None,
        }
    }

    pub(crate) fn is_consumer(&self) -> bool {
        matches!(self, Self::Consumer(_))
    }
}

macro_rules! wire_enum {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) enum $name {
            $($variant,)+
            /// A value this emulator does not know; it is kept and echoed.
            Other(Arc<str>),
        }

        impl $name {
            pub(crate) fn parse(text: &str) -> Self {
                match text {
                    $($text => Self::$variant,)+
                    other => Self::Other(other.into()),
                }
            }

            pub(crate) fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Other(text) => text,
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

wire_enum!(
    /// What a participant is in a dialog (protocol [§7.1](crate::protocol#71)).
    Role {
        Consumer = "CONSUMER",
        AssignedAgent = "ASSIGNED_AGENT",
        Agent = "AGENT",
        Manager = "MANAGER",
        Reader = "READER",
        Controller = "CONTROLLER",
    }
);
/// State of a dialog, a conversation, and a conversation's stage ([§7.5](crate::protocol#75)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum State {
    Open,
    Close,
}

impl State {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Close => "CLOSE",
        }
    }
}
wire_enum!(
    /// What a dialog is for ([§7.3](crate::protocol#73)).
    DialogType { Main = "MAIN", PostSurvey = "POST_SURVEY", Agents = "AGENTS", Elsewhere = "OTHER" }
);
wire_enum!(
    /// Whether an agent takes new work ([§5.8](crate::protocol#58)).
    Availability {
        Online = "ONLINE",
        Occupied = "OCCUPIED",
        Away = "AWAY",
        BackSoon = "BACK_SOON",
        Offline = "OFFLINE",
    }
);
wire_enum!(
    /// Life of one ring ([§7.11](crate::protocol#711)).
    RingState {
        Waiting = "WAITING",
        Accepted = "ACCEPTED",
        Rejected = "REJECTED",
        Expired = "EXPIRED",
        Cancelled = "CANCELLED",
    }
);
wire_enum!(
    /// Who may read a message ([§5.6](crate::protocol#56)).
    Audience { All = "ALL", AgentsAndManagers = "AGENTS_AND_MANAGERS" }
);
wire_enum!(
    /// What was published ([§5.6](crate::protocol#56)).
    EventType {
        Content = "ContentEvent",
        RichContent = "RichContentEvent",
        Accept = "AcceptStatusEvent",
        ChatState = "ChatStateEvent",
    }
);

impl EventType {
    pub(crate) fn is_content(&self) -> bool {
        matches!(self, Self::Content | Self::RichContent)
    }
}
