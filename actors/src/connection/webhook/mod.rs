//! The actor of a connection without a socket. [`crate::intake`] describes the roles of such a connection.

mod actor;
mod agent;
mod children;
mod escalation;
mod grant;
mod inbox;
mod messages;
mod outgoing;
mod send;
mod settings;
mod tokens;
mod webhooks;

pub(crate) use actor::Intake;
pub(crate) use inbox::WebhookInbox;
pub(crate) use messages::{AskRest, Load, OpenConversation, Unload, WebhookArrived};
pub use settings::IntakeSettings;
