//! The rules for structured content, quick replies and metadata ([CV-F6](crate::rules#cv-f6),
//! [CV-F8](crate::rules#cv-f8), protocol [§7.12](crate::protocol#712) and [§11](crate::protocol#11)).
//!
//! A card that the platform cannot read closes the whole socket, with every conversation on it. Therefore each card is
//! checked before it is sent. The rules are tables, one per element, derived from the published schemas. The tests
//! compare the verdicts with those schemas and list each difference with its reason.

mod action;
mod basic;
mod check;
mod key_value;
mod layout;
mod list;
mod look;
mod metadata;
mod quick_replies;
mod rule;
#[cfg(test)]
mod tests;

use serde_json::Value;

use self::{check::Check, metadata::METADATA};
pub use check::{Invalid, Strictness};
pub use quick_replies::Channel;

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
