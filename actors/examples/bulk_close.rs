//! Closes every open conversation of an account, or of one skill, a few at a time, and prints the outcome.
//!
//! Try it: `tertulia emulate --ca-out emulator-ca.pem --control 127.0.0.1:8444` in one terminal. Open 100 conversations
//! with `curl -d '{"conversations":100,"messages":1,"rate":0}' 127.0.0.1:8444/traffic`, and close them with
//! `cargo run --example bulk_close -- https://127.0.0.1:8443 emulator-ca.pem`. A skill such as 501 may follow.

use std::time::Duration;

use anyhow::Context;
use futures_util::{StreamExt, stream};
use tertulia_actors::{
    Tertulia,
    connection::{Agents, ConnectionSettings, Rings},
    conversation::ConversationHandle,
    core::{conversation::HistoryStart, id::ConnectionId},
    platform::AgentLogin,
};

/// The number of conversations closed at the same time.
const TOGETHER: usize = 8;

#[actix_rt::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let discovery = arguments.next().unwrap_or_else(|| "https://127.0.0.1:8443".to_owned());
    let authority = arguments.next().unwrap_or_else(|| "emulator-ca.pem".to_owned());
    let authority = std::fs::read_to_string(&authority).with_context(|| format!("cannot read {authority}"))?;
    let skill = arguments.next();

    let login = AgentLogin::Password { username: "bot4".to_owned(), password: "secret".into() };
    let manager = ConnectionSettings {
        agents: Agents::All,
        rings: Rings::Off,
        agent_state: None,
        history: HistoryStart::FirstSeen,
        ..ConnectionSettings::bot("manager", "12345678", login)
    };
    let tertulia = Tertulia::builder().discovery(discovery).trust(authority).connection(manager).start()?;
    let manager = ConnectionId::from("manager");
    tertulia.connection(&manager).ready(Duration::from_secs(60)).await?;

    let closing = tertulia
        .connection(&manager)
        .conversations()
        .into_iter()
        .map(|conversation| close(conversation, skill.as_deref()));
    let outcomes: Vec<anyhow::Result<bool>> = stream::iter(closing).buffer_unordered(TOGETHER).collect().await;
    let (closed, failed): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    failed.iter().flat_map(|outcome| outcome.as_ref().err()).for_each(|error| eprintln!("{error:#}"));
    println!("closed {}, failed {}", closed.iter().flatten().filter(|closed| **closed).count(), failed.len());
    tertulia.stop(Duration::from_secs(5)).await;
    Ok(())
}

/// Closes a conversation without a survey if it has the skill; returns whether it was closed.
async fn close(conversation: ConversationHandle, skill: Option<&str>) -> anyhow::Result<bool> {
    let members = conversation.members().await?;
    if skill.is_some_and(|skill| members["skillId"] != skill) {
        return Ok(false);
    }
    conversation.close_at_once().await.with_context(|| format!("cannot close {}", conversation.id()))?;
    Ok(true)
}
