//! One login at the platform: its settings ([`ConnectionSettings`]) and its status ([`ConnectionStatus`]). Callers act
//! on a connection through its [`ConnectionHandle`](crate::ConnectionHandle).
//!
//! Inside, `socket/` and `webhook/` receive notifications and send requests, and `roster/` has the conversations of a
//! connection, once for both.

pub(crate) mod connection_record;
mod context;
pub(crate) mod duty;
mod error;
mod forward;
mod process_context;
mod reported_wait;
pub(crate) mod roster;
mod socket;
mod status;
pub(crate) mod webhook;

pub use crate::request::RequestError;
pub use crate::role::Role;
pub use error::ConnectionError;
pub(crate) use forward::Forward;
pub(crate) use process_context::ProcessContext;
pub use roster::QuarantinedConversation;
pub(crate) use socket::{
    AcceptRing, AnswerRing, AskIdentity, AskWith, BeginStepUp, Connection, CreateConversation, ListRings, Lookup,
    Replay, Restart, SetAgentState, Stop, SubscribeTo,
};
pub use socket::{Agents, ConnectionSettings, ConversationSubscription, Login, Rings, ShiftWatch, SteppedUp, Takeover};
pub use status::{ConnectionStatus, Waiting};
