//! Domain discovery: every service of the account lives at this emulator (protocol §1). Absolute-form request
//! lines, as clients send them through `http_proxy`, are answered by their path.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, Path, Query, ServiceConfig};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::account::Account;

const SERVICES: [&str; 17] = [
    "asyncMessagingEnt",
    "facadeMsg",
    "agentVep",
    "idp",
    "sentinel",
    "swift",
    "msgHist",
    "accountConfigReadOnly",
    "accountConfigReadWrite",
    "acCdnDomain",
    "leDataReporting",
    "liveEngageUI",
    "adminArea",
    "smt",
    "runtimeFormLogic",
    "tokenizer",
    "messagingRestApiDomain",
];

pub(super) fn routes(config: &mut ServiceConfig) {
    for area in ["api", "csdr"] {
        config
            .route(&format!("/{area}/account/{{account}}/service/baseURI.json"), web::get().to(all))
            .route(&format!("/{area}/account/{{account}}/service/{{service}}/baseURI.json"), web::get().to(one))
            .route(&format!("/{area}/account/{{account}}/service/{{service}}/baseURI.lpCsds"), web::get().to(jsonp));
    }
}

fn entry(account: &Account, service: &str) -> Value {
    json!({"service": service, "account": account.config.account, "baseURI": account.base()})
}

fn invalid_site() -> HttpResponse {
    HttpResponse::Unauthorized().json(json!({"error": "Invalid site", "internalCode": 1}))
}

async fn all(account: Data<Account>, path: Path<String>) -> HttpResponse {
    if path.into_inner() != account.config.account {
        return invalid_site();
    }
    let entries: Vec<Value> = SERVICES.iter().map(|service| entry(&account, service)).collect();
    HttpResponse::Ok().json(json!({"baseURIs": entries}))
}

/// One service as a flat object, the only form every client understands (wire-from-sdk §3).
async fn one(account: Data<Account>, path: Path<(String, String)>) -> HttpResponse {
    let (asked, service) = path.into_inner();
    if asked != account.config.account {
        return invalid_site();
    }
    if !SERVICES.contains(&service.as_str()) {
        return HttpResponse::BadRequest().json(super::error_body("Unknown service"));
    }
    HttpResponse::Ok().json(entry(&account, &service))
}

#[derive(Deserialize)]
struct Callback {
    cb: String,
}

async fn jsonp(account: Data<Account>, path: Path<(String, String)>, callback: Query<Callback>) -> HttpResponse {
    let (asked, _) = path.into_inner();
    let word = callback.cb.chars().all(|letter| letter.is_ascii_alphanumeric() || "._$".contains(letter));
    if asked != account.config.account || !word {
        return invalid_site();
    }
    let body = json!({"ResultSet": {"lpData": [{"lpServer": account.base()}]}});
    HttpResponse::Ok().content_type("application/javascript").body(format!("{}({body})", callback.cb))
}
