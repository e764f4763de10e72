//! The journal over stores that fail and stand still.

use std::{num::NonZeroUsize, sync::mpsc, time::Duration};

use futures_util::FutureExt as _;
use prometheus_client::{encoding::text::encode, registry::Registry};

use super::*;
use crate::engine::{FaultyStore, MemoryStore, Record, RecordKey, StoreFault, Table};

#[test]
fn a_step_that_no_store_accepts_holds_up_no_other_step() {
    let store = Arc::new(MemoryStore::new(NonZeroUsize::MIN));
    let journal = Journal::start(Arc::clone(&store) as Arc<dyn Store>, Retention::default()).unwrap();
    let (outcomes, kept) = mpsc::channel();
    let longest = "a".repeat(RecordKey::MAX_BYTES);
    for key in [RecordKey::of(&[&longest]), RecordKey::of(&[]), RecordKey::of(&["a"])] {
        let (outcomes, change) = (outcomes.clone(), Change::Put(Table::Notes, Record::new(key, "")));
        let then: AfterCommit = Box::new(move |outcome| outcomes.send(outcome.is_ok()).unwrap());
        journal.append(Step { changes: vec![change], then: Some(then), ..Step::default() });
    }
    let outcome = || kept.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!([outcome(), outcome(), outcome()], [false, false, true]);
    assert!(store.get(Table::Notes, &RecordKey::of(&["a"])).unwrap().is_some());
    journal.close();
}

/// An arbiter whose thread stands still misses its timers, so no number of waiting steps makes a caller wait.
#[test]
fn steps_are_appended_while_the_store_stands_still() {
    const STEPS: usize = 100_000;
    let store = Arc::new(FaultyStore::new(StoreFault::StandsStill));
    let journal = Journal::start(Arc::clone(&store) as Arc<dyn Store>, Retention::default()).unwrap();
    let (outcomes, kept) = mpsc::channel();
    let appending = {
        let journal = Arc::clone(&journal);
        let (appended, done) = mpsc::channel();
        thread::spawn(move || {
            for step in 0..STEPS {
                let outcomes = outcomes.clone();
                let change = Change::Put(Table::Notes, Record::new(RecordKey::of(&["newest"]), step.to_string()));
                let then: AfterCommit = Box::new(move |outcome| outcomes.send((step, outcome.is_ok())).unwrap());
                journal.append(Step { changes: vec![change], then: Some(then), ..Step::default() });
            }
            appended.send(()).unwrap();
        });
        done
    };
    let appended = appending.recv_timeout(Duration::from_secs(60));
    store.set(StoreFault::None);
    appended.expect("the caller waits for the store");
    let outcomes: Vec<(usize, bool)> = kept.iter().take(STEPS).collect();
    assert!(outcomes.into_iter().eq((0..STEPS).map(|step| (step, true))), "each is kept, in order");
    journal.close();
}

#[test]
fn each_commit_is_counted_with_its_steps() {
    let store = Arc::new(FaultyStore::new(StoreFault::StandsStill));
    let journal = Journal::start(Arc::clone(&store) as Arc<dyn Store>, Retention::default()).unwrap();
    let (outcomes, kept) = mpsc::channel();
    for number in 0..10 {
        let change = Change::Put(Table::Notes, Record::new(RecordKey::of(&["note", &number.to_string()]), ""));
        let outcomes = outcomes.clone();
        let then: AfterCommit = Box::new(move |outcome| outcomes.send(outcome.is_ok()).unwrap());
        journal.append(Step { changes: vec![change], then: Some(then), ..Step::default() });
    }
    store.set(StoreFault::None);
    assert!(kept.iter().take(10).all(|is_kept| is_kept));
    let (mut registry, mut text) = (Registry::default(), String::new());
    registry.register("steps", "Steps", journal.commit_steps().clone());
    encode(&mut text, &registry).unwrap();
    assert!(text.contains("\nsteps_sum 10.0\n"), "{text}");
    assert_eq!(journal.tail_lag(), None, "nobody else writes");
    journal.close();
}

/// A log whose newest events cannot be read is behind since it was last read, and is not when it can be read again.
#[test]
fn the_lag_of_the_log_is_the_time_since_readers_had_all_events() {
    let store = MemoryStore::shared(NonZeroUsize::MAX, 1).remove(0);
    let journal = Journal::start(Arc::new(store), Retention::default()).unwrap();
    let was_long_ago = Tenure::now().before(Duration::from_secs(100)).0;
    journal.shared.followed.store(was_long_ago, Ordering::Relaxed);
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while journal.tail_lag().unwrap() > Duration::from_secs(50) {
        assert!(std::time::Instant::now() < deadline, "it is never read");
        thread::yield_now();
    }
    journal.close();
    assert_eq!(journal.tail_lag(), None, "closed");
}

#[tokio::test]
async fn a_right_is_lost_with_the_first_step_that_is_refused() {
    let store = Arc::new(MemoryStore::new(NonZeroUsize::MIN));
    let journal = Journal::start(Arc::clone(&store) as Arc<dyn Store>, Retention::default()).unwrap();
    let take = async || journal.cluster().take(DutyName::Bulk).await.unwrap();
    let (older, newer) = (take().await, take().await);
    let other = journal.cluster().take(DutyName::Webhooks).await.unwrap();
    let keep = async |acting: &Acting| {
        let record = Record::new(RecordKey::of(&["a"]), Vec::new());
        journal.keep_for(Some(acting.clone()), vec![Change::Put(Table::Notes, record)]).await
    };
    for right in [&newer, &other] {
        keep(right).await.unwrap();
    }
    assert!(journal.until_lost(&older).now_or_never().is_none(), "nothing was refused yet");
    keep(&older).await.unwrap_err();
    journal.until_lost(&older).await;
    for right in [&newer, &other] {
        assert!(journal.until_lost(right).now_or_never().is_none());
    }
    journal.close();
}
