//! The `Idempotency-Key`s whose requests this process is answering.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tertulia_actors::engine::RecordKey;
use tokio::sync::OwnedMutexGuard;

/// Keys whose requests are being answered. A request that holds the lock of its key is the only one in this process.
#[derive(Default)]
pub(super) struct UnderWay(Mutex<HashMap<RecordKey, Arc<tokio::sync::Mutex<()>>>>);

/// A key's place among the keys in use. Dropping it lets the next request with the key continue.
pub(super) struct Turn {
    under_way: Arc<UnderWay>,
    key: RecordKey,
    lock: Option<OwnedMutexGuard<()>>,
}

impl UnderWay {
    fn keys(&self) -> MutexGuard<'_, HashMap<RecordKey, Arc<tokio::sync::Mutex<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the other requests with this key.
    pub(super) async fn enter(self: &Arc<Self>, key: &RecordKey) -> Turn {
        let lock = Arc::clone(self.keys().entry(key.clone()).or_default());
        // From here on the key is forgotten with the turn, also if this request is dropped while it waits.
        let mut turn = Turn { under_way: Arc::clone(self), key: key.clone(), lock: None };
        turn.lock = Some(lock.lock_owned().await);
        turn
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut keys = self.under_way.keys();
        drop(self.lock.take());
        // New requests for the key need the table, so nobody can begin to wait meanwhile.
        if keys.get(&self.key).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            keys.remove(&self.key);
        }
    }
}
