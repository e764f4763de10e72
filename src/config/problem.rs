//! Mistakes of a configuration, their places, and the reading that collects them.

use std::{
    cell::{Cell, RefCell},
    fmt,
    path::Path,
};

use super::{
    Environment,
    admissible::{Addresses, Admissible, SecretSource},
};

/// The place at which a value of the configuration was written.
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
    /// What is wrong and what is expected.
    pub message: String,
}

impl Problem {
    /// Formats the mistake as one line, `file:line: path: message`, which editors can follow.
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

/// One reading of a configuration: its sources and the mistakes found.
pub(super) struct Reading<'a> {
    pub(super) environment: &'a Environment,
    /// For a request: what the request may refer to.
    request: Option<&'a Admissible>,
    /// How many secrets the text itself contains; only a request may contain secrets.
    written_secrets: Cell<usize>,
    /// The sources of the connections' secrets, each with the path of its value.
    used: RefCell<Vec<(String, SecretSource)>>,
    problems: RefCell<Vec<Problem>>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(environment: &'a Environment) -> Self {
        Self {
            environment,
            request: None,
            written_secrets: Cell::default(),
            used: RefCell::default(),
            problems: RefCell::default(),
        }
    }

    /// A reading of a request. A request may contain secrets, and may refer only to `admissible` secrets and proxies.
    pub(super) fn of_request(environment: &'a Environment, admissible: &'a Admissible) -> Self {
        Self { request: Some(admissible), ..Self::new(environment) }
    }

    /// Whether a secret may come from `source`.
    pub(super) fn admits_secret(&self, source: &SecretSource) -> bool {
        self.request.is_none_or(|admissible| admissible.admits_secret(source))
    }

    /// The addresses at which a proxy may be reached; `None` if the proxy may not be used.
    pub(super) fn reach_of_proxy(&self, host: &str, port: u16) -> Option<Addresses> {
        self.request.map_or(Some(Addresses::Anywhere), |admissible| admissible.admits_proxy(host, port))
    }

    /// Records the source of the secret at `path`.
    pub(super) fn note_source(&self, path: &str, source: SecretSource) {
        if path.starts_with("connections[") {
            self.used.borrow_mut().push((path.to_owned(), source));
        }
    }

    /// Takes the sources of the connections' secrets, each with the path of its value.
    pub(super) fn take_sources(&self) -> Vec<(String, SecretSource)> {
        self.used.take()
    }

    /// Whether the text may contain secrets.
    pub(super) fn takes_written_secrets(&self) -> bool {
        self.request.is_some()
    }

    /// Records that the text contains a secret.
    pub(super) fn note_written_secret(&self) {
        self.written_secrets.update(|count| count + 1);
    }

    /// Whether the text contains secrets.
    pub(super) fn has_written_secrets(&self) -> bool {
        self.written_secrets.get() > 0
    }

    /// Reports a mistaken value.
    pub(super) fn report(&self, place: &Place, path: &str, message: impl Into<String>) {
        self.problems.borrow_mut().push(Problem {
            place: place.clone(),
            path: path.to_owned(),
            message: message.into(),
        });
    }

    /// Every mistake, in the order of the lines.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by(|one, other| one.place.cmp(&other.place));
        problems
    }
}
