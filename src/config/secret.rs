//! Secrets: referred to in the configuration, kept in the environment or in a file, never printed.

use std::{fs::File, io::Read as _};

use secrecy::{ExposeSecret as _, SecretString};

use super::{admissible::SecretSource, field::Field, problem::Reading};

/// The largest file accepted as a secret, in bytes. No password or token is that large; a file at a wrong path may be.
const MAX_FILE_BYTES: u64 = 64 * 1024;

impl Field<'_> {
    /// A secret, given as `{ env = "NAME" }` or `{ file = "path" }`. One line end at the end of the file is not part of
    /// the secret.
    pub(super) fn secret(self) -> Option<SecretString> {
        if !self.is_present() {
            return None;
        }
        if !self.is_table() && self.reading.takes_written_secrets() {
            self.reading.note_written_secret();
            return self.parse(|text| Ok(SecretString::from(text)));
        }
        if !self.is_table() {
            self.report("a secret must not be written here: give { env = \"NAME\" } or { file = \"path\" }");
            return None;
        }
        let (reading, place, path) = (self.reading, self.place.clone(), self.path.clone());
        let mut section = self.section();
        let (variable, file) = (section.field("env"), section.field("file"));
        if !section.finish() {
            return None;
        }
        match (variable.is_present(), file.is_present()) {
            (true, false) => variable.parse(|name| {
                admit(reading, &path, SecretSource::Variable(name.to_owned()))?;
                from_variable(name, reading.environment.get(name))
            }),
            (false, true) => file.parse(|file| {
                admit(reading, &path, SecretSource::File(file.to_owned()))?;
                from_file(file)
            }),
            _ => {
                reading.report(&place, &path, "a secret is either { env = \"NAME\" } or { file = \"path\" }");
                None
            }
        }
    }

    /// Text, or a value that is not secret but may be kept like a secret, such as a key's name.
    pub(super) fn text_or_secret(self) -> Option<String> {
        if self.is_table() { self.secret().map(|secret| secret.expose_secret().to_owned()) } else { self.text() }
    }
}

/// Checks whether the reading may use `source`, before any message reveals whether the source exists.
fn admit(reading: &Reading<'_>, path: &str, source: SecretSource) -> Result<(), String> {
    if !reading.admits_secret(&source) {
        let what = if matches!(source, SecretSource::Variable(_)) { "variable" } else { "file" };
        return Err(format!("connections added over HTTP may not refer to this {what}: see gateway.secrets"));
    }
    reading.note_source(path, source);
    Ok(())
}

fn from_variable(name: &str, value: Option<&str>) -> Result<SecretString, String> {
    // The user may have written the secret in place of its name, so only text that looks like a name is repeated.
    let looks_like_a_name = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    let shown = if looks_like_a_name { name } else { "named here" };
    match value {
        None => Err(format!("the environment variable {shown} is not set")),
        Some("") => Err(format!("the environment variable {shown} is empty")),
        Some(value) => Ok(SecretString::from(value)),
    }
}

fn from_file(path: &str) -> Result<SecretString, String> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text))
        .map_err(|error| format!("cannot read the secret's file: {error}"))?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("the secret's file is larger than {MAX_FILE_BYTES} bytes"));
    }
    let secret = text.strip_suffix('\n').unwrap_or(&text);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    if secret.is_empty() { Err("the secret's file is empty".to_owned()) } else { Ok(SecretString::from(secret)) }
}
