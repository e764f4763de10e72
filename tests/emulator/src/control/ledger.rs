//! The ground truth by HTTP.

use actix_web::HttpResponse;
use actix_web::web::{self, Bytes, Data, ServiceConfig};
use futures_util::stream;

use crate::account::Account;

/// Ledger lines written in one piece.
const LINES: usize = 512;

pub(super) fn routes(config: &mut ServiceConfig) {
    config
        .route("/ledger", web::get().to(ledger))
        .route("/ledger/summary", web::get().to(summary))
        .route("/sessions", web::get().to(sessions));
}

async fn summary(account: Data<Account>) -> HttpResponse {
    HttpResponse::Ok().json(account.summary())
}

async fn sessions(account: Data<Account>) -> HttpResponse {
    HttpResponse::Ok().json(account.hub().sessions())
}

/// Newline-delimited JSON in order, written as it is read.
async fn ledger(account: Data<Account>) -> HttpResponse {
    let ledger = account.ledger();
    let pieces = (0..ledger.len()).step_by(LINES).map(move |from| {
        let mut piece = Vec::new();
        for entry in (from..from + LINES).map_while(|place| ledger.get(place)) {
            serde_json::to_writer(&mut piece, &entry)?;
            piece.push(b'\n');
        }
        Ok::<Bytes, serde_json::Error>(piece.into())
    });
    HttpResponse::Ok().content_type("application/x-ndjson").streaming(stream::iter(pieces))
}
