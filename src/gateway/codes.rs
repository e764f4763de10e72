//! The list of all error codes that callers get.

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

/// Every value of a problem's `code`.
const CODES: &[&str] = &[
    "ambiguous-connection",
    "backup-under-way",
    "bad-csat",
    "bad-key",
    "bad-range",
    "bad-rate",
    "bad-request",
    "bad-signature",
    "body-too-large",
    "body-too-slow",
    "cancelled",
    "closed-connection",
    "connection-exists",
    "conversation-locked",
    "conversation-quarantined",
    "dead-lettered",
    "dialog-closed",
    "file-empty",
    "file-incomplete",
    "file-size-mismatch",
    "file-too-large",
    "file-type-not-supported",
    "file-unreadable",
    "filter-too-long",
    "in-flight",
    "inbox-full",
    "internal",
    "internal-address",
    "invalid-connection",
    "invalid-overlap",
    "invalid-retries",
    "invalid-secret",
    "invalid-url",
    "job-ended",
    "key-in-use",
    "key-reused",
    "metadata-invalid",
    "metadata-too-many",
    "method-not-allowed",
    "moving",
    "no-condition",
    "no-consumer",
    "no-open-dialog",
    "nobody-there",
    "node-away",
    "not-a-participant",
    "not-a-websocket",
    "not-connected",
    "not-forwarded",
    "not-found",
    "not-json",
    "not-kept",
    "not-loaded",
    "not-multipart",
    "not-permitted",
    "not-quarantined",
    "not-ready",
    "not-replayable",
    "not-supported",
    "note-full",
    "note-of-another",
    "note-too-long",
    "nothing-kept",
    "outcome-unknown",
    "overloaded",
    "platform-rejected",
    "preview-too-large",
    "quick-replies-invalid",
    "rich-text-invalid",
    "rich-text-too-long",
    "same-agent",
    "same-consumer",
    "secret-not-shared",
    "snapshot-malformed",
    "step-up-under-way",
    "stopping",
    "storage-refused",
    "storage-unavailable",
    "store-unavailable",
    "suspended",
    "text-empty",
    "text-too-long",
    "timed-out",
    "too-many-at-once",
    "too-many-connections",
    "too-many-items",
    "too-many-jobs",
    "too-many-requests",
    "too-many-secrets",
    "too-many-streams",
    "too-many-tests",
    "too-many-webhooks",
    "unauthenticated",
    "unavailable",
    "unknown-agent-state",
    "unknown-command",
    "unknown-connection",
    "unknown-conversation",
    "unknown-dead-letter",
    "unknown-dialog",
    "unknown-file",
    "unknown-job",
    "unknown-node",
    "unknown-ring",
    "unknown-service",
    "unknown-webhook",
    "unordered-replies",
    "unwritable",
];

/// Whether callers may get this code.
pub(super) fn is_listed(code: &str) -> bool {
    CODES.contains(&code)
}

/// The values of a problem's `code`, for the OpenAPI document.
pub(super) struct ProblemCode;

impl PartialSchema for ProblemCode {
    fn schema() -> RefOr<Schema> {
        let schema = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(CODES.iter().copied()));
        schema
            .description(Some("A stable code for the kind of error. Later versions may have more codes."))
            .build()
            .into()
    }
}

impl ToSchema for ProblemCode {}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        fs,
        path::{Path, PathBuf},
    };

    use super::*;

    /// The library's errors with codes of their own.
    const LIBRARY: [&str; 3] =
        ["actors/core/src/command/error.rs", "actors/src/conversation/failure.rs", "actors/src/files/error.rs"];

    #[test]
    fn the_list_has_every_code_that_the_sources_name_and_no_other() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut named = BTreeSet::new();
        for file in sources(&root.join("src/gateway")) {
            let text = fs::read_to_string(file).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            named.extend(after_statuses(code).into_iter().map(str::to_owned));
        }
        for file in LIBRARY {
            let text = fs::read_to_string(root.join(file)).unwrap();
            for method in text.split("fn code(&self) -> &'static str {").skip(1) {
                let body = method.split("\n    }\n").next().unwrap();
                named.extend(literals(body).into_iter().map(|(_, word)| word.to_owned()));
            }
        }
        let listed: BTreeSet<String> = CODES.iter().map(|code| (*code).to_owned()).collect();
        assert_eq!(listed, named, "the list differs from the sources");
        assert!(CODES.is_sorted(), "the list is not in order");
    }

    fn sources(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let of = |path: PathBuf| if path.is_dir() { sources(&path) } else { vec![path] };
        entries.flat_map(of).filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
    }

    /// The codes that follow a status, as in `Problem::new(StatusCode::CONFLICT, "in-use", …)`, or that begin a
    /// refusal.
    fn after_statuses(code: &str) -> Vec<&str> {
        let follows_status = |before: &str| {
            let before = before.trim_end();
            if before.ends_with("refusal(") {
                return true;
            }
            let before = before.strip_suffix(',').unwrap_or_default();
            let status = before.rsplit(|letter: char| !letter.is_alphanumeric() && !"_:".contains(letter)).next();
            status
                .is_some_and(|status| status.contains("StatusCode::") || ["status", "unprocessable"].contains(&status))
        };
        let words = literals(code).into_iter().filter(|(before, _)| follows_status(before)).map(|(_, word)| word);
        words.collect()
    }

    /// Each literal of lower-case words joined by hyphens, with the text before the literal.
    fn literals(code: &str) -> Vec<(&str, &str)> {
        let is_code = |word: &str| {
            let is_lower = |letter: char| letter.is_ascii_lowercase() || letter == '-';
            word.chars().all(is_lower) && word.starts_with(|letter: char| letter.is_ascii_lowercase())
        };
        let quotes: Vec<usize> = code.match_indices('"').map(|(place, _)| place).collect();
        let between = |pair: &[usize]| (&code[..pair[0]], &code[pair[0] + 1..pair[1]]);
        quotes.windows(2).map(between).filter(|(_, word)| is_code(word)).collect()
    }
}
