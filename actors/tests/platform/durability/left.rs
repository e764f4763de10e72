//! A conversation that a run of the process left in the store.

use std::sync::Arc;

use serde_json::Value;
use tertulia_actors::engine::{Change, MemoryStore, Record, RecordKey, Store, Table};
use tertulia_emulator::{Emulator, EmulatorConfig};

use super::{Run, never, says, store};
use crate::stage::change;

/// A conversation that a run of the process left in the store.
pub(super) struct Left {
    pub(super) emulator: Emulator,
    pub(super) store: Arc<MemoryStore>,
    pub(super) id: String,
    pub(super) key: RecordKey,
    /// The record as the run wrote it.
    pub(super) value: Vec<u8>,
}

impl Left {
    /// The bot has received "0" in the conversation, and the process has ended.
    pub(super) async fn by_a_run() -> Self {
        let (emulator, store) = (Emulator::start(EmulatorConfig::default()).unwrap(), store());
        let run = Run::begin(&emulator, &store, never);
        run.ready().await;
        let id = emulator.create_conversation(None, None);
        emulator.say(&id, "0").unwrap();
        run.log_until(says("0")).await;
        let key = RecordKey::of(&[run.bot.as_str(), &id]);
        run.end().await;
        let value = store.get(Table::Snapshots, &key).unwrap().unwrap().to_vec();
        Self { emulator, store, id, key, value }
    }

    /// Replaces the record while no process runs.
    pub(super) fn write(&self, value: Vec<u8>) {
        change(&self.store, Change::Put(Table::Snapshots, Record::new(self.key.clone(), value)));
    }

    /// Replaces the record while `run` has the store.
    pub(super) async fn repair(&self, run: &Run, value: Vec<u8>) {
        let change = Change::Put(Table::Snapshots, Record::new(self.key.clone(), value));
        run.tertulia.journal().keep(vec![change]).await.unwrap();
    }

    /// Gives a member of the record another value.
    pub(super) fn spoil(&self, member: &str, value: Value) -> Vec<u8> {
        let value = self.with(member, value);
        self.write(value.clone());
        value
    }

    /// The record with another value of a member.
    pub(super) fn with(&self, member: &str, value: Value) -> Vec<u8> {
        let mut record: Value = serde_json::from_slice(&self.value).unwrap();
        record[member] = value;
        serde_json::to_vec(&record).unwrap()
    }

    pub(super) fn record(&self) -> Option<Vec<u8>> {
        self.store.get(Table::Snapshots, &self.key).unwrap().map(|value| value.to_vec())
    }
}
