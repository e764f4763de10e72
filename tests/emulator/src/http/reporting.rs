//! Shifts and figures: shift status, statistics, the state of the queues (protocol [§10.6](crate::protocol#106)).

use actix_web::HttpResponse;
use actix_web::web::{self, Data, Query, ServiceConfig};
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::Agent;
use crate::account::{Account, lock, now};

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .route("/api/account/{account}/shift-status", web::get().to(shift_status))
        .route("/api/messaging/rest/reporting/brands/{account}/msgstatistics", web::get().to(statistics))
        .route("/api/messaging/rest/reporting/brands/{account}/agents/{agent}/msgstatistics", web::get().to(statistics))
        .route("/operations/api/account/{account}/msgqueuehealth/current{slash:/?}", web::get().to(queue_health));
}

async fn shift_status(account: Data<Account>, _: Agent) -> HttpResponse {
    let skills = account.config.skills.iter().map(String::as_str).chain(["-1"]);
    let off_shift = lock(&account.off_shift);
    let entry = |skill: &str| {
        let on_shift = !off_shift.contains(skill);
        json!({"skillId": skill, "onShift": on_shift, "nextOn": (!on_shift).then(|| now() + 3_600_000), "nextOff": null})
    };
    let entries: Vec<Value> = skills.map(entry).collect();
    HttpResponse::Ok().json(entries)
}

async fn statistics(account: Data<Account>, _: Agent) -> HttpResponse {
    let summary = account.summary();
    HttpResponse::Ok().json(json!({
        "conversations": summary.conversations,
        "consumerMessages": summary.consumer_messages,
        "agentMessages": summary.agent_messages,
    }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Skills {
    skill_ids: Option<String>,
}

/// The conversations that wait for an agent, by skill and in all.
async fn queue_health(account: Data<Account>, _: Agent, skills: Query<Skills>) -> HttpResponse {
    let asked = skills.into_inner().skill_ids.filter(|skills| skills != "all" && !skills.is_empty());
    let skills = match &asked {
        Some(skills) => skills.split(',').map(|skill| skill.trim().to_owned()).collect(),
        None => account.config.skills.iter().cloned().chain(["-1".to_owned()]).collect(),
    };
    HttpResponse::Ok().json(account.hub().platform.queue_health(&skills, now()))
}
