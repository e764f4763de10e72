//! Adding and removing connections while the service runs.

use actix_web::{HttpResponse, delete, http::StatusCode, post, web::Path};
use serde::Serialize;
use serde_json::{Value, json};
use tertulia_actors::core::id::ConnectionId;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::definition::ConnectionDefinition;
use crate::{
    fleet::AddConnectionError,
    gateway::{
        body::Body,
        keyed::{Once, Reply},
        problem::Problem,
        state::Caller,
    },
};

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(add).service(remove).service(restart);
}

/// A connection that was added.
#[derive(Serialize, ToSchema)]
#[schema(as = AddedConnection)]
#[serde(rename_all = "camelCase")]
struct Added {
    id: String,
    /// Whether the connection exists again after a restart; false if its definition contains secrets.
    is_kept: bool,
}

/// Adds a connection. The body has the members of `[[connections]]` in the configuration. A secret is `{"env":
/// "NAME"}`, `{"file": "path"}`, or text; with a secret as text, the connection ends with the process.
#[utoipa::path(
    operation_id = "addConnection",
    tag = "connections",
    params(Once),
    request_body(content = ConnectionDefinition, example = json!({
        "id": "bots-2", "account": "12345678", "role": "brand",
        "login": { "username": "bot2", "password": { "env": "BOT2_PASSWORD" } },
        "rings": "accept", "agent_state": "ONLINE"
    })),
    responses((status = 201, description = "The connection was added and is connecting", body = Added))
)]
#[post("/connections")]
async fn add(caller: Caller, once: Once, body: Body<Value>) -> Result<HttpResponse, Problem> {
    let definition = body.value;
    once.act(&body.digest, async move {
        let added = caller.add_connection(definition).await?;
        let id = added.id.to_string();
        let location = format!("/v1/connections/{id}");
        Ok(Reply::created(location, json!(Added { id, is_kept: added.is_kept })))
    })
    .await
}

/// Removes a connection. A connection of the configuration exists again after a restart.
#[utoipa::path(
    operation_id = "removeConnection",
    tag = "connections",
    params(("connection" = String, Path)),
    responses((status = 204, description = "The connection has ended"))
)]
#[delete("/connections/{connection}")]
async fn remove(caller: Caller, id: Path<ConnectionId>) -> Result<HttpResponse, Problem> {
    caller.remove_connection(&id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Restarts a connection, even a failed one: with a new login, and a new socket if it has one. Its conversations stay.
#[utoipa::path(
    operation_id = "restartConnection",
    tag = "connections",
    params(("connection" = String, Path), Once),
    responses((status = 202, description = "The connection is restarting; `GET` it to see its state"))
)]
#[post("/connections/{connection}/restart")]
async fn restart(caller: Caller, once: Once, id: Path<ConnectionId>) -> Result<HttpResponse, Problem> {
    once.act_bare(async move {
        if caller.connection(&id)?.restart() { Ok(Reply::accepted()) } else { Err(Problem::unknown_connection(&id)) }
    })
    .await
}

impl From<AddConnectionError> for Problem {
    fn from(error: AddConnectionError) -> Self {
        let (status, code) = match &error {
            AddConnectionError::Mistaken(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid-connection"),
            AddConnectionError::OutOfReach(_) => (StatusCode::FORBIDDEN, "not-permitted"),
            AddConnectionError::Taken(_) => (StatusCode::CONFLICT, "connection-exists"),
            AddConnectionError::TooMany => (StatusCode::CONFLICT, "too-many-connections"),
            AddConnectionError::SecretNotShared => (StatusCode::UNPROCESSABLE_ENTITY, "secret-not-shared"),
            AddConnectionError::Stopped => return Self::stopping(),
        };
        let problem = Self::new(status, code, error.to_string());
        let AddConnectionError::Mistaken(mistakes) = error else { return problem };
        let mistakes = mistakes.iter().map(|mistake| json!({ "path": mistake.path, "message": mistake.message }));
        problem.with("mistakes", mistakes.collect::<Vec<_>>())
    }
}
