//! Two nodes on one database: what the right to a duty allows, and what a fence ends.

use std::thread;

use tertulia::{cluster::NodeTable as _, engine::postgres::PostgresParts};
use tertulia_actors::{
    core::{
        placement::{Acting, DutyName, FencingToken},
        tenure::Beat,
    },
    engine::{Cluster as _, Commit, CommitError, LeaseError, LoginName, Store as _, Table},
};

use super::{change, commit, new_events, put, put_new};
use crate::postgres::{Database, about};

fn duty() -> DutyName {
    DutyName::Connection("bots-1".into())
}

fn login() -> LoginName {
    LoginName { platform: "p".to_owned(), account: "1".into(), user: "bot1".to_owned() }
}

fn take(node: &PostgresParts) -> Acting {
    node.nodes.take(&[duty()]).unwrap().pop().unwrap()
}

fn claim(node: &PostgresParts, acting: &Acting) -> Result<u64, LeaseError> {
    let claimed = actix_rt::System::new().block_on(node.cluster.claim(acting, login()));
    // The right must outlast this function, so it is never returned.
    claimed.map(|lease| {
        let token = lease.token;
        std::mem::forget(lease);
        token
    })
}

/// Fences a node by its last beat.
fn fence(by: &PostgresParts, node: &PostgresParts) -> bool {
    let seen = by.nodes.beat(&about(), 0).unwrap();
    let beat = seen.nodes.into_iter().find(|row| row.name == *node.nodes.me()).unwrap().beat;
    by.nodes.fence(node.nodes.me(), beat).unwrap()
}

#[test]
fn a_fenced_node_writes_nothing_and_its_duty_is_free() {
    let database = Database::new();
    let (a, b) = (database.join("a"), database.join("b"));
    let theirs = take(&a);
    assert!(b.nodes.take(&[duty()]).unwrap().is_empty(), "its holder stands");
    change(&*a.store, vec![put(Table::Notes, &["a"], "before")]);
    assert!(fence(&b, &a));
    let late = Commit { number: 2, changes: vec![put(Table::Notes, &["a"], "late")], ..Commit::default() };
    assert!(matches!(a.store.commit(&late), Err(CommitError::Fenced)));
    assert!(!a.tenure.may_act());
    assert!(a.nodes.beat(&about(), 0).is_err() && a.nodes.take(&[duty()]).is_err());
    assert!(take(&b).token > theirs.token);
    assert_eq!(b.store.get(Table::Notes, &super::RecordKey::of(&["a"])).unwrap().unwrap(), "before");
}

#[test]
fn a_node_that_beat_again_is_not_fenced() {
    let database = Database::new();
    let (a, b) = (database.join("a"), database.join("b"));
    let seen = Beat { epoch: a.nodes.epoch(), number: 0 };
    a.nodes.beat(&about(), 0).unwrap();
    assert!(!b.nodes.fence(a.nodes.me(), seen).unwrap());
    commit(&*a.store, new_events(1..=1), Vec::new());
}

#[test]
fn a_commit_for_a_duty_of_another_holder_is_refused_whole() {
    let database = Database::new();
    let (a, b) = (database.join("a"), database.join("b"));
    let acting = take(&a);
    a.nodes.give_back(&acting).unwrap();
    take(&b);
    let changes = vec![put(Table::Notes, &["a"], "late")];
    let late = Commit { number: 1, acting: vec![acting], events: new_events(1..=1), changes };
    assert!(matches!(a.store.commit(&late), Err(CommitError::Lost(lost)) if lost == [duty()]));
    assert_eq!(b.store.events(0, 10).unwrap(), []);
    assert_eq!(b.store.get(Table::Notes, &super::RecordKey::of(&["a"])).unwrap(), None);
    // Nothing was written, so the number is free.
    let rest = Commit { acting: Vec::new(), ..late };
    assert_eq!(a.store.commit(&rest).unwrap().first, 1);
}

#[test]
fn an_outdated_right_to_a_duty_claims_no_login() {
    let database = Database::new();
    let (a, b) = (database.join("a"), database.join("b"));
    let outdated = take(&a);
    let first = claim(&a, &outdated).unwrap();
    a.nodes.give_back(&outdated).unwrap();
    let acting = take(&b);
    assert!(claim(&b, &acting).unwrap() > first, "the claim ended with its duty");
    assert!(matches!(claim(&a, &outdated), Err(LeaseError::Held { .. })));
    // Neither did it make the login free for a third connection.
    let other = a.nodes.take(&[DutyName::Connection("bots-2".into())]).unwrap().pop().unwrap();
    assert!(matches!(claim(&a, &other), Err(LeaseError::Held { .. })));
    let invented = Acting { duty: DutyName::Bulk, token: FencingToken(7) };
    assert!(matches!(claim(&a, &invented), Err(LeaseError::Held { .. })));
}

#[test]
fn a_record_is_new_to_one_of_two_nodes() {
    let database = Database::new();
    let nodes = [database.join("a"), database.join("b")];
    for round in 1..=20 {
        let key = round.to_string();
        let not_new = thread::scope(|scope| {
            let commits = nodes.each_ref().map(|node| {
                let key = key.as_str();
                scope.spawn(move || change(&*node.store, vec![put_new(Table::Notes, &[key], "1")]).not_new.len())
            });
            commits.map(|commit| commit.join().unwrap()).iter().sum::<usize>()
        });
        assert_eq!(not_new, 1);
    }
}

#[test]
fn readers_see_the_events_of_two_writers_without_a_hole() {
    let database = Database::new();
    let nodes = [database.join("a"), database.join("b")];
    const COMMITS: u64 = 100;
    thread::scope(|scope| {
        for node in &nodes {
            scope.spawn(|| (1..=COMMITS).for_each(|_| drop(commit(&*node.store, new_events(1..=3), Vec::new()))));
            scope.spawn(|| {
                let mut last = 0;
                while last < 6 * COMMITS {
                    for (offset, _) in node.store.events(last, 50).unwrap() {
                        assert_eq!(offset, last + 1);
                        last = offset;
                    }
                }
            });
        }
    });
}

#[test]
fn a_name_joins_again_with_another_epoch_after_it_left() {
    let database = Database::new();
    let first = database.join("a");
    first.nodes.leave().unwrap();
    let second = database.join("a");
    assert!(second.nodes.epoch() > first.nodes.epoch());
    let late = Commit { number: 1, ..Commit::default() };
    assert!(matches!(first.store.commit(&late), Err(CommitError::Fenced)));
    second.store.commit(&late).unwrap();
}

#[test]
fn nodes_that_open_an_empty_database_at_once_migrate_it_once() {
    let database = Database::new();
    let names = ["a", "b", "c"];
    let joined = thread::scope(|scope| {
        let database = &database;
        let nodes = names.map(|name| scope.spawn(move || database.join(name)));
        nodes.map(|node| node.join().unwrap())
    });
    let seen = joined[0].nodes.beat(&about(), 0).unwrap();
    assert_eq!(seen.nodes.len(), names.len());
}
