//! Requests over HTTP that a rule of refusal strikes, whatever their endpoint.

use std::io;
use std::time::Duration;

use actix_web::body::{BoxBody, SizedStream, to_bytes};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::AUTHORIZATION;
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};
use actix_web::{Error, HttpResponse};
use futures_util::stream;
use serde_json::Value;

use super::error_body;
use crate::account::{Account, lock, now};
use crate::dialect::{Request, conversation_ids};
use crate::faults::{Asked, Outcome, Side, Verdict};
use crate::hub::spoil_records;
use crate::identity::OAuthHeader;
use crate::platform::{Party, Refusal};

/// A page as proxies in front of a platform answer with.
pub(crate) fn html_page(code: u16) -> String {
    let reason = StatusCode::from_u16(code).ok().and_then(|status| status.canonical_reason()).unwrap_or("Error");
    format!(
        "<!DOCTYPE html><html><head><title>{code} {reason}</title></head><body><h1>{code} {reason}</h1></body></html>\n"
    )
}

/// Middleware of every listener: asks the rules about a request before its endpoint does.
pub(crate) async fn ruled(mut request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(account) = request.app_data::<Data<Account>>().cloned() else { return next.call(request).await };
    let delay = account.network().delay();
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let path = request.path().to_owned();
    let segments = segments_of(&path);
    note_session(&account, &request, &segments);
    if account.hub().rules.is_empty() {
        return next.call(request).await;
    }
    let Some(endpoint) = endpoint(request.method(), &segments) else { return next.call(request).await };
    // Uploads are large, and rules look into none of them.
    let body = if matches!(endpoint, Endpoint::Named("upload" | "upgrade")) {
        Bytes::new()
    } else {
        let body = request.extract::<Bytes>().await?;
        request.set_payload(Payload::from(body.clone()));
        body
    };
    let verdict = verdict(&account, &request, &endpoint, &segments, &body);
    match verdict {
        Some(verdict) => strike(verdict, request, next, &segments, body).await,
        None => next.call(request).await,
    }
}

/// Notes the session whose bearer a request carries, before a rule or an endpoint can refuse the request.
fn note_session(account: &Account, request: &ServiceRequest, segments: &[&str]) {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some((scheme, bearer)) = header.and_then(|header| header.split_once(' ')) else { return };
    if scheme.eq_ignore_ascii_case("Bearer") {
        // An agent changes nothing elsewhere: other bodies ask for histories, states and paths of files.
        let changes = !request.method().is_safe() && segments.starts_with(&["v1", "conversations"]);
        account.hub().agents.note_bearer(bearer, changes);
    }
}

/// How rules name a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endpoint {
    Named(&'static str),
    /// A request of the Send API, named in its body.
    SendApi,
}

/// The segments of a path; those of the messaging REST API without its prefix.
fn segments_of(path: &str) -> Vec<&str> {
    let mut segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    if segments.starts_with(&["messaging", "v1"]) {
        segments.remove(0);
    }
    segments
}

fn endpoint(method: &Method, segments: &[&str]) -> Option<Endpoint> {
    let read = method == Method::GET;
    let named = match segments {
        ["v1", "consumers", _] => "SetUserProfile",
        ["v1", "consumers", _, "conversations"] => "ConsumerRequestConversation",
        ["api" | "csdr", "account", _, "service", ..] => "discovery",
        ["ws_api", ..] => "upgrade",
        ["v1", "AUTH_async-images", ..] => {
            if read {
                "download"
            } else {
                "upload"
            }
        }
        ["v1", "conversations", _] => {
            if read {
                "read-conversation"
            } else {
                "UpdateConversationField"
            }
        }
        ["v1", "conversations", _, "dialogs", _] => {
            if read {
                "read-dialog"
            } else {
                "UpdateConversationField"
            }
        }
        ["v1", "conversations", .., "messages"] => {
            if read {
                "QueryMessages"
            } else {
                "PublishEvent"
            }
        }
        ["v1", "conversations", .., "participants", _] if read => "read-participant",
        ["v1", "conversations", ..] => "UpdateConversationField",
        ["v1", "brands", _, "file-upload-path"] => "GenerateURLForUploadFile",
        ["v1", "brands", _, "file-download-path"] => "GenerateURLForDownloadFile",
        [.., "messaging", "consumer", "conversation"] => "ConsumerRequestConversation",
        [.., "messaging", "consumer", "conversation", "send"] => return Some(Endpoint::SendApi),
        [.., "login"] => "login",
        [.., "refresh"] => "refresh",
        [.., "logout"] => "logout",
        [.., "signup" | "signup.jsonp"] => "signup",
        [.., "anonymous", "authorize"] => "authorize",
        [.., "app", "token"] => "app-token",
        [.., "authenticate"] => "authenticate",
        ["api", "account", _, "consumer"] => "consumer-token",
        [.., "shift-status"] => "shift-status",
        [.., "msgstatistics"] => "statistics",
        [.., "le-users", "skills"] => "skills",
        [.., "le-users", "skills", _] => "skills",
        [.., "le-users", "users"] => "users",
        [.., "le-users", "users", _] => "agent-profile",
        ["api", "account", _, "configuration", "le-users", "agentGroups", ..] => "agent-groups",
        ["api", "account", _, "configuration", "app-install", "installations", ..] => "applications",
        ["messaging_history", .., "agent-view", "status"] => "agent-status",
        ["messaging_history", ..] => "history",
        [.., "msgqueuehealth", "current"] => "queue-health",
        [.., "all-connectors"] => "connectors",
        _ => return None,
    };
    Some(Endpoint::Named(named))
}

fn verdict(
    account: &Account,
    request: &ServiceRequest,
    endpoint: &Endpoint,
    segments: &[&str],
    body: &[u8],
) -> Option<Verdict> {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let tree: Value = serde_json::from_str(text).unwrap_or_default();
    let send_api = matches!(endpoint, Endpoint::SendApi).then(|| Request::read(body).ok()).flatten();
    let name = match (endpoint, &send_api) {
        (Endpoint::Named(name), _) => *name,
        (Endpoint::SendApi, Some(request)) => request.name(),
        (Endpoint::SendApi, None) => return None,
    };
    let mut conversations = send_api.as_ref().map_or_else(|| conversation_ids(&tree), Request::conversation_ids);
    if let ["v1", "conversations", id, ..] = segments {
        conversations.push((*id).to_owned());
    }
    let (side, user) = asker(account, request, segments, &tree);
    let asked = Asked { request: name, side, user: &user, conversations, body: text };
    account.hub().decide(asked, now())
}

/// Whose request it is, as far as it says.
fn asker(account: &Account, request: &ServiceRequest, segments: &[&str], body: &Value) -> (Option<Side>, String) {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let bearer = match segments {
        ["ws_api", .., "brand", bearer] => Some(*bearer),
        _ => header("X-LP-ON-BEHALF")
            .or_else(|| header("LP-On-Behalf"))
            .or_else(|| header("Authorization")?.split_once(' ').map(|(_, token)| token)),
    };
    let hub = account.hub();
    if let Some(login) = body["username"].as_str() {
        return (Some(Side::Brand), login.to_owned());
    }
    let cookies = request.cookies().ok();
    let session = cookies.iter().flat_map(|all| all.iter()).find(|one| one.name().eq_ignore_ascii_case("session_id"));
    let agent = session
        .and_then(|session| hub.agents.of_cookie(session.value(), body["csrf"].as_str()?))
        .or_else(|| hub.agents.of_bearer(bearer?))
        .or_else(|| {
            let signed = OAuthHeader::read(bearer?).ok()?;
            Some(hub.agents.of_keys(signed.consumer_key(), signed.token())?.0)
        });
    if let Some(agent) = agent {
        return (Some(Side::Brand), hub.platform.user_name(&Party::Agent(agent)));
    }
    drop(hub);
    let claims = bearer.and_then(|token| lock(&account.tokens).read(token).ok()).unwrap_or_default();
    match claims["lp_consumer_id"].as_str().or_else(|| claims["sub"].as_str()) {
        Some(consumer) => (Some(Side::Consumer), consumer.to_owned()),
        None => (None, String::new()),
    }
}

async fn strike(
    verdict: Verdict,
    request: ServiceRequest,
    next: Next<BoxBody>,
    segments: &[&str],
    body: Bytes,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Verdict { outcome, carried_out } = verdict;
    if outcome.changes_the_right_answer() {
        if let Outcome::Late(millis) = outcome {
            tokio::time::sleep(Duration::from_millis(millis)).await;
        }
        return changed(outcome, next.call(request).await?).await;
    }
    let request = if carried_out {
        let (request, _) = next.call(request).await?.into_parts();
        request
    } else {
        request.into_parts().0
    };
    let of_send_api = segments.contains(&"messaging") && segments.contains(&"conversation");
    let build =
        |code: u16| HttpResponse::build(StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    let response = match outcome {
        Outcome::Code(code) if of_send_api => super::send_api::refused_by_rule(code),
        Outcome::Code(code) => build(code).json(error_body(&Refusal::by_rule(code).text)),
        Outcome::Html(code) => build(code).content_type("text/html").body(html_page(code)),
        Outcome::Echo(code) => build(code).content_type("application/json").body(body),
        Outcome::Never => std::future::pending().await,
        _ => dropped(),
    };
    Ok(ServiceResponse::new(request, response))
}

/// A body that fails before its first byte: the connection ends without an answer.
fn dropped() -> HttpResponse {
    let failing = stream::once(std::future::ready(Err::<Bytes, _>(io::Error::other("dropped by a rule"))));
    HttpResponse::Ok().body(SizedStream::new(1, failing))
}

/// The right answer, changed.
async fn changed(outcome: Outcome, response: ServiceResponse<BoxBody>) -> Result<ServiceResponse<BoxBody>, Error> {
    match outcome {
        Outcome::EarlyHints => Ok(with_early_hints(response)),
        Outcome::Dribble(millis) if response.status() != StatusCode::SWITCHING_PROTOCOLS => {
            let (request, response) = response.into_parts();
            let (response, body) = response.into_parts();
            let body = to_bytes(body).await?;
            let len = body.len() as u64;
            let pause = Duration::from_millis(millis);
            let bytes = stream::unfold(body, move |mut left| async move {
                if left.is_empty() {
                    return None;
                }
                tokio::time::sleep(pause).await;
                let byte = left.split_to(1);
                Some((Ok::<_, io::Error>(byte), left))
            });
            let body = BoxBody::new(SizedStream::new(len, Box::pin(bytes)));
            Ok(ServiceResponse::new(request, response.set_body(body)))
        }
        Outcome::Clamp(_) | Outcome::Unreadable(_) if response.status().is_success() => {
            let (request, response) = response.into_parts();
            let (response, body) = response.into_parts();
            let mut records: Value = serde_json::from_slice(&to_bytes(body).await?).unwrap_or_default();
            // In the messaging REST API the records are a member of the answer.
            let list = if records.is_array() { &mut records } else { &mut records["data"] };
            spoil_records(list, outcome);
            Ok(ServiceResponse::new(request, response.set_body(BoxBody::new(records.to_string()))))
        }
        _ => Ok(response),
    }
}

/// Puts a `103 Early Hints` before an answer. The server knows of no informational answers but 101, so the first of the
/// two heads, and the status line of the second, are written as the reason of the first.
fn with_early_hints(mut response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    macro_rules! hints {
        ($status:literal) => {
            concat!("Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\nHTTP/1.1 ", $status)
        };
    }
    let reason = match response.status().as_u16() {
        200 => hints!("200 OK"),
        201 => hints!("201 Created"),
        400 => hints!("400 Bad Request"),
        401 => hints!("401 Unauthorized"),
        404 => hints!("404 Not Found"),
        _ => return response,
    };
    let head = response.response_mut().head_mut();
    head.status = StatusCode::from_u16(103).unwrap_or(head.status);
    head.reason = Some(reason);
    response
}
