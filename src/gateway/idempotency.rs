//! `Idempotency-Key`: requests with the same key and body act once and get the same response, even after a restart.

use std::time::Duration;

use actix_web::http::{StatusCode, header::HeaderMap};
use tertulia_actors::{
    conversation::{ConversationHandle, Done},
    core::{
        command::{Command, KEY_CHARS},
        id::CommandKey,
    },
    files::UploadSource,
};
use utoipa::IntoParams;
use uuid::Uuid;

use super::{body::Digest, problem::Problem};

const HEADER: &str = "idempotency-key";
/// How long a command with a key continues after its caller is gone. A repeated request waits for it.
const LIFETIME: Duration = Duration::from_secs(300);

/// The header, for the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only for the OpenAPI document")]
pub(super) struct Key {
    /// 1 to 64 printable ASCII characters. For a day, requests with the same key and body act once and get the same
    /// response.
    #[param(rename = "Idempotency-Key")]
    idempotency_key: Option<String>,
}

/// The key of a request, if present. The value may be a quoted string.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<CommandKey>, Problem> {
    let Some(value) = headers.get(HEADER) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    if (1..=KEY_CHARS).contains(&text.len()) {
        return Ok(Some(CommandKey::from(text)));
    }
    let detail = format!("Idempotency-Key must be 1 to {KEY_CHARS} printable ASCII characters");
    Err(Problem::new(StatusCode::BAD_REQUEST, "bad-key", detail))
}

/// Runs `command`, within `patience`. If the same key was used before, returns the earlier outcome instead.
///
/// # Errors
/// The command failed, or the key was used with another body.
pub(super) async fn once(
    handle: &ConversationHandle,
    key: Option<CommandKey>,
    digest: &Digest,
    command: Command,
    patience: Duration,
) -> Result<Done, Problem> {
    let Some(key) = key else {
        let key = CommandKey::from(Uuid::now_v7().to_string());
        return Ok(handle.perform_as(key, command, patience).await?);
    };
    Ok(handle.perform_durably(key, digest.as_str(), command, LIFETIME, patience).await?)
}

/// Uploads a file and publishes its message, once per key like [`once`].
///
/// # Errors
/// The upload failed, or the key was used with another file.
pub(super) async fn upload_once(
    handle: &ConversationHandle,
    key: Option<CommandKey>,
    digest: &Digest,
    file: UploadSource,
    patience: Duration,
) -> Result<Done, Problem> {
    let Some(key) = key else {
        let key = CommandKey::from(Uuid::now_v7().to_string());
        return Ok(handle.upload_file_as(key, file, patience).await?);
    };
    Ok(handle.upload_file_durably(key, digest.as_str(), file, LIFETIME, patience).await?)
}
