//! The dead letters, over a store in memory.

use std::pin::pin;

use super::*;
use crate::engine::{FaultyStore, StoreFault};

fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

fn letters(limits: DeadLetterLimits) -> DeadLetters {
    DeadLetters::new(limits, Arc::default(), Journal::forgetful()).unwrap()
}

/// The dead letters of a process over `store`.
fn letters_in(store: impl Store, limits: DeadLetterLimits) -> DeadLetters {
    let journal = Journal::start(Arc::new(store), Retention::default()).unwrap();
    DeadLetters::new(limits, Arc::default(), journal).unwrap()
}

fn put(letters: &DeadLetters, body: &[u8]) {
    letters.put(unhandled(&"bot-1".into(), body));
}

fn unhandled<'a>(connection: &'a ConnectionId, body: &'a [u8]) -> Unhandled<'a> {
    Unhandled { connection, conversation: None, kind: DeadLetterKind::State, reason: String::new(), body }
}

async fn listed(letters: &DeadLetters) -> Vec<DeadLetter> {
    letters.list(None, usize::MAX).await.unwrap()
}

async fn bodies(letters: &DeadLetters) -> Vec<Vec<u8>> {
    listed(letters).await.iter().map(|letter| letter.body.to_vec()).collect()
}

fn held(letters: &DeadLetters) -> i64 {
    letters.metrics.dead_letters_held.get()
}

#[tokio::test]
async fn the_newest_are_kept_by_number() {
    let letters = letters(DeadLetterLimits { letters: 2, ..DeadLetterLimits::default() });
    [b"1", b"2"].iter().for_each(|body| put(&letters, *body));
    letters.purge(now()).await.unwrap();
    assert_eq!((bodies(&letters).await.len(), held(&letters), letters.is_purge_due()), (2, 2, false));
    [b"3", b"4"].iter().for_each(|body| put(&letters, *body));
    assert!(letters.is_purge_due(), "as many new ones as are to be kept");
    assert_eq!(letters.purge(now()).await.unwrap(), 2);
    assert_eq!(bodies(&letters).await, [b"3", b"4"]);
    assert_eq!((letters.metrics.dead_letters.get(), held(&letters), letters.is_purge_due()), (4, 2, false));
}

#[tokio::test]
async fn the_newest_are_kept_by_bytes() {
    let probe = letters(DeadLetterLimits::default());
    put(&probe, b"12");
    let one = probe.lock().bytes;
    let letters = letters(DeadLetterLimits { bytes: 2 * one + one / 2, ..DeadLetterLimits::default() });
    [b"12", b"34"].iter().for_each(|body| put(&letters, *body));
    assert!(!letters.is_purge_due());
    put(&letters, b"56");
    assert!(letters.is_purge_due());
    letters.purge(now()).await.unwrap();
    assert_eq!(bodies(&letters).await, [b"34", b"56"]);
    put(&letters, &vec![b'7'; 3 * one]);
    letters.purge(now()).await.unwrap();
    assert!(bodies(&letters).await.is_empty(), "there is no room even for the newest");
    assert_eq!(held(&letters), 0);
}

#[test]
fn many_letters_do_not_wait_for_the_time_of_housekeeping() {
    let letters = letters(DeadLetterLimits::default());
    (1..MANY).for_each(|_| put(&letters, b""));
    assert!(!letters.is_purge_due());
    put(&letters, b"");
    assert!(letters.is_purge_due());
}

#[tokio::test]
async fn letters_within_the_limits_stay_whatever_is_written_meanwhile() {
    let [one, other]: [MemoryStore; 2] = MemoryStore::shared(NonZeroUsize::MIN, 2).try_into().unwrap();
    let limits = DeadLetterLimits { letters: 2, ..DeadLetterLimits::default() };
    let (one, other) = (letters_in(one, limits), letters_in(other, limits));
    put(&one, b"1");
    let sizes = one.measure().await.unwrap();
    // Neither is counted by the measure.
    put(&one, b"2");
    put(&other, b"3");
    other.settle().await;
    assert_eq!(sizes.len(), 1);
    one.show(sizes.len(), false);
    assert_eq!(held(&one), 2, "its own letter since then is counted");
    assert_eq!(bodies(&one).await, [b"1", b"2", b"3"], "and it lists those of other processes");
}

#[tokio::test]
async fn a_long_body_is_cut_and_says_so() {
    let letters = letters(DeadLetterLimits { body_bytes: 2, ..DeadLetterLimits::default() });
    put(&letters, b"123");
    put(&letters, b"12");
    let listed = listed(&letters).await;
    assert_eq!((&*listed[0].body, listed[0].is_cut), (&b"12"[..], true));
    assert_eq!((&*listed[1].body, listed[1].is_cut), (&b"12"[..], false));
}

#[tokio::test]
async fn letters_are_listed_in_pages_and_removed_by_id() {
    let letters = letters(DeadLetterLimits::default());
    [b"1", b"2", b"3", b"4"].iter().for_each(|body| put(&letters, *body));
    let page = letters.list(None, 2).await.unwrap();
    let next = async || letters.list(Some(&page[1].id), 1).await.unwrap().remove(0).body;
    assert_eq!(next().await, "3");
    assert_eq!(letters.remove(&page[1].id).await.unwrap().body, "2");
    assert_eq!(letters.remove(&page[1].id).await, Err(ReplayError::Unknown(page[1].id.clone())));
    assert_eq!(letters.get(&page[0].id).await.unwrap(), Some(page[0].clone()));
    assert_eq!(letters.get(&page[1].id).await.unwrap(), None);
    assert_eq!(next().await, "3", "a page continues after a removed letter");
    assert_eq!(letters.remove_all(&[page[0].id.clone(), page[1].id.clone()]).await, Ok(1));
    assert_eq!(bodies(&letters).await, [b"3", b"4"]);
    assert_eq!(held(&letters), 2);
}

#[tokio::test]
async fn more_letters_than_are_read_at_a_time_are_listed_in_order() {
    let letters = letters(DeadLetterLimits::default());
    let all: Vec<Vec<u8>> = (0..2 * PAGE + 1).map(|number| number.to_string().into_bytes()).collect();
    all.iter().for_each(|body| put(&letters, body));
    assert_eq!(bodies(&letters).await, all);
    for limit in [0, 1, PAGE, PAGE + 1, 2 * PAGE] {
        let some = letters.list(None, limit).await.unwrap();
        assert!(some.iter().map(|letter| &letter.body[..]).eq(all[..limit].iter().map(Vec::as_slice)));
    }
    assert_eq!(letters.measure().await.unwrap().len(), all.len());
}

#[tokio::test]
async fn what_cannot_be_read_fills_no_more_than_its_rate() {
    let limits = DeadLetterLimits { unreadable_per_second: NonZeroU32::MIN, ..DeadLetterLimits::default() };
    let (letters, connection) = (letters(limits), ConnectionId::from("bot-1"));
    (0..100).for_each(|_| letters.put_unreadable(unhandled(&connection, b"{")));
    let kept = bodies(&letters).await.len();
    assert!((1..100).contains(&kept), "{kept}");
}

#[tokio::test]
async fn a_letter_survives_being_written_and_read() {
    let letters = letters(DeadLetterLimits::default());
    put(&letters, &[0, 159, 146, 150]);
    let letter = listed(&letters).await.remove(0);
    assert_eq!(letter.body[..], [0, 159, 146, 150]);
    let text = serde_json::to_string(&letter).unwrap();
    assert_eq!(serde_json::from_str::<DeadLetter>(&text).unwrap(), letter);
}

#[tokio::test]
async fn letters_outlive_the_process_those_that_were_removed_or_pushed_out_do_not() {
    let [first, second]: [MemoryStore; 2] = MemoryStore::shared(NonZeroUsize::MIN, 2).try_into().unwrap();
    let limits = DeadLetterLimits { letters: 2, ..DeadLetterLimits::default() };
    let before = letters_in(first, limits);
    [b"1", b"2", b"3"].iter().for_each(|body| put(&before, *body));
    before.purge(now()).await.unwrap();
    before.remove(&listed(&before).await[0].id).await.unwrap();
    let left = listed(&before).await;
    drop(before);
    let after = letters_in(second, limits);
    assert_eq!(listed(&after).await, left);
    assert_eq!(bodies(&after).await, [b"3"]);
    after.count().await.unwrap();
    assert_eq!((held(&after), after.is_purge_due()), (1, false));
    [b"4", b"5"].iter().for_each(|body| put(&after, *body));
    after.count().await.unwrap();
    assert_eq!((held(&after), after.is_purge_due()), (3, true), "the count does not forget that there are too many");
}

#[tokio::test]
async fn a_letter_is_removed_once_that_is_durable() {
    let store = Arc::new(FaultyStore::new(StoreFault::None));
    let journal = Journal::start(Arc::clone(&store) as Arc<dyn Store>, Retention::default()).unwrap();
    let letters = DeadLetters::new(DeadLetterLimits::default(), Arc::default(), Arc::clone(&journal)).unwrap();
    put(&letters, b"1");
    let id = listed(&letters).await[0].id.clone();

    store.set(StoreFault::Refuses);
    let kept = || store.get(Table::DeadLetters, &id.record_key()).unwrap().is_some();
    let mut removing = pin!(letters.remove(&id));
    assert!(timeout(Duration::from_millis(20), &mut removing).await.is_err(), "nothing of it is durable");
    assert!(kept());
    store.set(StoreFault::None);
    assert_eq!(removing.await.unwrap().id, id);
    assert!(!kept());
    journal.close();
}
