//! The actor of a connection without a socket. [`crate::intake`] describes the roles of such a connection.

mod actor;
mod agent;
mod backlog;
mod children;
mod escalation;
mod forward;
mod grant;
mod hold_back;
mod inbox;
mod incoming;
mod messages;
mod notes;
mod outgoing;
mod outgoing_counts;
mod send;
mod settings;
mod state_head;
mod tokens;
mod turns;

pub(crate) use actor::Intake;
pub(crate) use inbox::WebhookInbox;
pub(crate) use messages::{AskRest, Load, OpenConversation, Unload, WebhookArrived};
pub use settings::IntakeSettings;

use super::{context::ConnectionContext, forward as forwarding, reported_wait::ReportedWait, status::StatusBoard};
