//! Fault modes and single faults by HTTP.

use actix_web::HttpResponse;
use actix_web::web::{self, Data, Json, ServiceConfig};
use serde::Deserialize;
use serde_json::json;

use crate::account::Account;
use crate::faults::{Fault, FaultMode};

pub(super) fn routes(config: &mut ServiceConfig) {
    config.route("/faults", web::post().to(faults));
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Order {
    One(Fault),
    Mode {
        mode: FaultMode,
        #[serde(default = "first_seed")]
        seed: u64,
    },
}

fn first_seed() -> u64 {
    1
}

async fn faults(account: Data<Account>, order: Json<Order>) -> HttpResponse {
    let mut hub = account.hub();
    match order.into_inner() {
        Order::One(fault) => HttpResponse::Ok().json(json!({"hit": hub.inject(&fault)})),
        Order::Mode { mode, seed } => {
            hub.faults.set_mode(mode, seed);
            HttpResponse::Ok().json(json!({"mode": mode, "seed": seed}))
        }
    }
}
