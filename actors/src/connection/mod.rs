//! One login at the platform: the settings of a connection ([`ConnectionSettings`]) and its status
//! ([`ConnectionStatus`]). The methods of a connection are on [`ConnectionHandle`](crate::ConnectionHandle).
//!
//! Inside, `socket/` and `webhook/` have the two kinds of actors that receive notifications and send requests. Both
//! keep their conversations in the same `roster/`.

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
