//! Connections: each is one login of one user and the conversations it sees, with a socket or with webhooks.
//!
//! Every connection has a roster of its conversations, owned by the actor that receives the frames. [`Connection`] has
//! a socket; [`webhook`] has the connections whose notifications arrive by HTTP.

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
