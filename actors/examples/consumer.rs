//! A consumer who opens a conversation, sends one text after another, prints the answers, and closes it.
//!
//! Try it: `tertulia emulate --ca-out emulator-ca.pem` in one terminal, an agent in a second one by
//! `cargo run --example echo_bot -- https://127.0.0.1:8443 emulator-ca.pem`, and the consumer in a third one by
//! `cargo run --example consumer -- https://127.0.0.1:8443 emulator-ca.pem "hello" "is anybody there?"`.

use std::time::Duration;

use anyhow::Context;
use tertulia_actors::{
    Tertulia,
    connection::ConnectionSettings,
    core::{id::ConnectionId, ums::ParticipantRole},
    platform::ConsumerLogin,
    subscriber::{EventKind, EventStream, Filter},
};

const PATIENCE: Duration = Duration::from_secs(60);

#[actix_rt::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let discovery = arguments.next().unwrap_or_else(|| "https://127.0.0.1:8443".to_owned());
    let authority = arguments.next().unwrap_or_else(|| "emulator-ca.pem".to_owned());
    let authority = std::fs::read_to_string(&authority).with_context(|| format!("cannot read {authority}"))?;

    let tertulia = Tertulia::builder()
        .discovery(discovery)
        .trust(authority)
        .connection(ConnectionSettings::consumer("ann", "12345678", ConsumerLogin::SignUp))
        .start()?;
    let ann = ConnectionId::from("ann");
    let mut messages = tertulia.events(Filter::everything().kind(EventKind::Message));
    tertulia.connection(&ann).ready(PATIENCE).await?;

    let conversation = tertulia.connection(&ann).create_conversation(Default::default()).await?;
    for text in arguments {
        conversation.send_text(&*text).await?;
        println!("ann: {text}");
        let answer = tokio::time::timeout(PATIENCE, answer(&mut messages)).await.context("nobody answers")??;
        println!("agent: {answer}");
    }
    conversation.close().await?;
    tertulia.stop(Duration::from_secs(5)).await;
    Ok(())
}

/// Returns the next message of another participant.
async fn answer(messages: &mut EventStream) -> anyhow::Result<String> {
    loop {
        let event = messages.next().await.context("the system has stopped")??;
        let Some(message) = event.message() else { continue };
        if let Some(text) = message.text().filter(|_| message.role != Some(ParticipantRole::Consumer)) {
            return Ok(text);
        }
    }
}
