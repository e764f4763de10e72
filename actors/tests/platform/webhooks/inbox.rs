//! Webhooks that other processes with the same store have accepted for a connection.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use bytes::Bytes;
use serde_json::{Value, json};
use tertulia_actors::{
    Tertulia,
    connection::ConnectionError,
    core::time::Timestamp,
    engine::{
        Change, Cluster, Commit, CommitError, Committed, History, Journal, MemoryStore, NewEvent, Record, RecordKey,
        Retention, Store, StoreError, Table,
    },
};
use tertulia_emulator::{Emulator, EmulatorConfig};
use tokio::time::{sleep, timeout};

use super::{intake, stage::PATIENCE};
use crate::stage::{self, Stage, change};

const FIRST: &str = "3f6c1a52-8e0d-4b7e-9a41-5c2d7e8f9010";
const SECOND: &str = "3f6c1a52-8e0d-4b7e-9a41-5c2d7e8f9011";

/// What a commit had: the names of its events, and the last parts of the inbox keys that it removed.
type Made = (Vec<String>, Vec<String>);

/// A shared store whose inbox can be closed to readers, and that notes its commits.
struct Noting {
    store: MemoryStore,
    is_open: Mutex<bool>,
    opened: Condvar,
    made: Mutex<Vec<Made>>,
}

impl Noting {
    fn open(&self, is_open: bool) {
        *self.is_open.lock().unwrap() = is_open;
        self.opened.notify_all();
    }
}

impl Store for Noting {
    fn history(&self) -> History {
        self.store.history()
    }

    fn cluster(&self) -> Arc<dyn Cluster> {
        self.store.cluster()
    }

    fn last_commit(&self) -> u64 {
        self.store.last_commit()
    }

    fn commit(&self, commit: &Commit) -> Result<Committed, CommitError> {
        let committed = self.store.commit(commit)?;
        let removed = commit.changes.iter().filter_map(|change| match change {
            Change::Remove(Table::Inbox, key) => key.parts().unwrap().pop(),
            _ => None,
        });
        let names = commit.events.iter().map(|event| event.name.to_string());
        self.made.lock().unwrap().push((names.collect(), removed.collect()));
        Ok(committed)
    }

    fn keep_house(&self, now: Timestamp, oldest: u64, letters: usize) -> Result<usize, StoreError> {
        self.store.keep_house(now, oldest, letters)
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn newer(&self, after: u64, within: Duration) -> Result<u64, StoreError> {
        self.store.newer(after, within)
    }

    fn events(&self, after: u64, limit: usize) -> Result<Vec<(u64, NewEvent)>, StoreError> {
        self.store.events(after, limit)
    }

    fn get(&self, table: Table, key: &RecordKey) -> Result<Option<Bytes>, StoreError> {
        self.store.get(table, key)
    }

    fn scan(
        &self,
        table: Table,
        prefix: &RecordKey,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        if table == Table::Inbox {
            drop(self.opened.wait_while(self.is_open.lock().unwrap(), |is_open| !*is_open).unwrap());
        }
        self.store.scan(table, prefix, after, limit)
    }
}

/// A system with an intake that is about to begin, and another process with the same store.
struct Scene {
    stage: Stage,
    store: Arc<Noting>,
    other: MemoryStore,
}

impl Scene {
    fn set() -> Self {
        let [store, other]: [MemoryStore; 2] =
            MemoryStore::shared(NonZeroUsize::new(1_000).unwrap(), 2).try_into().unwrap();
        let (is_open, made) = (Mutex::new(true), Mutex::default());
        let store = Arc::new(Noting { store, is_open, opened: Condvar::new(), made });
        let emulator = Emulator::start(EmulatorConfig::default()).unwrap();
        let journal = Journal::start(Arc::clone(&store) as Arc<dyn Store>, Retention::default()).unwrap();
        let builder = Tertulia::builder().platform(stage::platform(&emulator)).arbiters(NonZeroUsize::MIN);
        let tertulia = builder.journal(journal).start().unwrap();
        Self { stage: Stage::of(emulator, tertulia), store, other }
    }

    async fn connect(&self) {
        self.stage.tertulia.connect_intake(intake()).unwrap();
        self.stage.tertulia.connection(&"hook".into()).ready(PATIENCE).await.unwrap();
    }

    /// The other process accepts a webhook.
    fn accept(&self, id: &str, body: impl Into<Bytes>) {
        change(&self.other, Change::Put(Table::Inbox, Record::new(RecordKey::of(&["hook", id]), body)));
    }

    fn waiting(&self) -> usize {
        self.other.measure(Table::Inbox, &RecordKey::of(&["hook"]), usize::MAX).unwrap().0
    }

    async fn until_empty(&self) {
        let empty = async {
            while self.waiting() > 0 {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, empty).await.expect("webhooks stay in the inbox");
    }

    fn look(&self) {
        self.stage.tertulia.connection(&"hook".into()).look_into_inbox().unwrap();
    }

    async fn texts(&mut self, count: usize) -> Vec<String> {
        self.stage.texts(&"hook".into(), count).await
    }
}

fn message(conversation: &str, sequence: u64) -> String {
    let change = change_of(conversation, sequence);
    notification(vec![change], conversation).to_string()
}

fn change_of(conversation: &str, sequence: u64) -> Value {
    json!({
        "sequence": sequence, "originatorId": "ann", "originatorMetadata": {"id": "ann", "role": "CONSUMER"},
        "serverTimestamp": 1_000 + sequence, "dialogId": conversation, "conversationId": conversation,
        "event": {"type": "ContentEvent", "contentType": "text/plain", "message": format!("text {sequence}")}
    })
}

fn notification(changes: Vec<Value>, conversation: &str) -> Value {
    json!({"kind": "notification", "type": "ms.MessagingEventNotification", "body": {
        "dialogId": conversation, "conversationId": conversation, "changes": changes}})
}

/// The states of two conversations in one webhook.
fn states() -> String {
    let state = |id: &str| {
        json!({"type": "UPSERT", "result": {"convId": id, "lastContentEventNotification": null, "conversationDetails": {
            "convId": id, "state": "OPEN", "startTs": 1, "participants": [], "dialogs": []}}})
    };
    json!({"kind": "notification", "type": "cqm.ExConversationChangeNotification", "body": {
        "subscriptionId": "s", "changes": [state(FIRST), state(SECOND)]}})
    .to_string()
}

#[actix_rt::test]
async fn webhooks_accepted_before_the_start_are_handled_in_order() {
    let mut scene = Scene::set();
    for sequence in 0..200 {
        scene.accept(&format!("{sequence:03}"), message(FIRST, sequence));
    }
    scene.connect().await;
    let expected: Vec<String> = (0..200).map(|sequence| format!("text {sequence}")).collect();
    assert_eq!(scene.texts(200).await, expected);
    scene.until_empty().await;
    scene.stage.tertulia.stop(PATIENCE).await;
}

#[actix_rt::test]
async fn a_webhook_that_was_handled_already_changes_nothing() {
    let mut scene = Scene::set();
    scene.connect().await;
    scene.accept("1", message(FIRST, 0));
    scene.look();
    assert_eq!(scene.texts(1).await, ["text 0"]);
    scene.accept("2", message(FIRST, 0));
    scene.accept("3", message(FIRST, 1));
    scene.look();
    assert_eq!(scene.texts(1).await, ["text 1"]);
    scene.until_empty().await;
    scene.stage.tertulia.stop(PATIENCE).await;
}

#[actix_rt::test]
async fn what_a_webhook_brings_and_the_removal_of_its_record_are_one_commit() {
    let mut scene = Scene::set();
    scene.connect().await;
    scene.accept("1", message(FIRST, 0));
    scene.accept("2", states());
    scene.look();
    scene.texts(1).await;
    scene.until_empty().await;
    let made = scene.store.made.lock().unwrap().clone();
    let of = |id: &str| {
        let (events, _) = made.iter().find(|(_, removed)| removed.iter().any(|removed| removed == id)).unwrap();
        events.clone()
    };
    assert!(of("1").iter().any(|event| event == "message"), "{made:?}");
    assert!(of("2").iter().any(|event| event == "conversation"), "{made:?}");
    scene.stage.tertulia.stop(PATIENCE).await;
}

#[actix_rt::test]
async fn a_newer_webhook_waits_for_those_in_the_inbox() {
    let mut scene = Scene::set();
    scene.connect().await;
    let hook = scene.stage.tertulia.connection(&"hook".into());
    scene.until_empty().await;
    scene.store.open(false);
    scene.look();
    let refused = hook.receive_notification(message(FIRST, 1).into()).await;
    assert_eq!(refused, Err(ConnectionError::Overloaded("hook".into())));
    scene.accept("1", message(FIRST, 0));
    scene.store.open(true);
    assert_eq!(scene.texts(1).await, ["text 0"]);
    let newer = async {
        while hook.receive_notification(message(FIRST, 1).into()).await.is_err() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, newer).await.unwrap();
    assert_eq!(scene.texts(1).await, ["text 1"]);
    scene.stage.tertulia.stop(PATIENCE).await;
}

#[actix_rt::test]
async fn a_webhook_that_cannot_be_read_becomes_a_dead_letter_and_leaves_the_inbox() {
    let mut scene = Scene::set();
    scene.accept("1", "no notification");
    scene.accept("2", message(FIRST, 0));
    scene.connect().await;
    assert_eq!(scene.texts(1).await, ["text 0"]);
    scene.until_empty().await;
    let letters = scene.stage.tertulia.dead_letters().list(None, 10).await.unwrap();
    let bodies: Vec<&[u8]> = letters.iter().map(|letter| &letter.body[..]).collect();
    assert_eq!(bodies, [b"no notification"]);
    scene.stage.tertulia.stop(PATIENCE).await;
}

#[actix_rt::test]
async fn the_inbox_of_a_removed_connection_is_deleted() {
    let scene = Scene::set();
    scene.connect().await;
    scene.until_empty().await;
    scene.store.open(false);
    // While the inbox is being read, so that nothing of it is handled.
    scene.look();
    let hook = scene.stage.tertulia.connection(&"hook".into());
    for number in 0..100 {
        scene.accept(&format!("{number:03}"), message(FIRST, number));
    }
    let opening = async {
        while hook.status().is_some() {
            sleep(Duration::from_millis(5)).await;
        }
        scene.store.open(true);
    };
    let (removed, ()) = tokio::join!(hook.remove(), opening);
    removed.unwrap();
    assert_eq!(scene.waiting(), 0);
    scene.stage.tertulia.stop(PATIENCE).await;
}
