//! A bot that takes every conversation offered to it and repeats what the consumer says.
//!
//! Try it: `tertulia emulate --ca-out emulator-ca.pem --control 127.0.0.1:8444` in one terminal,
//! `cargo run --example echo_bot -- https://127.0.0.1:8443 emulator-ca.pem` in another, and let a consumer speak by
//! `curl -d '{"conversations":10,"messages":3,"rate":5}' 127.0.0.1:8444/traffic`.

use std::time::Duration;

use anyhow::Context;
use tertulia_actors::{
    Tertulia,
    connection::ConnectionSettings,
    core::{id::ConnectionId, ums::ParticipantRole},
    platform::AgentLogin,
    subscriber::{EventKind, Filter},
};

#[actix_rt::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let discovery = arguments.next().unwrap_or_else(|| "https://127.0.0.1:8443".to_owned());
    let authority = arguments.next().unwrap_or_else(|| "emulator-ca.pem".to_owned());
    let authority = std::fs::read_to_string(&authority).with_context(|| format!("cannot read {authority}"))?;

    let login = AgentLogin::Password { username: "bot1".to_owned(), password: "secret".into() };
    let tertulia = Tertulia::builder()
        .discovery(discovery)
        .trust(authority)
        .connection(ConnectionSettings::bot("echo", "12345678", login))
        .start()?;
    let bot = ConnectionId::from("echo");
    let mut messages = tertulia.events(Filter::everything().kind(EventKind::Message));
    tertulia.connection(&bot).ready(Duration::from_secs(30)).await?;

    while let Some(event) = messages.next().await {
        let event = event?;
        let Some(message) = event.message() else { continue };
        let (Some(ParticipantRole::Consumer), Some(text)) = (&message.role, message.text()) else { continue };
        // The message was for somebody else, or was answered by an earlier run.
        if message.back_filled {
            continue;
        }
        let Some(conversation) = event.conversation.as_ref().and_then(|id| tertulia.connection(&bot).conversation(id))
        else {
            continue;
        };
        actix_rt::spawn(async move {
            if let Err(failure) = conversation.send_text(format!("you said: {text}")).await {
                eprintln!("{}: {failure}", conversation.id());
            }
        });
    }
    Ok(())
}
