//! The brand's REST: an agent's requests over HTTPS, changes against the version that was read (protocol
//! [§10.5](crate::protocol#105)). The shapes of what is read are nowhere documented; they are those of the brand's
//! socket here.

use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes, Data, Path, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{auth, messaging_rest, refused};
use crate::account::{Account, now};
use crate::dialect::{Operation, Request};
use crate::platform::{AgentIndex, Caller, Reading, Refusal};

pub(super) fn routes(config: &mut ServiceConfig) {
    let dialog = "/v1/conversations/{conversation}/dialogs/{dialog}";
    writing(config, "");
    config
        .route("/v1/conversations/{conversation}", web::get().to(conversation))
        .route(dialog, web::get().to(read_dialog))
        .route(&format!("{dialog}/participants/{{participant}}"), web::get().to(participant))
        .route(&format!("{dialog}/messages"), web::get().to(messages))
        .route("/v1/brands/{account}/file-upload-path", web::post().to(upload_path))
        .route("/v1/brands/{account}/file-download-path", web::post().to(download_path));
}

/// The requests that change something; they are the same in the messaging REST API, behind a prefix.
pub(super) fn writing(config: &mut ServiceConfig, prefix: &str) {
    let conversation = format!("{prefix}/v1/conversations/{{conversation}}");
    let dialog = format!("{conversation}/dialogs/{{dialog}}");
    config
        .route(&conversation, web::patch().to(change_conversation))
        .route(&dialog, web::patch().to(close_dialog))
        .route(&format!("{dialog}/participants"), web::post().to(add_participant))
        .route(&format!("{dialog}/participants/{{participant}}"), web::delete().to(remove_participant))
        .route(&format!("{dialog}/messages"), web::post().to(publish));
}

/// Whether a request names this account as its brand.
pub(super) fn check_brand(account: &Account, request: &HttpRequest) -> Result<(), Refusal> {
    let brand = request.headers().get("Brand-ID").and_then(|brand| brand.to_str().ok());
    if brand != Some(account.config.account.as_str()) {
        return Err(Refusal::bad("Brand-ID is missing or another's"));
    }
    Ok(())
}

/// The agent who asks, for this account.
fn agent(account: &Account, request: &HttpRequest) -> Result<AgentIndex, Refusal> {
    check_brand(account, request)?;
    auth::agent(account, request)
}

/// Who asks: an agent, in the messaging REST API a consumer too.
fn caller(account: &Account, request: &HttpRequest) -> Result<Caller, Refusal> {
    if request.path().starts_with(messaging_rest::PREFIX) {
        return messaging_rest::caller(account, request);
    }
    let agent = agent(account, request)?;
    Ok(account.hub().platform.rest_caller(agent))
}

pub(super) fn read(body: &[u8]) -> Result<Value, Refusal> {
    Ok(serde_json::from_slice(body)?)
}

/// Answers what was read, with its version.
pub(super) fn told(reading: Result<Reading, Refusal>) -> HttpResponse {
    match reading {
        Ok(Reading { version, body }) => HttpResponse::Ok()
            .insert_header(("ETag", format!("\"{version}\"")))
            .content_type("application/json")
            .body(body),
        Err(refusal) => refused(&refusal),
    }
}

/// One request as a socket takes it; the answer's body as JSON text. With `version_of` it is carried out only
/// if that conversation has the version that the caller has read.
pub(super) fn perform(
    account: &Account,
    request: &HttpRequest,
    type_name: &str,
    metadata: &Value,
    body: &Value,
    version_of: Option<&str>,
) -> Result<String, Refusal> {
    let caller = caller(account, request)?;
    let mut hub = account.hub();
    if let Some(id) = version_of {
        let held = request.headers().get("If-Match").and_then(|version| version.to_str().ok());
        let held = held.ok_or_else(|| Refusal::new(428, "If-Match is missing"))?;
        let Reading { version, .. } = hub.platform.read_conversation(id)?;
        if held != format!("\"{version}\"") {
            return Err(Refusal::new(412, "The conversation has changed"));
        }
    }
    let frame = json!({ "id": "rest", "type": type_name, "body": body, "metadata": metadata });
    let asked = Request::read(frame.to_string().as_bytes()).map_err(Refusal::bad)?;
    hub.perform(&caller, &asked, now())
}

pub(super) fn answered(status: StatusCode, outcome: Result<String, Refusal>) -> HttpResponse {
    match outcome {
        Ok(body) => HttpResponse::build(status).content_type("application/json").body(body),
        Err(refusal) => refused(&refusal),
    }
}

/// Changes of one conversation, against its version if that is wanted.
fn update(
    account: &Account,
    request: &HttpRequest,
    conversation: &str,
    changes: &Value,
    is_versioned: bool,
) -> Result<String, Refusal> {
    let body = json!({ "conversationId": conversation, "conversationField": changes });
    let version_of = is_versioned.then_some(conversation);
    perform(account, request, ".ams.cm.UpdateConversationField", &Value::Null, &body, version_of)
}

async fn conversation(account: Data<Account>, request: HttpRequest, path: Path<String>) -> HttpResponse {
    let id = path.into_inner();
    told(agent(&account, &request).and_then(|_| account.hub().platform.read_conversation(&id)))
}

async fn read_dialog(account: Data<Account>, request: HttpRequest, path: Path<(String, String)>) -> HttpResponse {
    let (id, dialog) = path.into_inner();
    told(agent(&account, &request).and_then(|_| account.hub().platform.read_dialog(&id, &dialog)))
}

async fn participant(
    account: Data<Account>,
    request: HttpRequest,
    path: Path<(String, String, String)>,
) -> HttpResponse {
    let (id, dialog, participant) = path.into_inner();
    told(agent(&account, &request).and_then(|_| account.hub().platform.read_participant(&id, &dialog, &participant)))
}

/// `{"stage"}`, `{"type","value"}` or `{"manualETTR"}`.
async fn change_conversation(
    account: Data<Account>,
    request: HttpRequest,
    path: Path<String>,
    body: Bytes,
) -> HttpResponse {
    let change = |body: Value| match (&body["stage"], &body["type"], &body["manualETTR"]) {
        (Value::String(stage), Value::Null, Value::Null) => Ok(json!({ "field": "Stage", "conversationState": stage })),
        (Value::Null, Value::String(kind), Value::Null) => {
            Ok(json!({ "field": "TTRField", "ttrType": kind, "value": body["value"] }))
        }
        (Value::Null, Value::Null, Value::Number(time)) => Ok(json!({ "field": "ManualETTR", "time": time })),
        _ => Err(Refusal::bad("One of stage, type and manualETTR is expected")),
    };
    let id = path.into_inner();
    let outcome = read(&body).and_then(change).and_then(|change| update(&account, &request, &id, &change, true));
    answered(StatusCode::OK, outcome)
}

/// `{"state":"CLOSE","closeReason"}`.
async fn close_dialog(
    account: Data<Account>,
    request: HttpRequest,
    path: Path<(String, String)>,
    body: Bytes,
) -> HttpResponse {
    let (id, dialog) = path.into_inner();
    let change = |body: Value| {
        if body["state"] != "CLOSE" {
            return Err(Refusal::bad("A dialog can only be closed"));
        }
        let dialog = json!({ "dialogId": dialog, "state": "CLOSE", "closedBy": body["closeReason"] });
        Ok(json!({ "field": "DialogChange", "type": "UPDATE", "dialog": dialog }))
    };
    let outcome = read(&body).and_then(change).and_then(|change| update(&account, &request, &id, &change, true));
    answered(StatusCode::OK, outcome)
}

/// `{"id","role","state"}`.
async fn add_participant(
    account: Data<Account>,
    request: HttpRequest,
    path: Path<(String, String)>,
    body: Bytes,
) -> HttpResponse {
    let (id, dialog) = path.into_inner();
    let change = |body: Value| {
        let step = match body["state"].as_str() {
            Some("ACTIVE") => "ADD",
            Some("SUGGESTED") => "SUGGEST",
            _ => return Err(Refusal::bad("Unknown participant state")),
        };
        Ok(json!({ "field": "ParticipantsChange", "type": step, "role": body["role"], "userId": body["id"],
            "dialogId": dialog }))
    };
    let outcome = read(&body).and_then(change).and_then(|change| update(&account, &request, &id, &change, false));
    answered(StatusCode::CREATED, outcome)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Towards {
    transfer_to_skill_id: Option<String>,
    transfer_to_agent_id: Option<String>,
}

/// Takes an agent out, and with a target transfers the conversation.
async fn remove_participant(
    account: Data<Account>,
    request: HttpRequest,
    path: Path<(String, String, String)>,
    towards: Query<Towards>,
) -> HttpResponse {
    let (id, dialog, participant) = path.into_inner();
    let Towards { transfer_to_skill_id: skill, transfer_to_agent_id: target } = towards.into_inner();
    let change = |step: &str, role: &str, user: &str| json!({ "field": "ParticipantsChange", "type": step, "role": role, "userId": user, "dialogId": dialog });
    let changes = || {
        let hub = account.hub();
        let (role, participant) = hub.platform.role_in(&id, &dialog, &participant)?;
        let mut changes = Vec::new();
        changes.extend(skill.map(|skill| json!({ "field": "Skill", "type": "UPDATE", "skill": skill })));
        if let Some(target) = target {
            if let Ok((role, target)) = hub.platform.role_in(&id, &dialog, &target) {
                changes.push(change("REMOVE", &role, &target));
            }
            changes.push(change("SUGGEST", "ASSIGNED_AGENT", &target));
        }
        changes.push(change("REMOVE", &role, &participant));
        Ok(Value::from(changes))
    };
    let outcome = changes().and_then(|changes| update(&account, &request, &id, &changes, true));
    answered(StatusCode::OK, outcome)
}

async fn publish(
    account: Data<Account>,
    request: HttpRequest,
    path: Path<(String, String)>,
    body: Bytes,
) -> HttpResponse {
    let (id, dialog) = path.into_inner();
    let publish = |body: Value| {
        let event = event(&body)?;
        let publish = json!({ "conversationId": id, "dialogId": dialog, "event": event,
            "messageAudience": body["messageAudience"].as_str().unwrap_or("ALL") });
        perform(&account, &request, ".ams.ms.PublishEvent", &body["metadata"], &publish, None)
    };
    answered(StatusCode::CREATED, read(&body).and_then(publish))
}

/// The event of the socket that says the same.
fn event(body: &Value) -> Result<Value, Refusal> {
    let content = &body["content"];
    let object =
        |content_type: &str| json!({ "type": "ContentEvent", "contentType": content_type, "message": content });
    let mut event = match body["type"].as_str().unwrap_or_default() {
        "PLAIN_TEXT" => {
            json!({ "type": "ContentEvent", "contentType": "text/plain", "message": content["text"] })
        }
        "RICH_CONTENT" => json!({ "type": "RichContentEvent", "content": content }),
        "HOSTED_FILE" => object("hosted/file"),
        "EXTERNAL_FILE" => object("external/file"),
        "SECURE_FORM_INVITATION" => object("forms/secure-invitation"),
        "SECURE_FORM_SUBMISSION" => object("forms/secure-submission"),
        "ACKNOWLEDGEMENT" => json!({ "type": "AcceptStatusEvent", "status": content["status"],
            "sequenceList": content["sequenceList"] }),
        "CHAT_STATE" => json!({ "type": "ChatStateEvent", "chatState": content["chatState"] }),
        _ => return Err(Refusal::bad("Unknown message type")),
    };
    if !body["quickReplies"].is_null() {
        event["quickReplies"] = body["quickReplies"].clone();
    }
    Ok(event)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Range {
    limit: Option<u64>,
    newer_than_sequence: Option<i64>,
    older_than_sequence: Option<i64>,
}

async fn messages(
    account: Data<Account>,
    request: HttpRequest,
    path: Path<(String, String)>,
    range: Query<Range>,
) -> HttpResponse {
    let (_, dialog) = path.into_inner();
    let Range { limit, newer_than_sequence, older_than_sequence } = range.into_inner();
    let query = json!({ "dialogId": dialog, "newerThanSequence": newer_than_sequence,
        "olderThanSequence": older_than_sequence, "maxQuantity": limit });
    answered(StatusCode::OK, perform(&account, &request, ".ams.ms.QueryMessages", &Value::Null, &query, None))
}

fn file_path(account: &Account, request: &HttpRequest, operation: Operation, body: &[u8]) -> HttpResponse {
    let url = agent(account, request).and_then(|_| read(body)).and_then(|body| account.file_url(operation, &body));
    match url {
        Ok(url) => HttpResponse::Ok().json(url),
        Err(refusal) => refused(&refusal),
    }
}

async fn upload_path(account: Data<Account>, request: HttpRequest, body: Bytes) -> HttpResponse {
    file_path(&account, &request, Operation::GenerateUrlForUpload, &body)
}

async fn download_path(account: Data<Account>, request: HttpRequest, body: Bytes) -> HttpResponse {
    file_path(&account, &request, Operation::GenerateUrlForDownload, &body)
}
