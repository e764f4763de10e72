//! Agents' login, refresh and logout (protocol [§2.1](crate::protocol#21), [§2.2](crate::protocol#22)).

use actix_web::cookie::Cookie;
use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes, Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::json;

use super::discovery::services;
use super::error_body;
use crate::account::{Account, now};
use crate::faults::LoginFate;
use crate::identity::{AgentSession, Credentials};
use crate::platform::AgentIndex;

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .route("/api/account/{account}/login", web::post().to(login))
        .route("/api/account/{account}/refresh", web::post().to(refresh))
        .route("/api/account/{account}/logout", web::post().to(logout));
}

fn refused(status: u16, text: &str) -> HttpResponse {
    HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::UNAUTHORIZED)).json(error_body(text))
}

async fn login(account: Data<Account>, request: HttpRequest, path: Path<String>, body: Bytes) -> HttpResponse {
    if path.into_inner() != account.config.account {
        return refused(401, "Invalid site");
    }
    let Ok(credentials) = serde_json::from_slice::<Credentials>(&body) else {
        return refused(400, "Malformed login");
    };
    let user = credentials.username.clone().unwrap_or_default();
    let fate = account.hub().faults.login(&user);
    match fate {
        LoginFate::Proceed => {}
        LoginFate::Refuse(status) => return refused(status, "Login refused"),
        LoginFate::Slow(delay) => tokio::time::sleep(delay).await,
    }
    let mut hub = account.hub();
    let Some(agent) = hub.agents.verify(&credentials) else {
        return refused(401, "Wrong user name or password");
    };
    let Some(session) = hub.log_in(agent, account.config.switches.login_closes_sockets) else {
        return refused(500, "Login failed");
    };
    let Some(known) = hub.agents.agent(agent) else {
        return refused(500, "Login failed");
    };
    let answer = json!({
        "csrf": session.csrf,
        "wsuk": "123456789012345678",
        "sessionId": session.session_id,
        "bearer": session.bearer,
        "sessionTTl": account.config.token_life.as_millis().to_string(),
        "config": {
            "loginName": known.login,
            "userId": known.user_id,
            "userPid": known.pid,
            "userPrivileges": [100, 101, 1730],
            "serverCurrentTime": now(),
            "timeDiff": 0,
            "serverTimeZoneName": "UTC",
            "serverTimeGMTDiff": 0,
            "isLPA": false,
            "isAdmin": (agent.0 as usize) < account.config.admins,
            "accountTimeZoneId": "UTC",
        },
        "csdsCollectionResponse": {"baseURIs": services(&account, &request)},
        "accountData": {"agentGroupsData": {
            "items": [{"id": -1, "deleted": false, "name": "Main Group"}],
            "revision": 1,
        }},
    });
    with_cookie(&session).json(answer)
}

fn with_cookie(session: &AgentSession) -> actix_web::HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    let cookie = Cookie::build("Session_id", session.session_id.clone());
    response.cookie(cookie.path("/").http_only(true).secure(true).finish());
    response
}

#[derive(Deserialize)]
struct Csrf {
    csrf: String,
}

/// The agent whose session a request carries; the cookie's name is compared without case (protocol
/// [§2.2](crate::protocol#22)).
fn session_of(account: &Account, request: &HttpRequest, body: &[u8]) -> Option<AgentIndex> {
    let csrf: Csrf = serde_json::from_slice(body).ok()?;
    let cookies = request.cookies().ok()?;
    let cookie = cookies.iter().find(|cookie| cookie.name().eq_ignore_ascii_case("session_id"))?;
    account.hub().agents.of_cookie(cookie.value(), &csrf.csrf)
}

async fn refresh(account: Data<Account>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let agent = session_of(&account, &request, &body);
    let mut hub = account.hub();
    let refused_by_plan = hub.faults.refuses_refresh();
    match agent.filter(|_| !refused_by_plan).and_then(|agent| hub.agents.refresh(agent)) {
        Some(session) => with_cookie(&session).finish(),
        None => refused(401, "The session has ended"),
    }
}

async fn logout(account: Data<Account>, request: HttpRequest, body: Bytes) -> HttpResponse {
    match session_of(&account, &request, &body) {
        Some(agent) => {
            account.hub().agents.log_out(agent);
            HttpResponse::Ok().finish()
        }
        None => refused(401, "The session has ended"),
    }
}
