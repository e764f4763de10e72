//! The commands of a conversation, their validation, and the requests they become.
//!
//! A [`Command`] is planned against the known state of the conversation ([`Command::requests`]). It is refused with a
//! [`CommandError`], needs no request, or becomes one [`PlannedRequest`], which also says how to read its response and
//! what to do without a response. Requests to the connection rather than to a conversation (rings, agent state,
//! subscriptions) are a plain [`crate::ums::Request`].

mod closing;
#[expect(clippy::module_inception, reason = "the file holds the type that the module is named after")]
mod command;
mod effect;
mod error;
mod fields;
mod history;
mod identity;
mod isolation;
mod key;
mod limits;
mod note;
mod participation;
mod plan;
mod planning;
mod publish;
mod remedy;
mod suspicion;
#[cfg(test)]
mod tests;
mod transfer;

pub use command::{Command, HostedFile, MessageRange, SendFileNotice, SendRichText, SendText, SetAgentNote};
pub use error::{CommandError, Refusal};
pub use identity::Identity;
pub use isolation::Isolation;
pub use key::{KEY_CHARS, check_key, key_of};
pub use limits::Limits;
pub use plan::{AnswerKind, Plan, PlannedRequest, Repeat};
pub use remedy::Remedy;
pub use suspicion::{Suspicion, closed_over_content};
