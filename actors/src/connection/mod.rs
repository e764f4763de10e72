//! Connections: each is one login of one user and the conversations it sees, with a socket or with webhooks.
//!
//! Every connection has a roster of its conversations, owned by the actor that receives the frames. [`Connection`] has
//! a socket; [`webhook`] has the connections whose notifications arrive by HTTP.

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
