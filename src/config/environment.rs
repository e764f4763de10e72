//! The environment variables that a configuration may read: overrides and secrets.

use std::{collections::BTreeMap, env};

/// The prefix of every override.
const PREFIX: &str = "TERTULIA_";
/// Separates the keys of a path. A single underscore can be part of a key.
const SEPARATOR: &str = "__";

/// Environment variables as a value, so that tests can pass their own. Has no `Debug` form, because it holds secrets.
#[derive(Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process, without those that are not UTF-8.
    pub fn of_process() -> Self {
        env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect()
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The variables that override a value of the configuration: name, keys of the path, value.
    ///
    /// `TERTULIA_GATEWAY__LISTEN` is an override. `TERTULIA_TOKEN` is not, because every value lies inside a section.
    pub(super) fn overrides(&self) -> impl Iterator<Item = (&str, Vec<String>, &str)> {
        self.0.iter().filter_map(|(name, value)| {
            let path = name.strip_prefix(PREFIX)?;
            let keys: Vec<String> = path.split(SEPARATOR).map(str::to_lowercase).collect();
            (keys.len() > 1).then_some((name.as_str(), keys, value.as_str()))
        })
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<Variables: IntoIterator<Item = (String, String)>>(variables: Variables) -> Self {
        Self(variables.into_iter().collect())
    }
}
