//! The enumerations of protocol [§7](crate::protocol#7). Each keeps values it does not know.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::unlisted::Unlisted;

macro_rules! wire_enums {
    ($($(#[doc = $doc:literal])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $wire:literal,)+ })+) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
            /// A value unknown to this version, as sent.
            Unlisted(Unlisted),
        }

        impl $name {
            /// Every value known to this version.
            pub const KNOWN: &[Self] = &[$(Self::$variant),+];

            /// The value as the protocol writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $wire,)+
                    Self::Unlisted(value) => value.as_str(),
                }
            }
        }

        impl From<&str> for $name {
            fn from(value: &str) -> Self {
                match value {
                    $($wire => Self::$variant,)+
                    unlisted => Self::Unlisted(unlisted.into()),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;

                impl de::Visitor<'_> for Visitor {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str(concat!("a value of ", stringify!($name)))
                    }

                    fn visit_str<E: de::Error>(self, value: &str) -> Result<$name, E> {
                        Ok(value.into())
                    }
                }

                deserializer.deserialize_str(Visitor)
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                open_word(concat!($($doc),*), &[$($wire),+])
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::ToSchema for $name {}
    )+};
}

/// The schema of a string that is usually one of `known`. The platform may send other strings, so the schema allows
/// them.
#[cfg(feature = "openapi")]
fn open_word(doc: &str, known: &[&str]) -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
    let description = format!("{} Usually one of `{}`.", doc.trim(), known.join("`, `"));
    let schema = utoipa::openapi::ObjectBuilder::new()
        .schema_type(utoipa::openapi::Type::String)
        .description(Some(description))
        .examples(known.first().map(|word| serde_json::Value::from(*word)));
    schema.build().into()
}

wire_enums! {
    /// A participant's role in a dialog ([§7.1](crate::protocol#71)).
    ParticipantRole {
        /// The person who contacted the brand.
        Consumer = "CONSUMER",
        /// The agent or bot the conversation is assigned to.
        AssignedAgent = "ASSIGNED_AGENT",
        /// Another participating agent, for example a survey bot.
        Agent = "AGENT",
        /// An agent manager who joined.
        Manager = "MANAGER",
        /// A silent observer.
        Reader = "READER",
        /// A system that steers the conversation.
        Controller = "CONTROLLER",
        /// The brand's own bot.
        BrandBot = "BRAND_BOT",
    }
    /// Whether a participant has joined ([§7.2](crate::protocol#72)).
    ParticipantStatus {
        /// Participates.
        Active = "ACTIVE",
        /// Was suggested and has not accepted yet.
        Suggested = "SUGGESTED",
        /// Has left. Never sent by the platform.
        Removed = "REMOVED",
    }
    /// The purpose of a dialog ([§7.3](crate::protocol#73)).
    DialogType {
        /// The conversation's own dialog.
        Main = "MAIN",
        /// The survey after the conversation.
        PostSurvey = "POST_SURVEY",
        /// Among agents.
        Agents = "AGENTS",
        /// Anything else, including co-browse sessions.
        Other = "OTHER",
        /// A request for consent before the conversation.
        PreConversationOptIn = "PRE_CONVERSATION_OPT_IN",
    }
    /// The medium of a dialog ([§7.4](crate::protocol#74)).
    ChannelType {
        /// Messages.
        Messaging = "MESSAGING",
        /// A shared browser or a call; has no messages.
        Cobrowse = "COBROWSE",
        /// Live chat.
        LiveChat = "LIVE_CHAT",
    }
    /// The stage of a conversation ([§7.5](crate::protocol#75)).
    Stage {
        /// Open.
        Open = "OPEN",
        /// Ended; notes may still change.
        Close = "CLOSE",
        /// Ended permanently; nothing may change.
        Locked = "LOCKED",
    }
    /// Whether a dialog is open.
    DialogStatus {
        /// Open.
        Open = "OPEN",
        /// Ended.
        Close = "CLOSE",
    }
    /// Who ended a conversation or dialog ([§7.6](crate::protocol#76)).
    CloseReason {
        /// The consumer.
        Consumer = "CONSUMER",
        /// An agent.
        Agent = "AGENT",
        /// Nobody wrote for too long.
        Timeout = "TIMEOUT",
        /// The platform.
        System = "SYSTEM",
    }
    /// The urgency of a response ([§7.7](crate::protocol#77)).
    TtrType {
        /// The account's usual time.
        Normal = "NORMAL",
        /// The account's short time.
        Urgent = "URGENT",
        /// The account's time for prioritised conversations.
        Prioritized = "PRIORITIZED",
        /// A time given with the request.
        Custom = "CUSTOM",
    }
    /// How far a satisfaction survey was completed ([§7.8](crate::protocol#78)).
    CsatStatus {
        /// Completely.
        Filled = "FILLED",
        /// Partially.
        PartiallyFilled = "PARTIALLY_FILLED",
        /// Declined.
        Skipped = "SKIPPED",
        /// Not yet.
        Empty = "EMPTY",
    }
    /// The status of a message at its reader ([§7.9](crate::protocol#79)).
    DeliveryStatus {
        /// Arrived on the device.
        Accept = "ACCEPT",
        /// Shown.
        Read = "READ",
        /// Its file was opened.
        Access = "ACCESS",
        /// Did not arrive.
        Nack = "NACK",
        /// An element of it was clicked.
        Action = "ACTION",
        /// Marked by a survey bot as an answer it could not use.
        Enrich = "ENRICH",
        /// A secure form was viewed.
        Viewed = "VIEWED",
        /// A secure form was abandoned.
        Aborted = "ABORTED",
        /// A secure form failed.
        Error = "ERROR",
    }
    /// A participant's activity ([§7.10](crate::protocol#710)).
    ChatState {
        /// Present.
        Active = "ACTIVE",
        /// Present but idle.
        Inactive = "INACTIVE",
        /// Away.
        Gone = "GONE",
        /// Typing.
        Composing = "COMPOSING",
        /// Stopped typing.
        Pause = "PAUSE",
        /// The consumer's app is in the background.
        Background = "BACKGROUND",
    }
    /// The state of an offer to an agent ([§7.11](crate::protocol#711)).
    RingState {
        /// Open.
        Waiting = "WAITING",
        /// Accepted.
        Accepted = "ACCEPTED",
        /// Declined.
        Rejected = "REJECTED",
        /// Nobody answered in time.
        Expired = "EXPIRED",
        /// Withdrawn: the conversation ended or another agent accepted it.
        Cancelled = "CANCELLED",
        /// Accepted by the platform on the agent's behalf.
        AutoAccept = "AUTO_ACCEPT",
    }
    /// Which offers an agent gets ([§7](crate::protocol#7), agent availability).
    AgentState {
        /// All.
        Online = "ONLINE",
        /// Transfers only.
        Occupied = "OCCUPIED",
        /// None; back later.
        Away = "AWAY",
        /// None; back at once.
        BackSoon = "BACK_SOON",
        /// None.
        Offline = "OFFLINE",
    }
    /// Why the response time does not run yet ([§7](crate::protocol#7)).
    DelayType {
        /// Out of hours.
        Night = "NIGHT",
        /// Weekend.
        Weekend = "WEEKEND",
        /// Holiday.
        Holiday = "HOLIDAY",
    }
    /// What a change means for a subscription ([§6.1](crate::protocol#61)).
    ChangeKind {
        /// The conversation matches, and this is its whole present state.
        Upsert = "UPSERT",
        /// The conversation no longer matches. It is not erased.
        Delete = "DELETE",
    }
    /// Who may read a message ([§7](crate::protocol#7)).
    MessageAudience {
        /// Everybody in the dialog.
        All = "ALL",
        /// Agents and agent managers only.
        AgentsAndManagers = "AGENTS_AND_MANAGERS",
        /// Not sent by the platform. Never part of a frame ([MS-5](crate::rules#ms-5)).
        Unknown = "UNKNOWN",
    }
    /// The type of the body of a content event ([§5.6](crate::protocol#56)).
    ContentType {
        /// Text.
        PlainText = "text/plain",
        /// Text with markup, seen in histories.
        Html = "text/html",
        /// A file on the platform's storage.
        HostedFile = "hosted/file",
        /// An invitation to fill in a secure form.
        SecureFormInvitation = "forms/secure-invitation",
        /// A completed secure form.
        SecureFormSubmission = "forms/secure-submission",
    }
    /// How a participant is changed ([§5.7](crate::protocol#57)).
    ParticipantChangeKind {
        /// Joins.
        Add = "ADD",
        /// Leaves.
        Remove = "REMOVE",
        /// Is suggested.
        Suggest = "SUGGEST",
        /// Changes the role.
        Update = "UPDATE",
    }
    /// How a dialog is changed ([§5.7](crate::protocol#57)).
    DialogChangeKind {
        /// A new dialog.
        Create = "CREATE",
        /// A known dialog.
        Update = "UPDATE",
    }
}
