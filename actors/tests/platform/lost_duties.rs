//! A connection ends as soon as a step of it is refused because its duty was taken again.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use tertulia_actors::{
    Tertulia,
    core::{id::ConnectionId, placement::DutyName},
    engine::{Change, Journal, MemoryStore, Record, RecordKey, Retention, Store, Table},
};
use tertulia_emulator::{Emulator, EmulatorConfig};
use tokio::time::{sleep, timeout};

use crate::stage::{PATIENCE, Stage, bot, platform};

/// A stage on one of two stores with the same content.
fn stage() -> (Stage, Arc<MemoryStore>) {
    let store = Arc::new(MemoryStore::shared(NonZeroUsize::new(10_000).unwrap(), 2).remove(0));
    let journal = Journal::start(Arc::clone(&store) as Arc<dyn Store>, Retention::default()).unwrap();
    let emulator = Emulator::start(EmulatorConfig::default()).unwrap();
    let builder = Tertulia::builder().platform(platform(&emulator)).arbiters(NonZeroUsize::MIN);
    (Stage::of(emulator, builder.journal(journal).start().unwrap()), store)
}

async fn until_ended(stage: &Stage, connection: &ConnectionId) {
    let ending = async {
        while stage.tertulia.connection(connection).status().is_some() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, ending).await.unwrap();
}

#[actix_rt::test]
async fn a_connection_whose_duty_is_lost_ends_and_another_goes_on() {
    let (mut stage, store) = stage();
    let lost = stage.bot().await;
    let conversation = stage.conversation(&lost).await;
    let kept = stage.connect(bot(2)).await;
    // The right that the connection shows is outdated from now on.
    let newer = store.cluster().take(DutyName::Connection(lost.clone())).await.unwrap();
    assert!(stage.tertulia.connection(&lost).status().is_some(), "it ends with its first refused step");
    stage.emulator.say(conversation.id().as_str(), "what the old holder may not keep").unwrap();
    until_ended(&stage, &lost).await;
    assert!(stage.tertulia.connection(&kept).status().unwrap().is_ready());
    // The end did not give the newer right back.
    let record = Record::new(RecordKey::of(&["a"]), Vec::new());
    stage.tertulia.journal().keep_for(Some(newer), vec![Change::Put(Table::Notes, record)]).await.unwrap();
    // The connection can run here again.
    stage.connect(bot(1)).await;
    assert!(stage.tertulia.connection(&lost).status().unwrap().is_ready());
}
