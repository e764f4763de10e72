//! The HTTP interface as callers meet it, in front of real actors and a platform stand-in. One file for each resource.

mod access;
mod closing;
mod commands;
mod connections;
mod conversations;
mod dashboard;
mod events;
mod files;
mod idempotency;
mod intake;
mod kept;
pub(crate) mod keys;
mod mcp;
mod messages;
mod notes;
mod origins;
mod overview;
mod participation;
mod platform;
mod problems;
mod receipts;
mod renewal;
mod response_time;
mod satisfaction;
mod schemas;
mod service;
mod snapshots;
mod tenants;

use serde_json::Value;

/// A monitor that sees every conversation of the account and takes none.
pub(crate) const MONITOR: &str = r#"
[[connections]]
id = "monitor"
account = "12345678"
role = "brand"
login = { username = "bot2", password = { env = "PASSWORD" } }
subscribe = { agents = "all" }
"#;
pub(crate) const WRONG: &str = r#"
[[connections]]
id = "wrong"
account = "12345678"
role = "brand"
login = { username = "bot3", password = { env = "WRONG" } }
"#;
pub(crate) const TOKENS: &str = r#"
[gateway]
listen = "127.0.0.1:0"
tokens = [
    { name = "looker", token = { env = "READ_TOKEN" }, scope = "read" },
    { name = "ops", token = { env = "WRITE_TOKEN" }, scope = "write" },
]
"#;

/// One consumer, beside the bot.
pub(crate) const ANN: &str = r#"
[[connections]]
id = "ann"
account = "12345678"
role = "consumer"
"#;

/// A row of a conversation.
pub(crate) fn row(conversation: &str, name: &str) -> String {
    format!("/v1/conversations/{conversation}/{name}")
}

pub(crate) fn messages(conversation: &str) -> String {
    row(conversation, "messages")
}

pub(crate) fn ids(answer: &Value, member: &str) -> Vec<String> {
    answer["items"].as_array().unwrap().iter().map(|item| item[member].as_str().unwrap().to_owned()).collect()
}
