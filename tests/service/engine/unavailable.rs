//! A store that makes no commit for a while: every step waits, is kept once and hears its outcome once.

use std::{
    sync::{Arc, Condvar, Mutex, mpsc},
    thread,
    time::Duration,
};

use bytes::Bytes;
use tertulia_actors::{
    core::time::Timestamp,
    engine::{
        Change, Cluster, Commit, CommitError, Committed, History, Journal, Loggable, MemoryStore, NewEvent, Record,
        RecordKey, Retention, Step, Store, StoreError, Table,
    },
};

use super::memory_store;

/// How long something may take that must happen.
const PATIENCE: Duration = Duration::from_secs(60);
/// Threads that append.
const WRITERS: u64 = 4;
/// Steps of each thread.
const STEPS: u64 = 300;

/// What happens to a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Made,
    /// It is not made.
    Refused,
    /// It is made, and its caller hears an error.
    Unheard,
    /// It waits until this is changed.
    Held,
}

/// Decides what happens to a commit.
type Decide = Box<dyn Fn(&Commit) -> Fate + Send>;

/// A store that makes commits only when it may.
struct Faulty {
    store: MemoryStore,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    decide: Decide,
    /// The number of commits that began, and that failed.
    begun: usize,
    failed: usize,
}

impl Faulty {
    fn new(decide: impl Fn(&Commit) -> Fate + Send + 'static) -> Arc<Self> {
        let state = State { decide: Box::new(decide), begun: 0, failed: 0 };
        Arc::new(Self { store: memory_store(), state: Mutex::new(state), changed: Condvar::new() })
    }

    fn decide(&self, decide: impl Fn(&Commit) -> Fate + Send + 'static) {
        self.state.lock().unwrap().decide = Box::new(decide);
        self.changed.notify_all();
    }

    /// Waits until `is_so`.
    fn wait(&self, is_so: impl Fn(&State) -> bool) {
        let state = self.state.lock().unwrap();
        let (_state, waited) = self.changed.wait_timeout_while(state, PATIENCE, |state| !is_so(state)).unwrap();
        assert!(!waited.timed_out());
    }
}

impl Store for Faulty {
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
        let mut state = self.state.lock().unwrap();
        state.begun += 1;
        self.changed.notify_all();
        let mut state = self.changed.wait_while(state, |state| (state.decide)(commit) == Fate::Held).unwrap();
        let fate = (state.decide)(commit);
        let made = if fate == Fate::Refused { None } else { Some(self.store.commit(commit)?) };
        match made {
            Some(committed) if fate == Fate::Made => Ok(committed),
            _ => {
                state.failed += 1;
                self.changed.notify_all();
                Err(StoreError::new("commit", "no space left on the device").into())
            }
        }
    }

    fn events(&self, after: u64, limit: usize) -> Result<Vec<(u64, NewEvent)>, StoreError> {
        self.store.events(after, limit)
    }

    fn keep_house(&self, now: Timestamp, oldest: u64, letters: usize) -> Result<usize, StoreError> {
        self.store.keep_house(now, oldest, letters)
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
        self.store.scan(table, prefix, after, limit)
    }
}

/// The event of a step.
struct Said {
    text: String,
    padding: usize,
}

impl Loggable for Said {
    fn stored(&self) -> NewEvent {
        NewEvent {
            connection: self.text.clone().into(),
            conversation: None,
            name: "message".into(),
            json: "x".repeat(self.padding).into(),
        }
    }
}

/// What the steps heard: their names and outcomes.
type Heard = mpsc::Receiver<(String, Result<Committed, CommitError>)>;

/// Appends a step with the event `text`, and a record with this key that is new.
fn say(
    journal: &Journal,
    text: String,
    padding: usize,
    heard: &mpsc::Sender<(String, Result<Committed, CommitError>)>,
) {
    let heard = heard.clone();
    let changes = vec![Change::PutNew(Table::Notes, Record::new(RecordKey::of(&[&text]), "x"))];
    let events: Vec<Arc<dyn Loggable>> = vec![Arc::new(Said { text: text.clone(), padding })];
    let then = Box::new(move |outcome| heard.send((text, outcome)).unwrap());
    journal.append(Step { events, changes, then: Some(then), ..Step::default() });
}

fn start(store: &Arc<Faulty>) -> Arc<Journal> {
    Journal::start(Arc::clone(store) as Arc<dyn Store>, Retention::default()).unwrap()
}

/// The events in the store, by what they say.
fn said(store: &Faulty) -> Vec<String> {
    store.events(0, usize::MAX).unwrap().into_iter().map(|(_, event)| event.connection.to_string()).collect()
}

#[test]
fn steps_are_kept_once_and_in_order_once_the_store_is_back() {
    let store = Faulty::new(|_| Fate::Made);
    let journal = start(&store);
    let (sender, heard): (_, Heard) = mpsc::channel();
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (journal, sender) = (&journal, sender.clone());
            scope.spawn(move || (0..STEPS).for_each(|step| say(journal, format!("{writer}/{step}"), 1, &sender)));
        }
        for fate in [Fate::Refused, Fate::Unheard] {
            let before = store.state.lock().unwrap().failed;
            store.decide(move |_| fate);
            // The journal always commits something, although all threads may have appended everything.
            say(&journal, format!("{fate:?}"), 1, &sender);
            store.wait(|state| state.failed >= before + 2);
            assert!(!journal.is_healthy());
            store.decide(|_| Fate::Made);
        }
    });
    drop(sender);
    let mut outcomes: Vec<_> = (0..WRITERS * STEPS + 2).map(|_| heard.recv_timeout(PATIENCE).unwrap()).collect();
    assert!(journal.is_healthy());
    journal.close();
    // The channel ends when every step has heard its outcome or was dropped.
    outcomes.extend(heard);

    let said = said(&store);
    assert_eq!(said.len() as u64, WRITERS * STEPS + 2);
    for writer in 0..WRITERS {
        let own = said.iter().filter(|text| text.starts_with(&format!("{writer}/")));
        assert!(own.eq(&(0..STEPS).map(|step| format!("{writer}/{step}")).collect::<Vec<_>>()));
    }
    assert_eq!(outcomes.iter().map(|(text, _)| text).collect::<Vec<_>>(), said.iter().collect::<Vec<_>>());
    for (offset, (text, outcome)) in (1..).zip(outcomes) {
        let expected = Committed { first: offset, not_new: Vec::new() };
        assert_eq!(outcome.unwrap(), expected, "{text}");
    }
}

#[test]
fn a_journal_that_is_closed_meanwhile_tells_each_step_an_error() {
    let store = Faulty::new(|_| Fate::Refused);
    let journal = start(&store);
    let (sender, heard): (_, Heard) = mpsc::channel();
    for step in 0..STEPS {
        say(&journal, step.to_string(), 1, &sender);
    }
    store.wait(|state| state.failed > 0);
    journal.close();
    say(&journal, "late".to_owned(), 1, &sender);
    drop(sender);
    let heard: Vec<_> = heard.into_iter().collect();
    let expected = (0..STEPS).map(|step| step.to_string()).chain(["late".to_owned()]);
    assert!(heard.iter().map(|(text, _)| text.clone()).eq(expected));
    assert!(heard.iter().all(|(_, outcome)| outcome.is_err()));
    assert_eq!((store.history().newest, said(&store)), (0, Vec::new()));
    assert_eq!(store.scan(Table::Notes, &RecordKey::of(&[]), None, 1).unwrap(), []);
}

/// Otherwise the log would have a hole where the refused step was.
#[test]
fn no_step_is_kept_after_one_that_was_given_up() {
    let store = Faulty::new(|_| Fate::Held);
    let journal = start(&store);
    let (sender, heard): (_, Heard) = mpsc::channel();
    say(&journal, "first".to_owned(), 1, &sender);
    store.wait(|state| state.begun == 1);
    // The writer takes these together, and commits each large one on its own.
    for text in ["large", "also large", "small"] {
        say(&journal, text.to_owned(), if text == "small" { 1 } else { 5 << 20 }, &sender);
    }
    drop(sender);
    let is_large = |commit: &Commit| commit.events.iter().any(|event| &*event.connection == "large");
    store.decide(move |commit| if is_large(commit) { Fate::Refused } else { Fate::Made });
    store.wait(|state| state.failed > 0);
    journal.close();
    let heard: Vec<_> = heard.into_iter().map(|(text, outcome)| (text, outcome.is_ok())).collect();
    let heard: Vec<_> = heard.iter().map(|(text, is_kept)| (&**text, *is_kept)).collect();
    assert_eq!(heard, [("first", true), ("large", false), ("also large", false), ("small", false)]);
    assert_eq!(said(&store), ["first"]);
}
