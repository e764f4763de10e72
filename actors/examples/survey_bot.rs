//! A survey bot: when a conversation has ended, it asks the consumer one question and takes the answer. Try it on
//! `tertulia emulate --survey --ca-out emulator-ca.pem --control 127.0.0.1:8444` with `echo_bot` and `consumer`, by
//! `cargo run --example survey_bot -- https://127.0.0.1:8443 emulator-ca.pem`. `curl 127.0.0.1:8444/ledger` has the ID,
//! and `curl -d '{"text":"5"}' 127.0.0.1:8444/conversations/ID/messages` answers.

use anyhow::Context;
use tertulia_actors::{
    Tertulia,
    connection::{Agents, ConnectionSettings, Rings},
    core::{
        command::Command,
        conversation::{ConversationEvent, HistoryStart},
        ums::{DialogStatus, DialogType, ParticipantRole},
    },
    platform::AgentLogin,
    subscriber::{EventData, Filter},
};

#[actix_rt::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let discovery = arguments.next().unwrap_or_else(|| "https://127.0.0.1:8443".to_owned());
    let authority = arguments.next().unwrap_or_else(|| "emulator-ca.pem".to_owned());
    let authority = std::fs::read_to_string(&authority).with_context(|| format!("cannot read {authority}"))?;
    let login = AgentLogin::Password { username: "bot3".to_owned(), password: "secret".into() };
    let bot = ConnectionSettings {
        agents: Agents::All,
        rings: Rings::Off,
        history: HistoryStart::FirstSeen,
        ..ConnectionSettings::bot("survey", "12345678", login)
    };
    let tertulia = Tertulia::builder().discovery(discovery).trust(authority).connection(bot).start()?;
    let mut events = tertulia.events(Filter::everything().connection("survey"));
    tertulia.connection(&"survey".into()).ready(std::time::Duration::from_secs(60)).await?;
    while let Some(event) = events.next().await.transpose()? {
        let (Some(id), EventData::Conversation(told)) = (&event.conversation, &event.data) else { continue };
        let Some(conversation) = tertulia.connection(&event.origin.connection).conversation(id) else { continue };
        let outcome = match told {
            ConversationEvent::Dialog { dialog_id, dialog_type: Some(DialogType::PostSurvey), state, .. }
                if *state == DialogStatus::Open =>
            {
                let join = Command::Join { role: ParticipantRole::Agent, dialog: Some(dialog_id.clone()) };
                match conversation.perform(join).await {
                    Ok(_) => conversation.send_text("How did we do, from 1 to 5?").await,
                    failed => failed,
                }
            }
            // A participant receives the messages of MAIN too.
            ConversationEvent::Message(message)
                if message.role == Some(ParticipantRole::Consumer) && !message.dialog_id.is_main_of(id) =>
            {
                println!("{id}: {}", message.text().unwrap_or_default());
                conversation.close_dialog(message.dialog_id.clone()).await
            }
            _ => continue,
        };
        outcome.map_or_else(|failure| eprintln!("{id}: {failure}"), drop);
    }
    Ok(())
}
