//! This library as a client of the comparison.

use std::io::stdin;

use anyhow::Context as _;
use tertulia_actors::{
    core::ums::ParticipantRole,
    subscriber::{EventKind, EventStream, Filter},
};
use tokio::{task::spawn_blocking, time::timeout};

use super::client::{ASSIGNMENT, Ask, Assignment};
use crate::load::{PATIENCE, STREAM, bots_of, connect, system};

/// Does what the lines on standard input say, until they end.
pub(crate) async fn serve() -> anyhow::Result<()> {
    let Assignment { ready, bots } = serde_json::from_str(&std::env::var(ASSIGNMENT)?)?;
    let tertulia = system(&ready)?.start()?;
    let kinds = [EventKind::Conversation, EventKind::Message];
    let stream = tertulia.events_within(Filter::everything().kinds(kinds), STREAM);
    let mut heard = Heard { stream, conversations: 0, messages: 0 };
    connect(&tertulia, &ready, bots)?;
    for bot in bots_of(bots) {
        tertulia.connection(&bot).ready(PATIENCE).await?;
    }
    println!();
    while let Some(ask) = next_ask().await? {
        match ask {
            Ask::Hold { conversations } => heard.until(|heard| heard.conversations >= conversations).await?,
            Ask::Hear { messages } => heard.until(|heard| heard.messages >= messages).await?,
            Ask::Rest => {}
        }
        println!();
    }
    Ok(())
}

async fn next_ask() -> anyhow::Result<Option<Ask>> {
    let line = spawn_blocking(|| stdin().lines().next().transpose()).await??;
    Ok(line.map(|line| serde_json::from_str(&line)).transpose()?)
}

/// What the events have told since the start.
struct Heard {
    stream: EventStream,
    conversations: u32,
    messages: u32,
}

impl Heard {
    /// Counts events until the counts are as wanted.
    async fn until(&mut self, is_wanted: impl Fn(&Self) -> bool) -> anyhow::Result<()> {
        while !is_wanted(self) {
            let event = timeout(PATIENCE, self.stream.next()).await.context("no event arrived in time")?;
            let event = event.context("the connections stopped")??;
            let is_by_consumer = event.message().is_some_and(|message| message.role == Some(ParticipantRole::Consumer));
            self.messages += u32::from(is_by_consumer);
            self.conversations += u32::from(event.kind() == EventKind::Conversation);
        }
        Ok(())
    }
}
