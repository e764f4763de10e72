//! What structured content, quick replies and metadata must look like ([CV-F6](crate::rules#cv-f6),
//! [CV-F8](crate::rules#cv-f8), protocol [§7.12](crate::protocol#712) and [§11](crate::protocol#11)).
//!
//! A card that the platform cannot read closes the whole socket, with every conversation on it; so each is checked
//! before it is sent. The rules are tables, one per element, after the published schemas; the tests hold the verdicts
//! against those schemas and list each difference with its reason.

mod action;
mod basic;
mod check;
mod layout;
mod list;
mod look;
mod metadata;
mod quick_replies;
mod rule;
#[cfg(test)]
mod tests;

use serde_json::Value;
use thiserror::Error;

use self::{check::Check, metadata::METADATA};
pub use quick_replies::Channel;

/// How much that no rule knows is let through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strictness {
    /// Nothing: unknown elements and members are refused, as LivePerson's own web client refuses to draw them. The
    /// default, because what is wrongly refused here harms one message, and what is wrongly sent may close the socket.
    #[default]
    Schema,
    /// Elements of unknown types and unknown members of known ones, for what the platform learned since; what is known
    /// keeps its rules.
    Lenient,
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{path}{}{problem}", if path.is_empty() { "" } else { ": " })]
pub struct Invalid {
    /// The way to the value, such as `elements[2].click.actions[0].uri`; empty for the whole.
    pub path: String,
    /// Which rule it breaks, in words.
    pub problem: String,
}

/// Checks structured content, except for its length as a whole.
///
/// # Errors
/// The first thing found that breaks a rule.
pub fn check_content(content: &Value, strictness: Strictness) -> Result<(), Invalid> {
    Check::new(strictness).value(content, &layout::CONTENT)
}

/// Checks quick replies for a channel.
///
/// # Errors
/// The first thing found that breaks a rule.
pub fn check_quick_replies(quick_replies: &Value, channel: Channel, strictness: Strictness) -> Result<(), Invalid> {
    Check::new(strictness).value(quick_replies, &channel.rule())
}

/// Checks one object of metadata: of a published type by its rules, of any other by its having a type.
///
/// # Errors
/// The first thing found that breaks a rule.
pub fn check_metadata(metadata: &Value, strictness: Strictness) -> Result<(), Invalid> {
    Check::new(strictness).value(metadata, &METADATA)
}
