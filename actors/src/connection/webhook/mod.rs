//! A connection without a socket: notifications come in by webhook or from a queue, requests go out by the Send API, or
//! in an agent's name by the platform's REST.
//!
//! [`Intake`] serves both roles. A *connector* speaks for many consumers and keeps its conversations in memory as a
//! connection does. An *intake* works for stateless workers: load a conversation, feed it a notification, act, take its
//! snapshot, unload it ([WH-2](crate::rules#wh-2)). The conversations are the same actors as behind a socket; only what
//! answers their requests differs. A history that is missing is waited for during [`IntakeSettings::hold`], because a
//! late notification may still fill the hole; after it, an agent reads it, and for everybody else what is missing
//! becomes a gap.

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

pub use actor::Intake;
pub(crate) use desk::Desk;
pub use error::{LoadError, UnloadError, WebhookError};
pub use messages::ConsumerProfile;
pub(crate) use messages::{AskRest, Load, OpenConversation, Unload, WebhookArrived};
pub use settings::{IntakeRole, IntakeSettings};
