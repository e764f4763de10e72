//! Consumers' identities: sign-up, anonymous, mock and connector tokens, step-up (protocol [§2.3](crate::protocol#23),
//! [§10.2](crate::protocol#102)).

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::web::{self, Bytes, Data, Path, Query, ServiceConfig};
use base64::Engine;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error_body;
use crate::account::{Account, lock};
use crate::identity::derived_id;
use crate::platform::ConsumerId;

/// An external anonymous token lives ten minutes, and can be renewed for 730 hours.
const RENEWABLE: u64 = 730 * 3_600;

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .route("/api/account/{account}/signup", web::post().to(signup))
        .route("/api/account/{account}/signup.jsonp", web::get().to(signup_jsonp))
        .route("/api/account/{account}/anonymous/authorize", web::post().to(authorize))
        .route("/api/account/{account}/authenticate", web::post().to(authenticate_brand))
        .route("/api/account/{account}/app/{app}/authenticate", web::post().to(authenticate_app))
        .route("/api/account/{account}/consumer", web::post().to(consumer_jws))
        .route("/sentinel/api/account/{account}/app/token", web::post().to(app_token));
}

fn unauthorized(text: &str) -> HttpResponse {
    HttpResponse::Unauthorized().json(error_body(text))
}

/// A token under a member name.
fn token(account: &Account, member: &str, subject: &str, seconds: u64, claims: Value) -> HttpResponse {
    let token = lock(&account.tokens).issue(subject, seconds, claims);
    HttpResponse::Ok().json(json!({ (member): token }))
}

fn life(account: &Account) -> u64 {
    account.config.token_life.as_secs()
}

async fn signup(account: Data<Account>) -> HttpResponse {
    token(&account, "jwt", &uuid::Uuid::new_v4().to_string(), life(&account), Value::Null)
}

#[derive(Deserialize)]
struct Callback {
    callback: String,
}

async fn signup_jsonp(account: Data<Account>, callback: Query<Callback>) -> HttpResponse {
    let subject = uuid::Uuid::new_v4().to_string();
    let jwt = lock(&account.tokens).issue(&subject, life(&account), Value::Null);
    let script = format!("{}({})", callback.callback, json!({"jwt": jwt}));
    HttpResponse::Ok().content_type("application/javascript").body(script)
}

fn tree(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}

/// The external anonymous identity; an old one posted as `id_token` is kept.
async fn authorize(account: Data<Account>, body: Bytes) -> HttpResponse {
    let old = tree(&body)["id_token"].as_str().map(str::to_owned);
    let subject = match old {
        Some(old) => match lock(&account.tokens).subject(&old) {
            Ok(subject) => subject,
            Err(_) => return unauthorized("Invalid id_token"),
        },
        None => uuid::Uuid::new_v4().to_string(),
    };
    token(&account, "token", &subject, RENEWABLE, json!({"acr": "0"}))
}

/// A brand-signed JWT: its subject is read without checking the brand's signature, which nobody gave us.
async fn authenticate_brand(account: Data<Account>, body: Bytes) -> HttpResponse {
    let body = tree(&body);
    let Some(code) = body["authCode"].as_str().or_else(|| body["code"].as_str()) else {
        return HttpResponse::BadRequest().json(error_body("authCode is missing"));
    };
    let name = brand_subject(code);
    token(&account, "jwt", &derived(&account, &name), life(&account), json!({"lp.ext": {"sub": name}}))
}

/// Anonymous (`id_token`), authenticated (`code`), or step-up (`lp_jwt` and `code`).
async fn authenticate_app(account: Data<Account>, path: Path<(String, String)>, body: Bytes) -> HttpResponse {
    let _ = path;
    let body = tree(&body);
    let text = |name: &str| body[name].as_str();
    if let Some(id_token) = text("id_token") {
        let external = lock(&account.tokens).subject(id_token);
        return match external {
            Ok(external) => {
                token(&account, "token", &derived(&account, &external), life(&account), json!({"acr": "0"}))
            }
            Err(_) => unauthorized("Invalid id_token"),
        };
    }
    let Some(code) = text("code") else {
        return HttpResponse::BadRequest().json(error_body("code is missing"));
    };
    let name = brand_subject(code);
    let subject = derived(&account, &name);
    if let Some(present) = text("lp_jwt") {
        let Ok(present) = lock(&account.tokens).subject(present) else {
            return unauthorized("Invalid lp_jwt");
        };
        account.hub().platform.link_consumers(&ConsumerId::new(present), &ConsumerId::new(subject.clone()));
    }
    token(&account, "token", &subject, life(&account), json!({"acr": "loa1", "lp.ext": {"sub": name}}))
}

fn derived(account: &Account, name: &str) -> String {
    derived_id(&[&account.config.account, name])
}

/// The subject of a JWT, the whole text when it is none.
fn brand_subject(code: &str) -> String {
    let payload = code.split('.').nth(1).filter(|_| code.split('.').count() == 3);
    let bytes = payload.and_then(|text| base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).ok());
    let claims: Option<Value> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    claims.and_then(|claims| claims["sub"].as_str().map(str::to_owned)).unwrap_or_else(|| code.to_owned())
}

#[derive(Deserialize, Default)]
struct AppCredentials {
    client_id: Option<String>,
    client_secret: Option<String>,
}

/// AppJWT of a connector: credentials in the query or in a form (protocol [§10.2](crate::protocol#102)).
async fn app_token(account: Data<Account>, query: Query<AppCredentials>, body: Bytes) -> HttpResponse {
    let form = Query::<AppCredentials>::from_query(std::str::from_utf8(&body).unwrap_or_default());
    let form = form.map(Query::into_inner).unwrap_or_default();
    let query = query.into_inner();
    let id = query.client_id.or(form.client_id);
    let secret = query.client_secret.or(form.client_secret);
    let (Some(id), Some(secret)) = (id, secret) else { return unauthorized("Client credentials are missing") };
    let Some(seconds) = lock(&account.apps).token_seconds(&id, &secret) else {
        return unauthorized("Invalid client credentials");
    };
    let claims = json!({"azp": id, "scope": "msg.consumer", "iss": "Sentinel"});
    let token = lock(&account.tokens).issue(&id, seconds, claims);
    HttpResponse::Ok().json(json!({"access_token": token, "token_type": "Bearer"}))
}

/// ConsumerJWS: the same external id is always the same consumer.
async fn consumer_jws(account: Data<Account>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let app = request.headers().get("Authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let app = app.trim_start_matches("Bearer ");
    if lock(&account.tokens).read(app).is_err() {
        return unauthorized("Invalid AppJWT");
    }
    let body = tree(&body);
    let Some(external) = body["ext_consumer_id"].as_str() else {
        return HttpResponse::BadRequest().json(error_body("ext_consumer_id is missing"));
    };
    let consumer = derived(&account, external);
    let claims = json!({
        "account_id": account.config.account,
        "ext_consumer_id": external,
        "lp_consumer_id": consumer,
    });
    let token = lock(&account.tokens).issue(&consumer, RENEWABLE, claims);
    HttpResponse::Created().json(json!({"token": token}))
}
