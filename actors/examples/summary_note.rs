//! A bot that writes a note about each conversation of its own when it ends: how much was said, by whom.
//!
//! Try it: `tertulia emulate --ca-out emulator-ca.pem --control 127.0.0.1:8444` in one terminal,
//! `cargo run --example summary_note -- https://127.0.0.1:8443 emulator-ca.pem` in another, let a consumer come by
//! `curl -d '{"conversations":1,"messages":3}' 127.0.0.1:8444/traffic`, and end the conversation that the bot prints by
//! `curl -X POST 127.0.0.1:8444/conversations/ID/close`.

use std::collections::HashMap;

use anyhow::Context;
use tertulia_actors::{
    Tertulia,
    connection::ConnectionSettings,
    core::{
        command::SetAgentNote,
        conversation::ConversationEvent,
        id::{ConnectionId, ConversationId},
        time::Timestamp,
        ums::ParticipantRole,
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

    let login = AgentLogin::Password { username: "bot1".to_owned(), password: "secret".into() };
    let bot = ConnectionSettings::bot("notes", "12345678", login);
    let tertulia = Tertulia::builder().discovery(discovery).trust(authority).connection(bot).start()?;
    let mut events = tertulia.events(Filter::everything());
    tertulia.connection(&"notes".into()).ready(std::time::Duration::from_secs(60)).await?;
    let mut said: HashMap<ConversationId, [u32; 2]> = HashMap::new();
    while let Some(event) = events.next().await.transpose()? {
        let (Some(id), EventData::Conversation(told)) = (&event.conversation, &event.data) else { continue };
        match told {
            ConversationEvent::Conversation { .. } => println!("{id}: taken"),
            ConversationEvent::Message(message) => {
                let by_consumer = message.role == Some(ParticipantRole::Consumer);
                said.entry(id.clone()).or_default()[usize::from(by_consumer)] += 1;
            }
            ConversationEvent::Close { .. } => {
                let [by_us, by_consumer] = said.remove(id).unwrap_or_default();
                let Some(conversation) = tertulia.connection(&ConnectionId::from("notes")).conversation(id) else {
                    continue;
                };
                let text = format!("{by_consumer} messages of the consumer, {by_us} of ours");
                let note = SetAgentNote::new(text, Timestamp(event.time.as_millisecond()));
                match conversation.set_agent_note(SetAgentNote { is_auto_summary: true, ..note }).await {
                    Ok(_) => println!("{id}: noted"),
                    Err(failure) => eprintln!("{id}: {failure}"),
                }
            }
            _ => {}
        }
    }
    Ok(())
}
