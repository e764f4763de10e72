//! Two journals on one log: their readers see all events once, in order, with the same ids.

use std::{
    num::NonZeroUsize,
    sync::{Arc, OnceLock},
    time::Duration,
};

use serde_json::Value;
use tertulia_actors::engine::{
    CommitError, Committed, Journal, LogBatch, Loggable, MemoryStore, NewEvent, Retention, Step, Store, StoredEvent,
};
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};

/// How long something may take that must happen.
const PATIENCE: Duration = Duration::from_secs(60);
/// Steps of each writer.
const STEPS: usize = 400;
/// Events of a step.
const TOGETHER: usize = 3;

/// An event of a writer, and where it is in the log once it is durable.
struct Said {
    writer: usize,
    number: usize,
    id: OnceLock<String>,
}

impl Loggable for Said {
    fn stored(&self) -> NewEvent {
        NewEvent {
            connection: format!("writer-{}", self.writer).into(),
            conversation: None,
            name: "message".into(),
            json: format!(r#"{{"writer":{},"number":{}}}"#, self.writer, self.number).into(),
        }
    }

    fn committed(&self, epoch: &Arc<str>, offset: u64) {
        self.id.set(format!("{epoch}-{offset}")).unwrap();
    }
}

/// Two journals on one log that keeps `window` events.
fn journals(window: usize) -> [Arc<Journal>; 2] {
    let stores: [MemoryStore; 2] = MemoryStore::shared(NonZeroUsize::new(window).unwrap(), 2).try_into().unwrap();
    stores.map(|store| Journal::start(Arc::new(store) as Arc<dyn Store>, Retention::default()).unwrap())
}

/// Appends the steps of a writer. Returns its events, and the outcomes of its steps.
type Outcome = oneshot::Receiver<Result<Committed, CommitError>>;

fn write(journal: &Journal, writer: usize) -> (Vec<Arc<Said>>, Vec<Outcome>) {
    let (mut said, mut outcomes) = (Vec::new(), Vec::new());
    for step in 0..STEPS {
        let events: Vec<_> = (0..TOGETHER)
            .map(|place| Arc::new(Said { writer, number: step * TOGETHER + place, id: OnceLock::new() }))
            .collect();
        said.extend(events.iter().cloned());
        let (reply, outcome) = oneshot::channel();
        outcomes.push(outcome);
        journal.append(Step {
            events: events.into_iter().map(|event| event as Arc<dyn Loggable>).collect(),
            then: Some(Box::new(move |outcome| drop(reply.send(outcome)))),
            ..Step::default()
        });
    }
    (said, outcomes)
}

/// Reads the events after `after` up to `last`.
fn read(journal: &Arc<Journal>, after: u64, last: u64) -> JoinHandle<Vec<Arc<StoredEvent>>> {
    let mut log = journal.reader(after);
    tokio::spawn(async move {
        let mut read = Vec::new();
        while log.after() < last {
            match timeout(PATIENCE, log.next()).await.unwrap().unwrap().unwrap() {
                LogBatch::Events(events) => read.extend(events),
                missing => panic!("{missing:?}"),
            }
        }
        read
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_of_both_see_all_events_once_in_order_and_with_the_same_ids() {
    let journals = journals(100_000);
    let newest = (2 * STEPS * TOGETHER) as u64;
    let readers: Vec<_> =
        journals.iter().flat_map(|journal| [read(journal, 0, newest), read(journal, 7, newest)]).collect();
    let writers: Vec<_> = [0, 1]
        .map(|writer| {
            let journal = Arc::clone(&journals[writer]);
            tokio::task::spawn_blocking(move || write(&journal, writer))
        })
        .into();
    let mut said = Vec::new();
    for writer in writers {
        let (events, outcomes) = writer.await.unwrap();
        for (outcome, events) in outcomes.into_iter().zip(events.chunks(TOGETHER)) {
            let first = timeout(PATIENCE, outcome).await.unwrap().unwrap().unwrap().first;
            for (offset, event) in (first..).zip(events) {
                assert_eq!(*event.id.get().unwrap(), format!("{}-{offset}", journals[0].epoch()));
            }
        }
        said.push(events);
    }
    let mut all = Vec::new();
    for reader in readers {
        all.push(reader.await.unwrap());
    }
    // One that begins when everything was written reads the same.
    for journal in &journals {
        all.push(read(journal, 0, newest).await.unwrap());
        assert_eq!(journal.newest(), newest);
    }
    for events in &all {
        assert_eq!(events.last(), all[0].last());
        assert_eq!(events[..], all[0][all[0].len() - events.len()..]);
    }
    assert!(all[0].iter().map(|event| event.offset).eq(1..=newest));
    let ids: Vec<Vec<String>> =
        said.iter().map(|events| events.iter().map(|event| event.id.get().unwrap().clone()).collect()).collect();
    let mut numbers = [0, 0];
    for event in &all[0] {
        let json: Value = serde_json::from_slice(&event.json).unwrap();
        assert_eq!(
            (&json["specversion"], &json["id"]),
            (&"1.0".into(), &format!("{}-{}", journals[0].epoch(), event.offset).into())
        );
        let writer = usize::try_from(json["writer"].as_u64().unwrap()).unwrap();
        assert_eq!(json["number"], numbers[writer], "the events of writer {writer} are in the order of its steps");
        assert_eq!(json["id"], ids[writer][numbers[writer]]);
        numbers[writer] += 1;
    }
    assert_eq!(numbers, [STEPS * TOGETHER; 2]);
}

/// What one journal forgot, no reader of the other waits for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_passes_what_the_other_journal_pushed_out() {
    let journals = journals(10);
    let (_, outcomes) = write(&journals[0], 0);
    for outcome in outcomes {
        timeout(PATIENCE, outcome).await.unwrap().unwrap().unwrap();
    }
    let newest = (STEPS * TOGETHER) as u64;
    let (mut log, mut passed, mut read) = (journals[1].reader(0), 0, Vec::new());
    while log.after() < newest {
        match timeout(PATIENCE, log.next()).await.unwrap().unwrap().unwrap() {
            LogBatch::Events(events) => read.extend(events.iter().map(|event| event.offset)),
            LogBatch::Forgotten { events } => passed += events,
            LogBatch::Damaged { events } => panic!("{events} are damaged"),
        }
    }
    assert_eq!(passed + read.len() as u64, newest);
    assert!(read.is_sorted() && read.ends_with(&[newest]), "{read:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_closed_leaves_the_other_alone() {
    let [one, other] = journals(100_000);
    let (_, outcomes) = write(&one, 0);
    one.close();
    for outcome in outcomes {
        outcome.await.unwrap().unwrap();
    }
    let (_, outcomes) = write(&other, 1);
    for outcome in outcomes {
        timeout(PATIENCE, outcome).await.unwrap().unwrap().unwrap();
    }
    let newest = (2 * STEPS * TOGETHER) as u64;
    assert!(read(&other, 0, newest).await.unwrap().iter().map(|event| event.offset).eq(1..=newest));
}

/// A caller may bring a cursor from another process, which is ahead of what this one has seen.
#[tokio::test]
async fn an_offset_that_another_process_gave_out_is_waited_for() {
    let [one, other] = journals(10_000);
    let (_, outcomes) = write(&one, 0);
    let mut last = 0;
    for outcome in outcomes {
        let committed = outcome.await.unwrap().unwrap();
        last = committed.first + TOGETHER as u64 - 1;
    }
    assert!(other.reaches(last, PATIENCE).await);
    assert!(!other.reaches(last + 1, Duration::from_millis(1)).await);
}
