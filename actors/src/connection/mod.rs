//! One login at the platform: how a connection is described ([`ConnectionSettings`]), and how it is doing
//! ([`ConnectionStatus`]). What a caller can do with one stands at [`ConnectionHandle`](crate::ConnectionHandle).
//!
//! Inside, `socket/` and `webhook/` bring notifications in and requests out. The conversations that a connection has stand
//! once for both in `roster/`.

mod process_context;
pub(crate) mod roster;
mod socket;
mod status;
pub(crate) mod webhook;

pub(crate) use process_context::ProcessContext;
pub use roster::{QuarantinedConversation, ReleaseError};
pub(crate) use socket::{
    AcceptRing, AnswerRing, AskIdentity, AskWith, BeginStepUp, Connection, CreateConversation, ListRings, Lookup,
    Replay, Restart, SetAgentState, Stop, SubscribeTo,
};
pub use socket::{
    Agents, ConnectionSettings, ConversationSubscription, Login, LookupError, RingError, Rings, ShiftChange,
    ShiftWatch, StepUpError, SteppedUp, Subscribe, TakenOver, Takeover,
};
pub use status::{ConnectionStatus, Waiting};
