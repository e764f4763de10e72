//! Counts the instructions of the core's work with callgrind, and compares the counts with the limits in the repository.
//! Unlike time, a count hardly depends on the machine, and not at all on its load.
//!
//! Without arguments it compares; with `--write` it writes the counts as the new limits. `--run` does the work itself,
//! and is called under callgrind.

mod callgrind;
mod limits;
mod scenario;

use std::{env, process::ExitCode};

use anyhow::Context as _;

use limits::Limits;
use scenario::Scenario;

fn main() -> anyhow::Result<ExitCode> {
    let argument = env::args().nth(1);
    match argument.as_deref() {
        None => check(),
        Some("--write") => Limits::of(callgrind::count(&Scenario::all())?)?.write().map(|()| ExitCode::SUCCESS),
        Some("--run") => Scenario::all().iter_mut().try_for_each(Scenario::run).map(|()| ExitCode::SUCCESS),
        Some(other) => anyhow::bail!("unknown argument {other}: use --write or none"),
    }
}

/// Counts and compares. Fails if a count is above its limit.
fn check() -> anyhow::Result<ExitCode> {
    let limits = Limits::read()?;
    let counts = callgrind::count(&Scenario::all())?;
    let comparison = limits.compare(&counts);
    println!("{comparison}");
    if !limits.are_for_this_architecture() {
        println!("The limits are for {}, so nothing was compared.", limits.architecture());
        return Ok(ExitCode::SUCCESS);
    }
    let compiler = limits::compiler().context("cannot run rustc")?;
    if comparison.fails() && compiler != limits.compiler() {
        println!("The limits were counted with {}, this is {compiler}.", limits.compiler());
    }
    Ok(if comparison.fails() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
