//! Domain discovery: every service of the account lives at this emulator (protocol [§1](crate::protocol#1)).
//! Absolute-form request lines, as clients send them through `http_proxy`, are answered by their path.

use actix_web::web::{self, Data, Path, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::account::Account;

/// The services that this emulator serves; a service that it lacks is not announced.
const SERVICES: [&str; 12] = [
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
    "messagingRestApiDomain",
];

pub(super) fn routes(config: &mut ServiceConfig) {
    for area in ["api", "csdr"] {
        config
            .route(&format!("/{area}/account/{{account}}/service/baseURI{{json:(\\.json)?}}"), web::get().to(all))
            .route(
                &format!("/{area}/account/{{account}}/service/{{service}}/baseURI{{json:(\\.json)?}}"),
                web::get().to(one),
            )
            .route(&format!("/{area}/account/{{account}}/service/{{service}}/baseURI.lpCsds"), web::get().to(jsonp));
    }
}

/// The name by which the caller reached this emulator.
fn asked(request: &HttpRequest) -> String {
    request.connection_info().host().to_owned()
}

/// Every service, as discovery and a login tell it.
pub(super) fn services(account: &Account, request: &HttpRequest) -> Vec<Value> {
    let base = account.base(&asked(request));
    SERVICES.iter().map(|service| entry(account, service, &base)).collect()
}

fn entry(account: &Account, service: &str, base: &str) -> Value {
    json!({"service": service, "account": account.config.account, "baseURI": base})
}

fn invalid_site() -> HttpResponse {
    HttpResponse::Unauthorized().json(json!({"error": "Invalid site", "internalCode": 1}))
}

async fn all(account: Data<Account>, request: HttpRequest, path: Path<(String, String)>) -> HttpResponse {
    if path.into_inner().0 != account.config.account {
        return invalid_site();
    }
    HttpResponse::Ok().json(json!({"baseURIs": services(&account, &request)}))
}

/// One service as a flat object, the only form every client understands (protocol [§1.2](crate::protocol#12)).
async fn one(account: Data<Account>, request: HttpRequest, path: Path<(String, String, String)>) -> HttpResponse {
    let (site, service, _) = path.into_inner();
    if site != account.config.account {
        return invalid_site();
    }
    if !SERVICES.contains(&service.as_str()) {
        return HttpResponse::BadRequest().json(super::error_body("Unknown service"));
    }
    HttpResponse::Ok().json(entry(&account, &service, &account.base(&asked(&request))))
}

#[derive(Deserialize)]
struct Callback {
    cb: String,
}

async fn jsonp(
    account: Data<Account>,
    request: HttpRequest,
    path: Path<(String, String)>,
    callback: Query<Callback>,
) -> HttpResponse {
    let (site, _) = path.into_inner();
    let word = callback.cb.chars().all(|letter| letter.is_ascii_alphanumeric() || "._$".contains(letter));
    if site != account.config.account || !word {
        return invalid_site();
    }
    let body = json!({"ResultSet": {"lpData": [{"lpServer": account.base(&asked(&request))}]}});
    HttpResponse::Ok().content_type("application/javascript").body(format!("{}({body})", callback.cb))
}
