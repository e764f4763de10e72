//! The small REST services around messaging: shift status, statistics, skills, agents' public profiles, connectors.

use actix_web::web::{self, Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::error_body;
use crate::account::{Account, lock, now};
use crate::platform::AgentIndex;

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .route("/api/account/{account}/shift-status", web::get().to(shift_status))
        .route("/api/messaging/rest/reporting/brands/{account}/msgstatistics", web::get().to(statistics))
        .route("/api/messaging/rest/reporting/brands/{account}/agents/{agent}/msgstatistics", web::get().to(statistics))
        .route("/api/account/{account}/configuration/le-users/skills", web::get().to(skills))
        .route("/api/account/{account}/configuration/le-users/users/{pid}", web::get().to(agent_profile))
        .route("/api/account/{account}/configuration/le-connectors/all-connectors", web::get().to(connectors));
}

pub(super) fn bearer(account: &Account, request: &HttpRequest) -> Option<AgentIndex> {
    let header = request.headers().get("Authorization")?.to_str().ok()?;
    account.hub().agents.of_bearer(header.strip_prefix("Bearer ")?)
}

fn unauthorized() -> HttpResponse {
    HttpResponse::Unauthorized().json(error_body("Invalid bearer"))
}

async fn shift_status(account: Data<Account>, request: HttpRequest) -> HttpResponse {
    if bearer(&account, &request).is_none() {
        return unauthorized();
    }
    let skills = account.config.skills.iter().map(String::as_str).chain(["-1"]);
    let off_shift = lock(&account.off_shift);
    let entry = |skill: &str| {
        let on_shift = !off_shift.contains(skill);
        json!({"skillId": skill, "onShift": on_shift, "nextOn": (!on_shift).then(|| now() + 3_600_000), "nextOff": null})
    };
    let entries: Vec<Value> = skills.map(entry).collect();
    HttpResponse::Ok().json(entries)
}

async fn statistics(account: Data<Account>, request: HttpRequest) -> HttpResponse {
    if bearer(&account, &request).is_none() {
        return unauthorized();
    }
    let summary = account.summary();
    HttpResponse::Ok().json(json!({
        "conversations": summary.conversations,
        "consumerMessages": summary.consumer_messages,
        "agentMessages": summary.agent_messages,
    }))
}

async fn skills(account: Data<Account>, request: HttpRequest) -> HttpResponse {
    if bearer(&account, &request).is_none() {
        return unauthorized();
    }
    let skill =
        |id: &String| json!({"id": id.parse::<i64>().unwrap_or(0), "name": format!("Skill {id}"), "deleted": false});
    HttpResponse::Ok().json(account.config.skills.iter().map(skill).collect::<Vec<Value>>())
}

async fn agent_profile(account: Data<Account>, path: Path<(String, String)>) -> HttpResponse {
    let (_, pid) = path.into_inner();
    let hub = account.hub();
    match hub.agents.agents().iter().find(|agent| agent.pid == pid) {
        Some(agent) => HttpResponse::Ok().json(json!({
            "pictureUrl": null,
            "employeeId": agent.user_id,
            "nickname": agent.login,
            "fullName": agent.login,
        })),
        None => HttpResponse::NotFound().json(error_body("User not found")),
    }
}

async fn connectors() -> HttpResponse {
    HttpResponse::Ok().json(json!([
        {"id": 100, "type": 1, "name": "Anonymous messaging", "deleted": false},
        {"id": 101, "type": 2, "name": "Authenticated messaging", "deleted": false},
    ]))
}
