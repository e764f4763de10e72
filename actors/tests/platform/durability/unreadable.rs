//! A conversation whose record cannot be read is refused: its events are not numbered from 1 again.

use serde_json::{Value, json};
use tertulia_actors::{
    conversation::ConversationError,
    core::id::ConversationId,
    engine::{Change, Table},
};
use tokio::time::timeout;

use super::{Run, assert_whole, left::Left, never, says, texts};
use crate::stage::PATIENCE;

impl Left {
    /// Begins the next run, in which the conversation is quarantined, for a reason that has `why`. Nothing is
    /// published of the conversation, and another conversation is served.
    async fn refused(&self, why: &str) -> Run {
        let id = ConversationId::from(self.id.as_str());
        let run = Run::begin(&self.emulator, &self.store, never);
        run.ready().await;
        self.emulator.say(&self.id, "1").unwrap();
        let is_it =
            |event: &Value| event["subject"] == *self.id && event["type"] == "tertulia.conversation-quarantined";
        run.log_until(is_it).await;
        let other = self.emulator.create_conversation(None, None);
        self.emulator.say(&other, "other").unwrap();
        let log = run.log_until(says("other")).await;
        assert_eq!(texts(&log), ["0", "other"]);
        assert_whole(&log);

        let bot = run.tertulia.connection(&run.bot);
        let quarantined = bot.quarantined().await;
        assert_eq!((quarantined.len(), &quarantined[0].conversation), (1, &id));
        assert!(quarantined[0].reason.contains(why), "{}", quarantined[0].reason);
        let sent = bot.conversation(&id).unwrap().send_text("nobody takes it").await;
        assert_eq!(sent.unwrap_err(), ConversationError::Quarantined);
        assert!(bot.status().unwrap().is_ready());
        run
    }

    async fn release(&self, run: &Run) {
        run.tertulia.connection(&run.bot).release(&self.id.as_str().into()).await.unwrap();
    }
}

#[actix_rt::test]
async fn a_record_of_a_newer_version_is_refused_and_continues_once_it_can_be_read() {
    let left = Left::by_a_run().await;
    let newer = left.spoil("version", json!(2));
    let run = left.refused("of version 2").await;
    // Released too early.
    left.release(&run).await;
    let again = async {
        while run.tertulia.connection(&run.bot).quarantined().await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, again).await.unwrap();
    assert_eq!(left.record(), Some(newer), "the record must stay as it is");

    left.repair(&run, left.value.clone()).await;
    left.release(&run).await;
    let log = run.log_until(says("1")).await;
    assert_eq!(texts(&log), ["0", "other", "1"]);
    assert_whole(&log);
    run.end().await;
}

#[actix_rt::test]
async fn a_record_that_shows_only_when_it_is_loaded_that_it_cannot_be_read_is_refused() {
    let left = Left::by_a_run().await;
    left.spoil("sequence", json!("many"));
    let run = left.refused("many").await;
    left.repair(&run, left.value.clone()).await;
    left.release(&run).await;
    let log = run.log_until(says("1")).await;
    assert_whole(&log);
    run.end().await;
}

#[actix_rt::test]
async fn a_conversation_without_its_unreadable_record_is_let_in_as_new() {
    let left = Left::by_a_run().await;
    left.write(b"no record".to_vec());
    let run = left.refused("stored state cannot be read").await;
    let removal = Change::Remove(Table::Snapshots, left.key.clone());
    run.tertulia.journal().keep(vec![removal]).await.unwrap();
    left.release(&run).await;
    let log = run.log_until(says("1")).await;
    let of_it = log.iter().filter(|event| event["subject"] == *left.id && event["sequence"] == "1");
    assert_eq!(of_it.count(), 2, "numbered from 1 again only because an operator removed the record");
    run.end().await;
}
