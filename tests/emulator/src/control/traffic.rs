//! Simulated consumers by HTTP: whole runs, or one step at a time.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, Json, Path, ServiceConfig};
use serde::Deserialize;
use serde_json::{Value, json};

use super::refused;
use crate::account::{Account, lock, now};
use crate::dialect::text_of;
use crate::traffic::TrafficSpec;

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .route("/traffic", web::post().to(start))
        .route("/traffic/{id}", web::get().to(progress))
        .route("/conversations", web::post().to(open))
        .route("/conversations/{id}/messages", web::post().to(say))
        .route("/conversations/{id}/close", web::post().to(close));
}

async fn start(account: Data<Account>, spec: Json<TrafficSpec>) -> HttpResponse {
    let spec = spec.into_inner();
    if let Err(text) = spec.check() {
        return refused(400, text);
    }
    let id = lock(&account.traffic).start(spec, now());
    HttpResponse::Created().json(json!({"id": id}))
}

async fn progress(account: Data<Account>, id: Path<String>) -> HttpResponse {
    match lock(&account.traffic).progress(&id, &account) {
        Some(progress) => HttpResponse::Ok().json(progress),
        None => refused(404, "There is no such traffic"),
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Opening {
    skill: Value,
    consumer: Value,
    profile: Value,
}

async fn open(account: Data<Account>, opening: Option<Json<Opening>>) -> HttpResponse {
    let Opening { skill, consumer, profile } = opening.map(Json::into_inner).unwrap_or_default();
    if !profile.is_null() && !profile.is_object() {
        return refused(400, "profile must be an object");
    }
    let profile = Some(profile).filter(Value::is_object);
    let id = account.open_conversation(text_of(&consumer), text_of(&skill), profile);
    HttpResponse::Created().json(json!({"id": id, "conversation": id}))
}

#[derive(Deserialize)]
struct Saying {
    text: String,
}

async fn say(account: Data<Account>, id: Path<String>, saying: Json<Saying>) -> HttpResponse {
    match account.say(&id, &saying.text) {
        Ok(sequence) => HttpResponse::Ok().json(json!({"sequence": sequence})),
        Err(refusal) => refused(refusal.code, &refusal.text),
    }
}

async fn close(account: Data<Account>, id: Path<String>) -> HttpResponse {
    match account.close_conversation(&id) {
        Ok(()) => HttpResponse::Ok().json(json!({})),
        Err(refusal) => refused(refusal.code, &refusal.text),
    }
}
