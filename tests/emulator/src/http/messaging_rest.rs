//! The messaging REST API, of the service `messagingRestApiDomain`: agents by their bearer, consumers by their token, and
//! connectors on behalf of consumers (protocol [§10.5](crate::protocol#105)). What changes something is the same as in
//! the brand's REST; what is read has shapes of its own.

use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes, Data, Path, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::{Value, json};

use super::messaging::{answered, check_brand, perform, read, told, writing};
use super::{auth, refused, send_api};
use crate::account::Account;
use crate::config::HistoryBound;
use crate::dialect::{Dialect, number_of};
use crate::platform::{Caller, Party, Refusal, SocketId, timestamp};
use crate::socket::consumer_of;

/// What every path begins with.
pub(super) const PREFIX: &str = "/messaging/";
/// Messages on one page, unless told otherwise, and at most.
const HIGHEST_LIMIT: usize = 100;

pub(super) fn routes(config: &mut ServiceConfig) {
    let conversation = "/messaging/v1/conversations/{conversation}";
    let dialog = format!("{conversation}/dialogs/{{dialog}}");
    writing(config, "/messaging");
    config
        .route("/messaging/v1/consumers/{consumer}", web::put().to(put_consumer))
        .route("/messaging/v1/consumers/{consumer}/conversations", web::post().to(open))
        .route(conversation, web::get().to(read_conversation))
        .route(&dialog, web::get().to(read_dialog))
        .route(&format!("{dialog}/participants/{{participant}}"), web::get().to(read_participant))
        .route(&format!("{dialog}/messages"), web::get().to(messages));
}

/// Who asks; `Brand-ID` and `Client-source` are required.
pub(super) fn caller(account: &Account, request: &HttpRequest) -> Result<Caller, Refusal> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    check_brand(account, request)?;
    header("Client-source").ok_or_else(|| Refusal::bad("Client-source is missing"))?;
    if header("LP-On-Behalf").is_some() {
        let speaker = send_api::speaker_by(account, request, "LP-On-Behalf");
        return match speaker {
            Ok(speaker) => Ok(send_api::caller(account, speaker)),
            Err((code, title)) => Err(Refusal::new(if code / 100 == 401 { 401 } else { 400 }, title)),
        };
    }
    let consumer = header("Authorization")
        .and_then(|header| header.strip_prefix("Bearer "))
        .filter(|token| token.contains('.'))
        .map(|token| consumer_of(account, token).ok_or_else(|| Refusal::new(401, "Invalid token")));
    match consumer {
        Some(id) => Ok(Caller {
            socket: SocketId(0),
            party: Party::Consumer(id?),
            dialect: Dialect::V3,
            client_properties: None,
            app: None,
        }),
        None => {
            let agent = auth::agent(account, request)?;
            Ok(account.hub().platform.rest_caller(agent))
        }
    }
}

/// A consumer asks for itself.
fn check_own(caller: &Caller, consumer: &str) -> Result<(), Refusal> {
    match &caller.party {
        Party::Consumer(id) if id.as_str() == consumer => Ok(()),
        _ => Err(Refusal::new(403, "The consumer is another's")),
    }
}

/// The consumer's profile.
async fn put_consumer(account: Data<Account>, request: HttpRequest, path: Path<String>, body: Bytes) -> HttpResponse {
    let put = || {
        check_own(&caller(&account, &request)?, &path)?;
        let profile = read(&body)?;
        perform(&account, &request, "userprofile.SetUserProfile", &Value::Null, &profile, None)?;
        Ok(profile.to_string())
    };
    answered(StatusCode::OK, put())
}

/// A new conversation of the consumer, with the members of `ConsumerRequestConversation`.
async fn open(account: Data<Account>, request: HttpRequest, path: Path<String>, body: Bytes) -> HttpResponse {
    let opened = || {
        let caller = caller(&account, &request)?;
        check_own(&caller, &path)?;
        let asked = read(&body)?;
        let answer = perform(&account, &request, "cm.ConsumerRequestConversation", &Value::Null, &asked, None)?;
        let answer: Value = serde_json::from_str(&answer)?;
        let id = &answer["conversationId"];
        if caller.app.is_some() {
            send_api::listen(&account, &caller, id);
        }
        let id = id.as_str().unwrap_or_default();
        Ok::<_, Refusal>((id.to_owned(), account.hub().platform.rest_conversation(&caller, id)?))
    };
    match opened() {
        Ok((id, reading)) => HttpResponse::Created()
            .insert_header(("Location", format!("/messaging/v1/conversations/{id}")))
            .insert_header(("ETag", format!("\"{}\"", reading.version)))
            .content_type("application/json")
            .body(reading.body),
        Err(refusal) => refused(&refusal),
    }
}

async fn read_conversation(account: Data<Account>, request: HttpRequest, path: Path<String>) -> HttpResponse {
    told(caller(&account, &request).and_then(|caller| account.hub().platform.rest_conversation(&caller, &path)))
}

async fn read_dialog(account: Data<Account>, request: HttpRequest, path: Path<(String, String)>) -> HttpResponse {
    let (id, dialog) = path.into_inner();
    told(caller(&account, &request).and_then(|caller| account.hub().platform.rest_dialog(&caller, &id, &dialog)))
}

async fn read_participant(
    account: Data<Account>,
    request: HttpRequest,
    path: Path<(String, String, String)>,
) -> HttpResponse {
    let (id, dialog, participant) = path.into_inner();
    let caller = caller(&account, &request);
    told(caller.and_then(|caller| account.hub().platform.rest_participant(&caller, &id, &dialog, &participant)))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Range {
    limit: Option<usize>,
    newer_than_sequence: Option<i64>,
    older_than_sequence: Option<i64>,
    sort_by: Option<String>,
    sort_order: Option<String>,
}

/// One page of a dialog's history, and where the next one is.
async fn messages(
    account: Data<Account>,
    request: HttpRequest,
    path: Path<(String, String)>,
    range: Query<Range>,
) -> HttpResponse {
    let (id, dialog) = path.into_inner();
    let page = || {
        if range.sort_by.as_deref().is_some_and(|member| member != "sequence") {
            return Err(Refusal::bad("sortBy is sequence"));
        }
        let descending = match range.sort_order.as_deref() {
            None | Some("ASC") => false,
            Some("DESC") => true,
            _ => return Err(Refusal::bad("sortOrder is ASC or DESC")),
        };
        let query = json!({ "conversationId": id, "dialogId": dialog,
            "newerThanSequence": range.newer_than_sequence, "olderThanSequence": range.older_than_sequence });
        let records = perform(&account, &request, "ms.QueryMessages", &Value::Null, &query, None)?;
        let mut records: Vec<Value> = serde_json::from_str(&records)?;
        if descending {
            records.reverse();
        }
        let limit = range.limit.unwrap_or(HIGHEST_LIMIT).clamp(1, HIGHEST_LIMIT);
        let more = records.len() > limit;
        records.truncate(limit);
        let mut links = json!({});
        if more && let Some(last) = records.last().and_then(|record| number_of(&record["sequence"])) {
            let bound = if descending {
                format!("olderThanSequence={last}&sortOrder=DESC")
            } else {
                let inclusive = account.config.switches.history_bound == HistoryBound::Inclusive;
                format!("newerThanSequence={}", last + i64::from(inclusive))
            };
            let base = account.base(request.connection_info().host());
            links["next"] = format!("https://{base}{}?limit={limit}&{bound}", request.path()).into();
        }
        let data: Vec<Value> = records.iter().map(message).collect();
        Ok(json!({ "data": data, "links": links }).to_string())
    };
    answered(StatusCode::OK, page())
}

/// A record of a history as a message.
fn message(record: &Value) -> Value {
    let event = &record["event"];
    let content = &event["message"];
    let (kind, content) = match (event["type"].as_str(), event["contentType"].as_str()) {
        (Some("RichContentEvent"), _) => ("RICH_CONTENT", event["content"].clone()),
        (Some("AcceptStatusEvent"), _) => {
            ("ACKNOWLEDGEMENT", json!({ "status": event["status"], "sequenceList": event["sequenceList"] }))
        }
        (_, Some("hosted/file")) => ("HOSTED_FILE", content.clone()),
        (_, Some("external/file")) => ("EXTERNAL_FILE", content.clone()),
        (_, Some("forms/secure-invitation")) => ("SECURE_FORM_INVITATION", content.clone()),
        (_, Some("forms/secure-submission")) => ("SECURE_FORM_SUBMISSION", content.clone()),
        _ => ("PLAIN_TEXT", json!({ "text": content })),
    };
    let time = number_of(&record["serverTimestamp"]).and_then(|time| u64::try_from(time).ok()).unwrap_or(0);
    let originator = &record["originatorMetadata"];
    let mut told = json!({
        "sequence": record["sequence"], "conversationId": record["conversationId"], "dialogId": record["dialogId"],
        "type": kind, "content": content, "messageAudience": record["messageAudience"],
        "originator": { "id": originator["id"], "role": originator["role"] }, "createdTs": timestamp(time),
    });
    for (name, value) in [("quickReplies", &event["quickReplies"]), ("metadata", &record["metadata"])] {
        if !value.is_null() {
            told[name] = value.clone();
        }
    }
    told
}
