//! The result of a check as JSON, for scripts.

use std::path::Path;

use serde::Serialize;

use super::connect::Trial;
use crate::{
    config::{Place, Problem},
    harmless::harmless,
};

/// What `tertulia check --json` prints. `src/operations.md` describes every member.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    file: String,
    ok: bool,
    mistakes: Vec<Mistake>,
    /// `None` if the connections were not tried.
    connections: Option<Vec<Tried>>,
}

#[derive(Debug, Serialize)]
struct Mistake {
    line: Option<usize>,
    variable: Option<String>,
    key: String,
    text: String,
}

#[derive(Debug, Serialize)]
struct Tried {
    id: String,
    ok: bool,
    text: String,
}

impl Report {
    /// The report of a file without mistakes, whose connections were not tried.
    pub(super) fn valid(file: &Path) -> Self {
        Self { file: file.display().to_string(), ok: true, mistakes: Vec::new(), connections: None }
    }

    /// The report of a file without mistakes, before the outcomes of its connections are added.
    pub(super) fn tried(file: &Path) -> Self {
        Self { connections: Some(Vec::new()), ..Self::valid(file) }
    }

    pub(super) fn mistaken(file: &Path, problems: Vec<Problem>) -> Self {
        let mistakes = problems.into_iter().map(|Problem { place, path, message }| {
            let (line, variable) = match place {
                Place::Line(line) => (Some(line), None),
                Place::Variable(name) => (None, Some(name)),
                Place::Request => (None, None),
            };
            Mistake { line, variable, key: path, text: message }
        });
        Self { ok: false, mistakes: mistakes.collect(), ..Self::valid(file) }
    }

    /// The report of a file that cannot be used as a whole.
    pub(super) fn unusable(file: &Path, error: &anyhow::Error) -> Self {
        let mistake = Mistake { line: None, variable: None, key: String::new(), text: format!("{error:#}") };
        Self { ok: false, mistakes: vec![mistake], ..Self::valid(file) }
    }

    /// Adds the outcome of a connection's trial.
    pub(super) fn add(&mut self, Trial { connection, outcome }: Trial<'_>) {
        self.ok &= outcome.is_ok();
        let (ok, text) = match outcome {
            Ok(done) => (true, done),
            Err(failure) => (false, failure.with_advice()),
        };
        let tried = Tried { id: connection.id.clone(), ok, text: harmless(&text) };
        self.connections.get_or_insert_default().push(tried);
    }

    pub(super) fn is_ok(&self) -> bool {
        self.ok
    }
}
