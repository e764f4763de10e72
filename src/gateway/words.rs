//! Values that callers choose among a few: whoever misspells one is told, instead of being answered with nothing.

use tertulia_actors::{core::ums::Stage, subscriber::EVENT_NAMES};

use super::problem::Problem;
use crate::nearest::nearest;

/// Looks whether a stage is one.
///
/// # Errors
/// It is none.
pub(super) fn check_stage(stage: Option<&Stage>) -> Result<(), Problem> {
    let stages: Vec<&str> = Stage::KNOWN.iter().map(Stage::as_str).collect();
    stage.map_or(Ok(()), |stage| check("stage", stage.as_str(), &stages))
}

/// Looks whether a type of events is one, with or without `tertulia.` before it.
///
/// # Errors
/// It is none.
pub(super) fn check_event_type(name: &str) -> Result<(), Problem> {
    check("type", name.strip_prefix("tertulia.").unwrap_or(name), &EVENT_NAMES)
}

/// Looks whether `value` is one of `valid`.
///
/// # Errors
/// It is none.
pub(super) fn check(what: &str, value: &str, valid: &[&str]) -> Result<(), Problem> {
    if valid.contains(&value) {
        return Ok(());
    }
    let nearest = nearest(value, valid);
    let detail = format!("{what} {value:?} is not one of {}; the nearest is {nearest:?}", valid.join(", "));
    Err(Problem::bad_request(detail).with("nearest", nearest))
}
