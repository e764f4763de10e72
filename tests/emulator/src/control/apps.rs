//! Installing applications by HTTP, with the platform's own installation document (protocol
//! [§10.1](crate::protocol#101)).

use actix_web::HttpResponse;
use actix_web::web::{self, Data, Json, ServiceConfig};
use serde_json::Value;

use super::refused;
use crate::account::Account;
use crate::connector::{self, AppInstall};

pub(super) fn routes(config: &mut ServiceConfig) {
    config.route("/apps", web::post().to(install));
}

async fn install(account: Data<Account>, document: Json<Value>) -> HttpResponse {
    match AppInstall::from_document(&document) {
        Ok(app) => {
            let document = app.document();
            connector::install(&account, app);
            HttpResponse::Created().json(document)
        }
        Err(text) => refused(400, &text),
    }
}
