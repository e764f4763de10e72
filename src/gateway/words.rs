//! Values with few valid choices: a misspelt value gets an error instead of an empty result.

use tertulia_actors::{core::ums::Stage, subscriber::EVENT_NAMES};

use super::problem::Problem;
use crate::nearest::nearest;

/// Checks that a stage is valid.
///
/// # Errors
/// The stage is unknown.
pub(super) fn check_stage(stage: Option<&Stage>) -> Result<(), Problem> {
    let stages: Vec<&str> = Stage::KNOWN.iter().map(Stage::as_str).collect();
    stage.map_or(Ok(()), |stage| check("stage", stage.as_str(), &stages))
}

/// Checks that an event type is valid, with or without the prefix `tertulia.`.
///
/// # Errors
/// The type is unknown.
pub(super) fn check_event_type(name: &str) -> Result<(), Problem> {
    check("type", name.strip_prefix("tertulia.").unwrap_or(name), &EVENT_NAMES)
}

/// Checks that `value` is one of `valid`.
///
/// # Errors
/// The value is not in the list.
pub(super) fn check(what: &str, value: &str, valid: &[&str]) -> Result<(), Problem> {
    if valid.contains(&value) {
        return Ok(());
    }
    let nearest = nearest(value, valid);
    let detail = format!("{what} {value:?} is not one of {}; the nearest is {nearest:?}", valid.join(", "));
    Err(Problem::bad_request(detail).with("nearest", nearest))
}
