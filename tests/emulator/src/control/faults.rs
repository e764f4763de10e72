//! Fault modes, single faults and rules of refusal by HTTP.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, Json, Path, ServiceConfig};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::refused;
use crate::account::{Account, now};
use crate::faults::{Fault, FaultMode, FaultRule, RuleId};

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .route("/faults", web::post().to(order))
        .route("/faults", web::get().to(list))
        .route("/faults", web::delete().to(clear))
        .route("/faults/{id}", web::delete().to(lift));
}

/// A mode from now on.
#[derive(Deserialize)]
struct Mode {
    mode: FaultMode,
    #[serde(default = "first_seed")]
    seed: u64,
}

fn first_seed() -> u64 {
    1
}

/// `{"fault":…}`, `{"request":…,"outcome":…}` or `{"mode":…}`.
async fn order(account: Data<Account>, order: Json<Value>) -> HttpResponse {
    let order = order.into_inner();
    let outcome = if order.get("fault").is_some() {
        read::<Fault>(order).map(|fault| json!({"hit": account.hub().inject(&fault)}))
    } else if order.get("request").is_some() {
        let add = |rule: FaultRule| account.hub().rules.add(rule, now()).map_err(|error| error.to_string());
        read(order).and_then(add).map(|id| json!({"rule": id.to_string()}))
    } else {
        read(order).map(|Mode { mode, seed }| {
            account.hub().set_mode(mode, seed);
            json!({"mode": mode, "seed": seed})
        })
    };
    match outcome {
        Ok(told) => HttpResponse::Ok().json(told),
        Err(text) => refused(400, &text),
    }
}

fn read<T: DeserializeOwned>(order: Value) -> Result<T, String> {
    serde_json::from_value(order).map_err(|error| error.to_string())
}

/// Every rule with what it let pass and what it struck.
async fn list(account: Data<Account>) -> HttpResponse {
    let hub = account.hub();
    let rules: Vec<Value> = hub
        .rules
        .all()
        .map(|(id, rule, counts)| {
            json!({"id": id.to_string(), "rule": rule, "granted": counts.granted, "refused": counts.refused})
        })
        .collect();
    HttpResponse::Ok().json(json!({"injected": hub.faults.injected(), "rules": rules}))
}

async fn clear(account: Data<Account>) -> HttpResponse {
    account.hub().rules.clear();
    HttpResponse::NoContent().finish()
}

async fn lift(account: Data<Account>, id: Path<String>) -> HttpResponse {
    let lifted = id.parse::<RuleId>().is_ok_and(|id| account.hub().rules.lift(id));
    if lifted { HttpResponse::NoContent().finish() } else { refused(404, "There is no such rule") }
}
