//! Connections: each is one login of one user and the conversations it sees, with a socket or by webhook.
//!
//! What a connection has, its conversations, is one roster; the actor that brings the frames owns it. [`Connection`] has
//! a socket. [`webhook`] has the connections whose notifications come by HTTP.

pub(crate) mod roster;
mod shared;
mod socket;
mod status;
pub mod webhook;

pub use roster::{QuarantinedConversation, ReleaseError};
pub use shared::Surroundings;
pub(crate) use socket::{
    AcceptRing, AskIdentity, AskWith, BeginStepUp, ListRings, Lookup, Replay, Restart, SubscribeTo,
};
pub use socket::{
    Agents, AnswerRing, Connection, ConnectionSettings, ConversationSubscription, CreateConversation, Login,
    LookupError, RingError, Rings, SetAgentState, ShiftChange, ShiftWatch, StepUpError, SteppedUp, Stop, Subscribe,
    TakenOver, Takeover,
};
pub use status::{ConnectionStatus, Waiting};
