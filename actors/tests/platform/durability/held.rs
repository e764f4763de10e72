//! The store alone decides which stored conversations belong to a connection.

use serde_json::{Value, json};
use tertulia_actors::{
    conversation::ConversationFilter,
    engine::{Change, Record, RecordKey, Table},
};

use super::{Run, left::Left, never};

async fn listed(run: &Run) -> Vec<String> {
    let bot = run.tertulia.connection(&run.bot);
    let summaries = bot.summaries(&ConversationFilter::default(), None, 10).await.unwrap();
    summaries.into_iter().map(|summary| summary.id.to_string()).collect()
}

/// Another process may have taken or given a conversation, of which this process has not heard.
#[actix_rt::test]
async fn a_list_of_stored_conversations_has_those_that_the_store_calls_held() {
    let left = Left::by_a_run().await;
    let run = Run::begin(&left.emulator, &left.store, never);
    run.ready().await;
    run.tertulia.journal().settled().await;
    assert_eq!(listed(&run).await, [left.id.as_str()]);
    left.repair(&run, left.with("held", json!(false))).await;
    assert!(listed(&run).await.is_empty(), "this process still has it in memory");

    let mut other: Value = serde_json::from_slice(&left.value).unwrap();
    other["conversation"]["id"] = json!("another");
    let key = RecordKey::of(&[run.bot.as_str(), "another"]);
    let record = Record::new(key, serde_json::to_vec(&other).unwrap());
    run.tertulia.journal().keep(vec![Change::Put(Table::Snapshots, record)]).await.unwrap();
    assert_eq!(listed(&run).await, ["another"], "this process has never seen it");
    run.end().await;
}
