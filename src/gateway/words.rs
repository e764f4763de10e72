//! Values with few valid choices: a misspelt value gets an error instead of an empty result.

use tertulia_actors::{core::ums::Stage, subscriber::EventKind};

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

/// The kind of events with a name, with or without `tertulia.` before it.
///
/// # Errors
/// No kind has this name.
pub(super) fn event_kind(name: &str) -> Result<EventKind, Problem> {
    EventKind::parse(name).ok_or_else(|| {
        let names: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.name()).collect();
        unknown("type", name.strip_prefix("tertulia.").unwrap_or(name), &names)
    })
}

/// Checks that `value` is one of `valid`.
///
/// # Errors
/// The value is not in the list.
pub(super) fn check(what: &str, value: &str, valid: &[&str]) -> Result<(), Problem> {
    if valid.contains(&value) { Ok(()) } else { Err(unknown(what, value, valid)) }
}

fn unknown(what: &str, value: &str, valid: &[&str]) -> Problem {
    let nearest = nearest(value, valid);
    let detail = format!("{what} {value:?} is not one of {}; the nearest is {nearest:?}", valid.join(", "));
    Problem::bad_request(detail).with("nearest", nearest)
}
