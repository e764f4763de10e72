//! The response time and its deadline ([CV-F11](crate::rules#cv-f11), [CV-F13](crate::rules#cv-f13)).

use actix_web::{post, web::Json};
use serde::Deserialize;
use tertulia_actors::core::{command::Command, time::Timestamp, ums::TtrType};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::acting::{Acted, Acting};
use crate::gateway::{body::Body, problem::Problem};

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(ttr).service(manual_ettr);
}

#[derive(Deserialize, ToSchema)]
#[schema(as = ResponseTime)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Ttr {
    /// `NORMAL`, `URGENT`, `PRIORITIZED` or `CUSTOM`.
    #[schema(value_type = String, example = "URGENT")]
    ttr_type: TtrType,
    /// In seconds; used only for `CUSTOM`.
    #[serde(default)]
    value: u64,
}

/// Sets how soon a response is due.
#[utoipa::path(
    operation_id = "setResponseTime",
    tag = "conversations",
    params(Acting),
    request_body = Ttr,
    responses((status = 200, description = "The platform has set the response time", body = Acted))
)]
#[post("/conversations/{conversation}/ttr")]
async fn ttr(acting: Acting, body: Body<Ttr>) -> Result<Json<Acted>, Problem> {
    let Ttr { ttr_type, value } = body.value;
    acting.act(&body.digest, Command::SetTtr { ttr_type, value }).await
}

#[derive(Deserialize, ToSchema)]
#[schema(as = ManualDeadline)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ManualEttr {
    /// The deadline, in milliseconds since the epoch.
    #[schema(value_type = i64, example = 1_790_000_000_000_i64)]
    time: Timestamp,
}

/// Sets the deadline of the response.
#[utoipa::path(
    operation_id = "setManualDeadline",
    tag = "conversations",
    params(Acting),
    request_body = ManualEttr,
    responses((status = 200, description = "The platform has set the response time", body = Acted))
)]
#[post("/conversations/{conversation}/manual-ettr")]
async fn manual_ettr(acting: Acting, body: Body<ManualEttr>) -> Result<Json<Acted>, Problem> {
    acting.act(&body.digest, Command::SetManualEttr { time: body.value.time }).await
}
