//! The actor of a connection without a socket ([`crate::intake`]).

mod actor;
mod agent;
mod children;
mod desk;
mod error;
mod escalation;
mod grant;
mod messages;
mod outgoing;
mod send;
mod settings;
mod tokens;
mod webhooks;

pub(crate) use actor::Intake;
pub(crate) use desk::Desk;
pub use error::{LoadError, UnloadError, WebhookError};
pub use messages::ConsumerProfile;
pub(crate) use messages::{AskRest, Load, OpenConversation, Unload, WebhookArrived};
pub use settings::{IntakeRole, IntakeSettings};
