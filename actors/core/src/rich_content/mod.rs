//! The rules for structured content, quick replies and metadata ([CV-F6](crate::rules#cv-f6),
//! [CV-F8](crate::rules#cv-f8), protocol [§7.12](crate::protocol#712) and [§11](crate::protocol#11)).
//!
//! A card that the platform cannot read closes the whole socket, with every conversation on it. Therefore each card is
//! checked before it is sent. The rules are tables, one per element, derived from the published schemas. The tests
//! compare the verdicts with those schemas and list each difference with its reason.

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

/// Whether parts that no rule covers are allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strictness {
    /// Nothing beyond the rules: unknown elements and members are refused, just as LivePerson's own web client refuses
    /// to draw them. This is the default, because a wrong refusal harms one message, and a wrong acceptance may close
    /// the socket.
    #[default]
    Schema,
    /// Allows elements of unknown types, and unknown members of known types, for newer features of the platform. Known
    /// parts keep their rules.
    Lenient,
}

/// An invalid value and its position.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{path}{}{problem}", if path.is_empty() { "" } else { ": " })]
pub struct Invalid {
    /// The path to the value, such as `elements[2].click.actions[0].uri`; empty for the whole content.
    pub path: String,
    /// The broken rule, as text.
    pub problem: String,
}

/// Checks structured content, except for its length as a whole.
///
/// # Errors
/// The first value found that breaks a rule.
pub fn check_content(content: &Value, strictness: Strictness) -> Result<(), Invalid> {
    Check::new(strictness).value(content, &layout::CONTENT)
}

/// Checks quick replies for a channel.
///
/// # Errors
/// The first value found that breaks a rule.
pub fn check_quick_replies(quick_replies: &Value, channel: Channel, strictness: Strictness) -> Result<(), Invalid> {
    Check::new(strictness).value(quick_replies, &channel.rule())
}

/// Checks one object of metadata: a published type by its rules; any other object must only have a type.
///
/// # Errors
/// The first value found that breaks a rule.
pub fn check_metadata(metadata: &Value, strictness: Strictness) -> Result<(), Invalid> {
    Check::new(strictness).value(metadata, &METADATA)
}
