//! A connector: it opens a conversation for a consumer of another channel by the Send API, says hello, and hears the
//! answers by signed webhooks.
//!
//! Try it: `tertulia emulate --ca-out emulator-ca.pem --control 127.0.0.1:8444` in one terminal; install the connector:
//! ```sh
//! curl 127.0.0.1:8444/apps -d '{"client_id": "c", "client_secret": "s", "capabilities": {"webhooks": {
//!   "ms.MessagingEventNotification.ContentEvent": {"endpoint": "http://127.0.0.1:8090/"}}}}'
//! ```
//! Start `echo_bot` (see there), and `cargo run --example connector -- https://127.0.0.1:8443 emulator-ca.pem`.

use std::time::Duration;

use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use anyhow::Context;
use tertulia_actors::{
    Tertulia,
    connection::ConnectionError,
    core::id::ConnectionId,
    intake::IntakeSettings,
    platform::AppCredentials,
    subscriber::{EventKind, Filter},
};

#[actix_rt::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let discovery = arguments.next().unwrap_or_else(|| "https://127.0.0.1:8443".to_owned());
    let authority = arguments.next().unwrap_or_else(|| "emulator-ca.pem".to_owned());
    let authority = std::fs::read_to_string(&authority).with_context(|| format!("cannot read {authority}"))?;
    let listen = arguments.next().unwrap_or_else(|| "127.0.0.1:8090".to_owned());

    let app = AppCredentials { client_id: "c".to_owned(), secret: "s".into() };
    let connector = IntakeSettings::connector("connector", "12345678", app);
    let tertulia = Data::new(Tertulia::builder().discovery(discovery).trust(authority).intakes([connector]).start()?);
    let shared = tertulia.clone();
    let app = move || App::new().app_data(shared.clone()).default_service(web::post().to(webhook));
    actix_rt::spawn(HttpServer::new(app).workers(1).disable_signals().bind(&listen).with_context(|| listen)?.run());

    let id = ConnectionId::from("connector");
    let mut messages = tertulia.events(Filter::everything().kind(EventKind::Message));
    tertulia.connection(&id).ready(Duration::from_secs(60)).await?;
    let ann = "whatsapp:15550100".into();
    let conversation =
        tertulia.connection(&id).create_conversation_for(ann, Default::default(), Default::default()).await?;
    conversation.send_text("hello").await?;
    while let Some(event) = messages.next().await.transpose()? {
        let Some(message) = event.message() else { continue };
        println!("{}: {}", message.role.as_ref().map_or("?", |role| role.as_str()), message.text().unwrap_or_default());
    }
    Ok(())
}

async fn webhook(tertulia: Data<Tertulia>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let signature = request.headers().get("x-liveperson-signature").and_then(|value| value.to_str().ok());
    match tertulia.connection(&ConnectionId::from("connector")).receive_webhook(signature, body).await {
        Ok(()) => HttpResponse::Ok().finish(),
        Err(ConnectionError::BadSignature(_)) => HttpResponse::Unauthorized().finish(),
        Err(ConnectionError::Overloaded(_)) => HttpResponse::ServiceUnavailable().finish(),
        Err(error) => HttpResponse::BadRequest().body(error.to_string()),
    }
}
