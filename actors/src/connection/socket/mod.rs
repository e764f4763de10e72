//! A connection with a socket: one login of one user, kept alive, and the conversations it sees.
//!
//! The actor drives a [`tertulia_core::session::Session`], which decides about logins, sockets, keep-alives and
//! reconnects. Frames go to the conversations that they name. Requests of conversations and callers share one request
//! table with deadlines. Each new socket begins with the resume plan.
//!
//! A file that holds the state of one concern imports neither the actor nor the files that act on it.

mod actor;
mod agent_state;
mod arrivals;
mod ask;
mod availability;
mod children;
mod closing;
mod command_queue;
mod commands;
mod creation;
mod creation_queue;
mod departures;
mod drive;
mod escalation;
mod forward;
mod frames;
mod identity;
mod identity_record;
mod lease;
mod link;
mod login;
mod login_right;
mod lookup;
mod messages;
mod parts;
mod principal;
mod readiness;
mod recovery;
mod recovery_queue;
mod request_table;
mod resume;
mod resume_plan;
mod ring_table;
mod rings;
mod session;
mod settings;
mod shifts;
mod step_up;
mod step_up_progress;
mod subscribe_to;
mod subscription_callers;
mod subscriptions;
mod token_queue;
mod waiter;
mod waiting;
mod waits;

pub(crate) use actor::Connection;
pub(crate) use escalation::Replay;
pub(crate) use identity::AskIdentity;
pub(crate) use lookup::Lookup;
pub(crate) use messages::{AcceptRing, AskWith, ListRings, Restart};
pub(crate) use messages::{AnswerRing, CreateConversation, SetAgentState, Stop};
pub use settings::{Agents, ConnectionSettings, Login, Rings};
pub use shifts::ShiftWatch;
pub(crate) use step_up::BeginStepUp;
pub use step_up_progress::{SteppedUp, Takeover};
pub use subscribe_to::ConversationSubscription;
pub(crate) use subscribe_to::SubscribeTo;

use super::{
    ConnectionError, ConnectionStatus, ProcessContext, QuarantinedConversation, Role, Waiting,
    context::ConnectionContext, forward as forwarding, reported_wait::ReportedWait, roster, status::StatusBoard,
};
