//! The consumer's satisfaction ([CV-F10](crate::rules#cv-f10)).

use actix_web::{post, web::Json};
use serde::{Deserialize, Deserializer, de::Error as _};
use tertulia_actors::core::{command::Command, ums::CsatStatus};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::acting::{Acted, Acting};
use crate::gateway::{body::Body, problem::Problem};

pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(csat);
}

#[derive(Deserialize, ToSchema)]
#[schema(as = ConsumerRating)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Satisfaction {
    /// From 0 to 5. A string is also accepted, because the SDK's class page has one.
    #[schema(value_type = u8, maximum = 5)]
    #[serde(deserialize_with = "rate")]
    csat_rate: u8,
    /// Whether the consumer's issue was resolved.
    csat_resolution_confirmation: Option<bool>,
    /// How much of the survey was answered: `FILLED`, `PARTIALLY_FILLED`, `SKIPPED` or `EMPTY`.
    #[schema(value_type = Option<String>, default = "FILLED")]
    csat_status: Option<CsatStatus>,
}

/// Records the satisfaction of the connection's consumer.
#[utoipa::path(
    operation_id = "rateConversation",
    tag = "conversations",
    params(Acting),
    request_body = Satisfaction,
    responses((status = 200, description = "The platform has recorded the satisfaction", body = Acted))
)]
#[post("/conversations/{conversation}/csat")]
async fn csat(acting: Acting, body: Body<Satisfaction>) -> Result<Json<Acted>, Problem> {
    let Satisfaction { csat_rate: rate, csat_resolution_confirmation: resolved, csat_status } = body.value;
    let status = csat_status.unwrap_or(CsatStatus::Filled);
    acting.act(&body.digest, Command::SetCsat { rate, resolved, status }).await
}

fn rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Rate {
        Number(u8),
        Text(String),
    }

    match Rate::deserialize(deserializer).map_err(|_| D::Error::custom("csatRate must be a number from 0 to 5"))? {
        Rate::Number(rate) => Ok(rate),
        Rate::Text(text) => text.parse().map_err(|_| D::Error::custom("csatRate must be a number from 0 to 5")),
    }
}
