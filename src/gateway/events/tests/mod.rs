//! Event streams over a log in memory: what is sent to whom, and what happens to callers who do not read.

mod callers;
mod pieces;

use std::{num::NonZeroUsize, sync::Arc};

use tertulia_actors::{
    engine::{Journal, Loggable, MemoryStore, NewEvent, Retention, Step},
    subscriber::Filter,
};
use tokio_util::sync::CancellationToken;

use super::{
    following::{Ends, Following, Selection},
    query::Start,
};
use crate::reach::Reach;

/// An event of a log of the tests.
struct Said(NewEvent);

impl Loggable for Said {
    fn stored(&self) -> NewEvent {
        self.0.clone()
    }
}

/// A log that keeps `kept` events and contains one event for each text in `said`.
pub(super) async fn journal(kept: usize, said: &[&str]) -> Arc<Journal> {
    let store = MemoryStore::new(NonZeroUsize::new(kept).unwrap());
    let journal = Journal::start(Arc::new(store), Retention::default()).unwrap();
    say(&journal, said);
    assert!(journal.settled().await);
    journal
}

/// Appends messages of conversation `c`.
fn say(journal: &Journal, texts: &[&str]) {
    for text in texts {
        journal.append(Step { events: vec![event(text)], ..Step::default() });
    }
}

fn event(text: &str) -> Arc<dyn Loggable> {
    let json = serde_json::json!({ "data": text });
    Arc::new(Said(NewEvent {
        connection: "bots-1".into(),
        conversation: Some("c".into()),
        name: "message".into(),
        json: json.to_string().into(),
    }))
}

/// The event at `offset` as readers get it.
fn read_event(journal: &Journal, offset: u64, text: &str) -> String {
    format!(r#"{{"specversion":"1.0","id":"{}-{offset}","data":"{text}"}}"#, journal.epoch())
}

/// A caller's position from `start` on, and the token that stops the gateway.
fn following(journal: &Arc<Journal>, start: Start, filter: Filter) -> (Following, CancellationToken) {
    let closing = CancellationToken::new();
    let selection = Selection { filter, reach: Reach::EVERYTHING };
    let ends = Ends { gone: closing.child_token(), closing: closing.clone() };
    (Following::new(journal, start, selection, ends), closing)
}
