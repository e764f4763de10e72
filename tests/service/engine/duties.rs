//! Duties: what is written for one is kept only with the newest right to it.

use std::{num::NonZeroUsize, sync::Arc};

use tertulia_actors::{
    core::{
        placement::{Acting, DutyName},
        tenure::Standing,
    },
    engine::{Change, ClusterError, Commit, CommitError, Journal, MemoryStore, RecordKey, Retention, Store, Table},
};

use super::{event, new_events, put};

promises!(
    what_is_written_for_a_duty_needs_the_newest_right_to_it,
    a_commit_that_was_made_is_answered_although_the_duty_was_lost_since,
    a_process_whose_right_to_act_is_over_writes_nothing,
);

/// Takes a duty.
fn take(store: &dyn Store, duty: DutyName) -> Acting {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store.cluster().take(duty)).unwrap()
}

fn next(store: &dyn Store, acting: &[Acting]) -> Commit {
    let (number, acting) = (store.last_commit() + 1, acting.to_vec());
    Commit { number, acting, events: new_events([1]), changes: vec![put(Table::Notes, &["a"], "1")] }
}

fn what_is_written_for_a_duty_needs_the_newest_right_to_it(store: &impl Store) {
    let (bulk, first) = (take(store, DutyName::Bulk), take(store, DutyName::Connection("bot".into())));
    let newer = take(store, DutyName::Connection("bot".into()));
    assert!(newer.token > first.token);
    let before = store.history();
    for late in [vec![first.clone()], vec![bulk.clone(), first]] {
        let error = store.commit(&next(store, &late)).unwrap_err();
        assert!(matches!(&error, CommitError::Lost(lost) if *lost == [newer.duty.clone()]), "{error}");
    }
    assert_eq!(store.history(), before);
    assert_eq!(store.get(Table::Notes, &RecordKey::of(&["a"])).unwrap(), None);
    store.commit(&next(store, &[bulk, newer])).unwrap();
    assert_eq!(store.events(0, 10).unwrap(), [(1, event(1))]);
}

fn a_commit_that_was_made_is_answered_although_the_duty_was_lost_since(store: &impl Store) {
    let acting = take(store, DutyName::Bulk);
    let commit = next(store, std::slice::from_ref(&acting));
    let made = store.commit(&commit).unwrap();
    take(store, DutyName::Bulk);
    assert_eq!(store.commit(&commit).unwrap(), made);
    assert!(matches!(store.commit(&next(store, &[acting])), Err(CommitError::Lost(_))));
}

fn a_process_whose_right_to_act_is_over_writes_nothing(store: &impl Store) {
    let acting = take(store, DutyName::Bulk);
    store.commit(&next(store, std::slice::from_ref(&acting))).unwrap();
    let before = store.history();
    store.cluster().tenure().fenced();
    for acting in [vec![], vec![acting]] {
        let change = vec![put(Table::Notes, &["a"], "2")];
        let commit = Commit { number: store.last_commit() + 1, acting, events: new_events([2]), changes: change };
        let refused = store.commit(&commit);
        assert!(matches!(refused, Err(CommitError::Fenced)), "{refused:?}");
    }
    assert_eq!(store.history(), before);
    assert_eq!(store.get(Table::Notes, &RecordKey::of(&["a"])).unwrap().unwrap(), "1");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert!(matches!(runtime.block_on(store.cluster().take(DutyName::Bulk)), Err(ClusterError::Fenced)));
}

/// A node that was fenced writes nothing any more, with whatever right.
#[test]
fn a_fenced_node_writes_nothing() {
    let [mine, theirs] = <[_; 2]>::try_from(MemoryStore::shared(NonZeroUsize::MAX, 2)).unwrap();
    let acting = take(&mine, DutyName::Webhooks);
    let standing = mine.cluster().tenure().standing();
    theirs.fence(&mine);
    assert_eq!(*standing.borrow(), Standing::Over);
    for acting in [vec![], vec![acting]] {
        let refused = mine.commit(&next(&mine, &acting));
        assert!(matches!(refused, Err(CommitError::Fenced)), "{refused:?}");
    }
    let acting = take(&theirs, DutyName::Webhooks);
    theirs.commit(&next(&theirs, &[acting])).unwrap();
}

/// Steps of a lost duty are refused, and those around them are kept in their order.
#[tokio::test]
async fn the_steps_of_a_lost_duty_are_refused_and_the_others_kept() {
    let store = Arc::new(super::memory_store());
    let journal = Journal::start(Arc::clone(&store) as Arc<dyn Store>, Retention::default()).unwrap();
    let cluster = journal.cluster();
    let connection = |id: &str| DutyName::Connection(id.into());
    let (lost, kept) = (cluster.take(connection("a")).await.unwrap(), cluster.take(connection("b")).await.unwrap());
    let newer = cluster.take(connection("a")).await.unwrap();
    let write = |acting: Option<&Acting>, name: &str| {
        let record = super::Record::new(RecordKey::of(&[name]), name.to_owned());
        journal.keep_for(acting.cloned(), vec![Change::PutNew(Table::Notes, record)])
    };
    // Appended at once, so that they are committed together.
    let outcomes = [
        write(Some(&kept), "1"),
        write(Some(&lost), "2"),
        write(None, "3"),
        write(Some(&newer), "4"),
        write(Some(&lost), "5"),
    ];
    let mut heard = Vec::new();
    for outcome in outcomes {
        heard.push(match outcome.await {
            Ok(committed) => committed.not_new.is_empty(),
            Err(CommitError::Lost(duties)) => {
                assert_eq!(duties, [connection("a")]);
                false
            }
            Err(error) => panic!("{error}"),
        });
    }
    assert_eq!(heard, [true, false, true, true, false]);
    let there = |name: &&str| store.get(Table::Notes, &RecordKey::of(&[name])).unwrap().is_some();
    assert_eq!(["1", "2", "3", "4", "5"].into_iter().filter(there).collect::<Vec<_>>(), ["1", "3", "4"]);
    journal.close();
}
