//! Mistakes of a configuration, where they are, and the reading that collects them.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    fmt,
    path::Path,
};

use super::{
    Environment,
    admissible::{Admissible, Reach, SecretSource},
};

/// Where a value of the configuration was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Line of the file, from 1.
    Line(usize),
    /// Environment variable of this name.
    Variable(String),
    /// A request's body.
    Request,
}

/// One mistake. Never contains the value of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where the mistake is.
    pub place: Place,
    /// The value's path, such as `connections[0].login.password`; empty for the file as a whole.
    pub path: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Problem {
    /// The mistake as one line, `file:line: path: message`, which editors and people can follow.
    pub fn in_file(&self, file: &Path) -> impl fmt::Display {
        let place = match &self.place {
            Place::Line(line) => format!("{}:{line}", file.display()),
            Place::Variable(name) => name.clone(),
            Place::Request => "the request".to_owned(),
        };
        let separator = if self.path.is_empty() { "" } else { ": " };
        format!("{place}{separator}{}: {}", self.path, self.message)
    }
}

/// One reading of a configuration: what it may look at and what it found wrong.
pub(super) struct Reading<'a> {
    pub(super) environment: &'a Environment,
    /// Of a request: what it may refer to.
    request: Option<&'a Admissible>,
    /// How many secrets were written where they are used, which only a request may do.
    written_secrets: Cell<usize>,
    /// Where the secrets of connections are kept.
    used: RefCell<Vec<SecretSource>>,
    problems: RefCell<Vec<Problem>>,
    /// Lines that are not TOML. What follows from them is not reported: it would be noise.
    broken_lines: BTreeSet<usize>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(environment: &'a Environment) -> Self {
        Self {
            environment,
            request: None,
            written_secrets: Cell::default(),
            used: RefCell::default(),
            problems: RefCell::default(),
            broken_lines: BTreeSet::new(),
        }
    }

    /// A reading of a request, in which a secret may be written where it is used, and which may refer only to what is
    /// `admissible`.
    pub(super) fn of_request(environment: &'a Environment, admissible: &'a Admissible) -> Self {
        Self { request: Some(admissible), ..Self::new(environment) }
    }

    /// Whether a secret may be looked for where it is said to be kept.
    pub(super) fn admits_secret(&self, source: &SecretSource) -> bool {
        self.request.is_none_or(|admissible| admissible.admits_secret(source))
    }

    /// At which addresses a proxy may be spoken to; `None` where it may not be used.
    pub(super) fn reach_of_proxy(&self, host: &str, port: u16) -> Option<Reach> {
        self.request.map_or(Some(Reach::Anywhere), |admissible| admissible.admits_proxy(host, port))
    }

    /// Notes where the secret at `path` is kept.
    pub(super) fn note_source(&self, path: &str, source: SecretSource) {
        if path.starts_with("connections[") {
            self.used.borrow_mut().push(source);
        }
    }

    /// Where the secrets of connections are kept.
    pub(super) fn take_sources(&self) -> Vec<SecretSource> {
        self.used.take()
    }

    /// Whether a secret may be written where it is used.
    pub(super) fn takes_written_secrets(&self) -> bool {
        self.request.is_some()
    }

    /// Notes that a secret was written where it is used.
    pub(super) fn note_written_secret(&self) {
        self.written_secrets.update(|count| count + 1);
    }

    /// Whether secrets were written where they are used.
    pub(super) fn has_written_secrets(&self) -> bool {
        self.written_secrets.get() > 0
    }

    /// Notes that `line` is not TOML.
    pub(super) fn report_syntax(&mut self, line: usize, message: &str) {
        let message = format!("not valid TOML: {message}");
        self.report(&Place::Line(line), "", message);
        self.broken_lines.insert(line);
    }

    /// Notes a value that is mistaken.
    pub(super) fn report(&self, place: &Place, path: &str, message: impl Into<String>) {
        if matches!(place, Place::Line(line) if self.broken_lines.contains(line)) {
            return;
        }
        self.problems.borrow_mut().push(Problem {
            place: place.clone(),
            path: path.to_owned(),
            message: message.into(),
        });
    }

    /// Notes a value that must be there and is not; a broken line may have held it, so then nothing is said.
    pub(super) fn report_missing(&self, place: &Place, path: &str) {
        if self.broken_lines.is_empty() {
            self.report(place, path, "missing");
        }
    }

    /// Every mistake, in the order of the lines.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by(|one, other| one.place.cmp(&other.place));
        problems
    }
}
