//! A connection with a socket: one login of one user, kept alive, and the conversations it sees.
//!
//! The actor drives a [`tertulia_core::session::Session`], which decides about logins, sockets, keep-alives and
//! reconnects. Frames go to the conversations that they name. Requests of conversations and callers share one request
//! table with deadlines. Each new socket begins with the resume plan.

mod actor;
mod arrivals;
mod ask;
mod children;
mod closing;
mod commands;
mod creation;
mod drive;
mod escalation;
mod frames;
mod identity;
mod lease;
mod link;
mod login;
mod lookup;
mod messages;
mod readiness;
mod recovery;
mod requests;
mod resume;
mod rings;
mod settings;
mod shifts;
mod step_up;
mod subscriptions;
mod waiting;
mod wishes;

pub(crate) use actor::Connection;
pub(crate) use escalation::Replay;
pub(crate) use identity::AskIdentity;
pub(crate) use lookup::Lookup;
pub(crate) use messages::{AcceptRing, AskWith, ListRings, Restart};
pub(crate) use messages::{AnswerRing, CreateConversation, SetAgentState, Stop};
pub use settings::{Agents, ConnectionSettings, Login, Rings};
pub use shifts::ShiftWatch;
pub(crate) use step_up::BeginStepUp;
pub use step_up::{SteppedUp, Takeover};
pub use wishes::ConversationSubscription;
pub(crate) use wishes::SubscribeTo;

use super::{ConnectionError, ConnectionStatus, ProcessContext, QuarantinedConversation, Role, Waiting, roster};
