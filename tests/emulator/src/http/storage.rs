//! File storage over HTTP: signed PUT and GET (protocol [§5.10](crate::protocol#510)).

use actix_web::web::{self, Bytes, Data, PayloadConfig, Query, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

use crate::account::{Account, lock, now};
use crate::files::FileError;

pub(super) fn routes(config: &mut ServiceConfig) {
    let store = web::resource("/v1/AUTH_async-images/{path:.*}")
        .app_data(PayloadConfig::new(16 * 1024 * 1024))
        .route(web::put().to(put))
        .route(web::get().to(get));
    config.service(store);
}

#[derive(Deserialize)]
struct Signature {
    temp_url_sig: String,
    temp_url_expires: u64,
}

fn refused(error: FileError) -> HttpResponse {
    match error {
        FileError::Unsigned => HttpResponse::Unauthorized(),
        FileError::Missing => HttpResponse::NotFound(),
        FileError::TooLarge => HttpResponse::PayloadTooLarge(),
        FileError::Refused => HttpResponse::BadRequest(),
    }
    .body(error.to_string())
}

async fn put(
    account: Data<Account>,
    request: HttpRequest,
    signature: Option<Query<Signature>>,
    body: Bytes,
) -> HttpResponse {
    let Some(Query(Signature { temp_url_sig, temp_url_expires })) = signature else {
        return refused(FileError::Unsigned);
    };
    match lock(&account.files).put(request.path(), &temp_url_sig, temp_url_expires, now(), body) {
        Ok(()) => HttpResponse::Created().finish(),
        Err(error) => refused(error),
    }
}

async fn get(account: Data<Account>, request: HttpRequest, signature: Option<Query<Signature>>) -> HttpResponse {
    let Some(Query(Signature { temp_url_sig, temp_url_expires })) = signature else {
        return refused(FileError::Unsigned);
    };
    match lock(&account.files).get(request.path(), &temp_url_sig, temp_url_expires, now()) {
        Ok(content) => HttpResponse::Ok().content_type("application/octet-stream").body(content),
        Err(error) => refused(error),
    }
}
