//! `Idempotency-Key`: the same key and body act once and get the same answer, over restarts too.

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
/// How long a command with a key goes on when its caller is gone. Whoever asks again in the meantime waits for it.
const LIFETIME: Duration = Duration::from_secs(300);

/// The header, as the interface's description has it.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it only describes")]
pub(super) struct Key {
    /// 1 to 64 printable ASCII characters. The same key and body act once and get the same answer, for a day.
    #[param(rename = "Idempotency-Key")]
    idempotency_key: Option<String>,
}

/// The key of a request, if its caller brought one. It may be written as a quoted string.
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

/// Carries `command` out, within `patience`; or answers as it was answered when it came with the same key before.
///
/// # Errors
/// What became of the command, or that the key came with another body.
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

/// Uploads a file and tells of it, as [`once`] does with a command.
///
/// # Errors
/// What became of the file, or that the key came with another one.
pub(super) async fn upload_once(
    handle: &ConversationHandle,
    key: Option<CommandKey>,
    digest: &Digest,
    file: UploadSource,
    patience: Duration,
) -> Result<Done, Problem> {
    let Some(key) = key else {
        let key = CommandKey::from(Uuid::now_v7().to_string());
        return Ok(handle.upload_file_as(key, file, patience).await?.done);
    };
    Ok(handle.upload_file_durably(key, digest.as_str(), file, LIFETIME, patience).await?)
}
