//! A connection without a socket. Notifications arrive by webhook or from a queue; requests use the Send API or, in an
//! agent's name, the platform's REST API.
//!
//! [`Intake`] serves both roles. A *connector* speaks for many consumers and keeps its conversations in memory, like a
//! connection with a socket. An *intake* serves stateless workers: load a conversation, feed it a notification, act,
//! take its snapshot, unload it ([WH-2](crate::rules#wh-2)). The conversation actors are the same as with a socket;
//! only the receiver of their requests differs. A missing history is waited for during [`IntakeSettings::hold`],
//! because a late notification may still fill the hole. After that an agent reads the history; for everybody else the
//! missing part becomes a gap.

mod actor;
mod agent;
mod children;
mod error;
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
pub use error::{LoadError, UnloadError, WebhookError};
pub(crate) use inbox::WebhookInbox;
pub use messages::ConsumerProfile;
pub(crate) use messages::{AskRest, Load, OpenConversation, Unload, WebhookArrived};
pub use settings::{IntakeRole, IntakeSettings};
