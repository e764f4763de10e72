//! One run of a process on a store that outlives it.

use std::{num::NonZeroUsize, sync::Arc};

use serde_json::Value;
use tertulia_actors::{
    Tertulia,
    connection::ConnectionSettings,
    conversation::ConversationHandle,
    core::id::{ConnectionId, ConversationId},
    engine::{Commit, Journal, LogBatch, MemoryStore, Retention, Store},
};
use tertulia_emulator::Emulator;
use tokio::time::timeout;

use super::disk::{Cut, Disk};
use crate::stage::{PATIENCE, bot, platform};

/// One run of a process.
pub(crate) struct Run {
    pub(crate) tertulia: Tertulia,
    pub(crate) disk: Arc<Disk>,
    pub(crate) bot: ConnectionId,
}

impl Run {
    pub(crate) fn begin(emulator: &Emulator, store: &Arc<MemoryStore>, cuts: fn(&Commit) -> Cut) -> Self {
        Self::with(emulator, store, cuts, bot(1))
    }

    pub(crate) fn with(
        emulator: &Emulator,
        store: &Arc<MemoryStore>,
        cuts: fn(&Commit) -> Cut,
        settings: ConnectionSettings,
    ) -> Self {
        let disk = Disk::new(store, cuts);
        let journal = Journal::start(Arc::clone(&disk) as Arc<dyn Store>, Retention::default()).unwrap();
        let bot = settings.id.clone();
        let builder = Tertulia::builder().platform(platform(emulator)).arbiters(NonZeroUsize::MIN);
        let tertulia = builder.journal(journal).connection(settings).start().unwrap();
        Self { tertulia, disk, bot }
    }

    pub(crate) async fn ready(&self) {
        self.tertulia.connection(&self.bot).ready(PATIENCE).await.unwrap();
    }

    /// The log from its beginning on, until an event fits.
    pub(crate) async fn log_until(&self, fits: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut reader = self.tertulia.journal().reader(0);
        let mut events = Vec::new();
        let all = async {
            loop {
                let Some(LogBatch::Events(batch)) = reader.next().await.unwrap() else { panic!("the log has a hole") };
                for event in batch {
                    events.push(serde_json::from_slice(&event.json).unwrap());
                    if events.last().is_some_and(&fits) {
                        return;
                    }
                }
            }
        };
        timeout(PATIENCE, all).await.expect("the event did not come in time");
        events
    }

    pub(crate) async fn taken(&self, conversation: &str) -> ConversationHandle {
        let id = ConversationId::from(conversation);
        self.log_until(|event| event["subject"] == conversation && event["type"] == "tertulia.conversation").await;
        self.tertulia.connection(&self.bot).conversation(&id).unwrap()
    }

    /// The process is gone from one moment to the next. Its sockets are closed, as the system does it.
    pub(crate) async fn end(self) {
        self.disk.cut();
        self.tertulia.stop(PATIENCE).await;
    }
}
