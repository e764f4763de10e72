//! A manager who listens to all conversations of an account and prints each event, one CloudEvent per line.
//!
//! Try it: `tertulia emulate --ca-out emulator-ca.pem --control 127.0.0.1:8444` in one terminal,
//! `cargo run --example account_monitor -- https://127.0.0.1:8443 emulator-ca.pem` in another, and let consumers come
//! by `curl -d '{"conversations":10,"messages":3,"rate":5}' 127.0.0.1:8444/traffic`.

use anyhow::Context;
use tertulia_actors::{
    Tertulia,
    connection::{Agents, ConnectionSettings, Rings},
    core::conversation::HistoryStart,
    platform::AgentLogin,
    subscriber::Filter,
};

#[actix_rt::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let discovery = arguments.next().unwrap_or_else(|| "https://127.0.0.1:8443".to_owned());
    let authority = arguments.next().unwrap_or_else(|| "emulator-ca.pem".to_owned());
    let authority = std::fs::read_to_string(&authority).with_context(|| format!("cannot read {authority}"))?;

    let login = AgentLogin::Password { username: "bot4".to_owned(), password: "secret".into() };
    let manager = ConnectionSettings {
        agents: Agents::All,
        rings: Rings::Off,
        agent_state: None,
        // Only participants can read earlier messages.
        history: HistoryStart::FirstSeen,
        ..ConnectionSettings::bot("manager", "12345678", login)
    };
    let tertulia = Tertulia::builder().discovery(discovery).trust(authority).start()?;
    let mut events = tertulia.events(Filter::everything());
    tertulia.connect(manager)?;
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => println!("{}", serde_json::to_string(&*event)?),
            Err(lagged) => eprintln!("{lagged}"),
        }
    }
    Ok(())
}
