//! The Connector API's Send API: a consumer's requests over HTTPS on behalf of an app (protocol
//! [§10.3](crate::protocol#103)).

use std::sync::Arc;

use actix_web::web::{self, Bytes, Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::account::{Account, lock, now};
use crate::client_properties;
use crate::dialect::{Operation, Request};
use crate::platform::{Caller, ConsumerId, Refusal};

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .route("/api/account/{account}/messaging/consumer/conversation", web::post().to(conversation))
        .route("/api/account/{account}/messaging/consumer/conversation/send", web::post().to(send));
}

/// The error code of what is not well formed; no document has one.
const MALFORMED: u32 = 40000;

fn error(status: u16, code: u32, title: &str) -> HttpResponse {
    use actix_web::http::StatusCode;
    let body = json!({"title": title, "details": title, "errorCode": code});
    HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST))
        .json(json!({"kind": "resp", "code": status, "body": body, "type": ".ReqBody$ErrorResp"}))
}

/// The refusal that a rule of refusal asks for.
pub(super) fn refused_by_rule(code: u16) -> HttpResponse {
    error(code, MALFORMED, &Refusal::by_rule(code).text)
}

/// The refusal of a request's headers.
fn refused(code: u32, title: &str) -> HttpResponse {
    error(if code == MALFORMED { 400 } else { 401 }, code, title)
}

/// Why a request's headers are not taken: the error code and its title.
pub(super) type TokenFault = (u32, String);

/// Who speaks, and for whom.
pub(super) struct Speaker {
    /// The application's client id.
    app: String,
    /// Its token.
    token: String,
    consumer: ConsumerId,
    client_properties: Option<Arc<RawValue>>,
}

/// The consumer a connector speaks for, by its two tokens.
fn speaker(account: &Account, request: &HttpRequest) -> Result<Speaker, TokenFault> {
    speaker_by(account, request, "X-LP-ON-BEHALF")
}

/// The same, with the consumer's token in a header of this name.
pub(super) fn speaker_by(account: &Account, request: &HttpRequest, on_behalf: &str) -> Result<Speaker, TokenFault> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let token =
        header("Authorization").ok_or_else(|| (40105, "AppJWT is missing".to_owned()))?.trim_start_matches("Bearer ");
    let revoked = std::mem::take(&mut account.hub().revoked_tokens);
    let mut tokens = lock(&account.tokens);
    revoked.iter().for_each(|token| tokens.revoke(token));
    let claims = tokens.read(token).ok().filter(|claims| claims["scope"] == "msg.consumer");
    let app =
        claims.ok_or_else(|| (40102, "Invalid AppJWT".to_owned()))?["azp"].as_str().unwrap_or_default().to_owned();
    let consumer = header(on_behalf).ok_or_else(|| (40104, "ConsumerJWS is missing".to_owned()))?;
    let claims = tokens.read(consumer).unwrap_or_default();
    let id = claims["lp_consumer_id"].as_str().ok_or_else(|| (40103, "Invalid ConsumerJWS".to_owned()))?;
    let properties = header("Client-Properties").map(client_properties::of_header).transpose();
    let client_properties = properties.map_err(|fault| (MALFORMED, fault))?;
    Ok(Speaker { app, token: token.to_owned(), consumer: ConsumerId::new(id), client_properties })
}

/// Carries out one request; the Send API's answer, or the refusal.
fn perform(account: &Account, caller: &Caller, request: &Request) -> Result<Value, Refusal> {
    let body = account.hub().perform(caller, request, now())?;
    let body: Value = serde_json::from_str(&body)?;
    Ok(json!({"reqId": request.id, "code": "OK", "body": body}))
}

pub(super) fn caller(account: &Account, speaker: Speaker) -> Caller {
    let queue = lock(&account.apps).queue(&speaker.app);
    let Speaker { app, token, consumer, client_properties } = speaker;
    let caller = account.hub().connector_caller(&consumer, &app, token, queue, now());
    Caller { client_properties, ..caller }
}

/// `[SetUserProfile, ConsumerRequestConversation]`, in this order, and then the first message if there is one.
async fn conversation(account: Data<Account>, path: Path<String>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let speaker = match speaker(&account, &request) {
        Ok(speaker) if path.into_inner() == account.config.account => speaker,
        Ok(_) => return error(400, 40001, "Unknown account"),
        Err((code, title)) => return refused(code, &title),
    };
    let requests: Vec<Box<RawValue>> = serde_json::from_slice(&body).unwrap_or_default();
    let requests: Option<Vec<Request>> = requests.iter().map(|raw| Request::read(raw.get().as_bytes()).ok()).collect();
    let Some(requests) = requests.filter(|requests| in_order(requests)) else {
        return error(400, MALFORMED, "SetUserProfile and ConsumerRequestConversation are expected");
    };
    // The channel is MESSAGING unless told otherwise.
    if requests.get(1).is_none_or(|wanted| wanted.tree()["brandId"].is_null()) {
        return error(400, 40001, "Missing parameter");
    }
    let caller = caller(&account, speaker);
    let mut answers: Vec<Value> = Vec::new();
    for request in &requests {
        let said = answers.get(1).and_then(|opened| said_in(request, &opened["body"]["conversationId"]));
        match perform(&account, &caller, said.as_ref().unwrap_or(request)) {
            Ok(answer) => answers.push(answer),
            Err(refusal) => return error(refusal.code, MALFORMED, &refusal.text),
        }
        if let [_, opened] = &answers[..] {
            listen(&account, &caller, &opened["body"]["conversationId"]);
        }
    }
    HttpResponse::Ok().json(answers)
}

/// The first message names no dialog, because there was none when it was written: it is said in the one just opened.
fn said_in(request: &Request, conversation: &Value) -> Option<Request> {
    let mut body = request.tree();
    if !body["dialogId"].is_null() {
        return None;
    }
    body["dialogId"] = conversation.clone();
    let frame = json!({"id": request.id, "type": request.type_name, "body": body, "metadata": request.metadata});
    Request::read(frame.to_string().as_bytes()).ok()
}

/// The connector hears the messages of what it has opened.
pub(super) fn listen(account: &Account, caller: &Caller, id: &Value) {
    let body = json!({"type": "ms.SubscribeMessagingEvents", "body": {"dialogId": id, "fromSeq": 0}});
    // Not a request of the connector's, so no fault strikes it.
    let mut hub = account.hub();
    let heard = Request::read(body.to_string().as_bytes()).map(|request| hub.platform.perform(caller, &request, now()));
    hub.flush();
    if !matches!(heard, Ok(Ok(_))) {
        tracing::warn!(conversation = %id, "webhooks without messages");
    }
}

fn in_order(requests: &[Request]) -> bool {
    let operations: Vec<_> = requests.iter().map(|request| Operation::of(&request.type_name)).collect();
    let opening = [Some(Operation::SetUserProfile), Some(Operation::ConsumerRequestConversation)];
    operations.strip_prefix(&opening).is_some_and(|rest| rest.is_empty() || rest == [Some(Operation::PublishEvent)])
}

/// One request of an open conversation.
async fn send(account: Data<Account>, path: Path<String>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let speaker = match speaker(&account, &request) {
        Ok(speaker) if path.into_inner() == account.config.account => speaker,
        Ok(_) => return error(400, 40001, "Unknown account"),
        Err((code, title)) => return refused(code, &title),
    };
    let Ok(request) = Request::read(&body) else {
        return error(400, MALFORMED, "Malformed request");
    };
    let files = match Operation::of(&request.type_name) {
        Some(operation @ (Operation::GenerateUrlForUpload | Operation::GenerateUrlForDownload)) => Some(operation),
        _ => None,
    };
    let answer = match files {
        Some(operation) => account
            .file_url(operation, &request.tree())
            .map(|url| json!({"reqId": request.id, "code": "OK", "body": url})),
        None => perform(&account, &caller(&account, speaker), &request),
    };
    match answer {
        Ok(answer) => HttpResponse::Ok().json(answer),
        Err(refusal) => error(refusal.code, MALFORMED, &refusal.text),
    }
}
