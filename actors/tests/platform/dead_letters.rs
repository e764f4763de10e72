//! The dead letters of a running system, with and without a store.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use tertulia_actors::{
    Tertulia,
    dead_letters::{DeadLetterLimits, ReplayError},
    engine::{Journal, MemoryStore, Retention},
    supervision::SupervisionSettings,
};
use tokio::time::{sleep, timeout};

use crate::stage::PATIENCE;

const LIMIT: usize = 3;

fn start(journal: Option<Arc<Journal>>) -> Tertulia {
    let dead_letters = DeadLetterLimits { letters: LIMIT, ..DeadLetterLimits::default() };
    let supervision = SupervisionSettings { dead_letters, ..SupervisionSettings::default() };
    let builder = Tertulia::builder().arbiters(NonZeroUsize::MIN).supervision(supervision);
    let builder = match journal {
        Some(journal) => builder.journal(journal),
        None => builder,
    };
    builder.start().unwrap()
}

fn put(tertulia: &Tertulia, body: &str) {
    tertulia.dead_letters().put_undelivered("sink", &"bots-1".into(), None, "refused".to_owned(), body.as_bytes());
}

async fn bodies(tertulia: &Tertulia) -> Vec<String> {
    let letters = tertulia.dead_letters().list(None, usize::MAX).await.unwrap();
    letters.iter().map(|letter| String::from_utf8_lossy(&letter.body).into_owned()).collect()
}

async fn until_held(tertulia: &Tertulia, letters: i64) {
    let held = || tertulia.metrics().dead_letters_held.get();
    let reached = async {
        while held() != letters {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("{} letters are held", held()));
}

#[actix_rt::test]
async fn many_letters_at_once_are_reduced_to_the_newest_before_it_is_time() {
    let store = Arc::new(MemoryStore::new(NonZeroUsize::MIN));
    for journal in [None, Some(Journal::start(store, Retention::default()).unwrap())] {
        let tertulia = start(journal);
        (0..10).for_each(|number| put(&tertulia, &number.to_string()));
        until_held(&tertulia, 3).await;
        assert_eq!(bodies(&tertulia).await, ["7", "8", "9"]);
        tertulia.stop(PATIENCE).await;
    }
}

#[actix_rt::test]
async fn processes_with_the_same_store_have_the_same_letters() {
    let stores: [MemoryStore; 2] = MemoryStore::shared(NonZeroUsize::MIN, 2).try_into().unwrap();
    let journals = stores.map(|store| Journal::start(Arc::new(store), Retention::default()).unwrap());
    let [one, other] = journals.map(|journal| start(Some(journal)));
    put(&one, "1");
    assert_eq!(bodies(&one).await, ["1"]);
    put(&other, "2");
    assert_eq!(bodies(&other).await, ["1", "2"]);
    let first = one.dead_letters().list(None, 1).await.unwrap().remove(0);
    other.dead_letters().remove(&first.id).await.unwrap();
    assert_eq!(one.dead_letters().remove(&first.id).await, Err(ReplayError::Unknown(first.id)));
    assert_eq!(bodies(&one).await, ["2"]);
    one.stop(PATIENCE).await;
    other.stop(PATIENCE).await;
}

#[actix_rt::test]
async fn the_letters_of_the_run_before_are_counted() {
    let stores = MemoryStore::shared(NonZeroUsize::MIN, 2).into_iter();
    let mut journals = stores.map(|store| Journal::start(Arc::new(store), Retention::default()).unwrap());
    let before = start(journals.next());
    put(&before, "1");
    assert_eq!(bodies(&before).await, ["1"]);
    before.stop(PATIENCE).await;
    let after = start(journals.next());
    put(&after, "2");
    until_held(&after, 2).await;
    after.stop(PATIENCE).await;
}
