//! What several nodes on one database rely on.

use std::{
    sync::{Arc, Barrier},
    thread,
    time::Duration,
};

use futures_util::FutureExt as _;
use secrecy::ExposeSecret as _;
use tertulia::{
    cluster::{NodeTable, NodeTableError},
    demo::TemporaryPostgres,
    engine::postgres::{self, OpenError, PostgresParts},
};
use tertulia_actors::{
    core::{
        placement::{Acting, Assignment, DutyName},
        tenure::{Beat, Standing},
    },
    engine::{Change, Cluster, Commit, CommitError, LeaseError, LoginName, Store, Table},
};

use super::{append, change, event, events, put, put_new};
use crate::postgres::{Database, about, engine};

/// Fences a node by its newest beat.
fn fence(by: &PostgresParts, node: &PostgresParts) -> bool {
    let seen = by.nodes.beat(&about(), 0).unwrap();
    let row = seen.nodes.into_iter().find(|row| row.name == *node.nodes.me()).unwrap();
    by.nodes.fence(&row.name, row.beat).unwrap()
}

fn take(node: &PostgresParts, duty: &DutyName) -> Option<Acting> {
    node.nodes.take(std::slice::from_ref(duty)).unwrap().pop()
}

fn next(node: &PostgresParts, acting: &[Acting]) -> Commit {
    Commit {
        number: node.store.last_commit() + 1,
        acting: acting.to_vec(),
        events: vec![event(1)],
        ..Commit::default()
    }
}

fn bot() -> DutyName {
    DutyName::Connection("bots-1".into())
}

#[test]
fn a_fenced_node_commits_nothing_and_its_duties_are_free() {
    let database = Database::new();
    let (a, b) = (database.join("a"), database.join("b"));
    let acting = take(&a, &bot()).unwrap();
    assert_eq!(take(&b, &bot()), None);
    a.store.commit(&next(&a, std::slice::from_ref(&acting))).unwrap();
    assert!(fence(&b, &a));
    assert!(!b.nodes.fence(a.nodes.me(), Beat { epoch: a.nodes.epoch(), number: 0 }).unwrap(), "it is fenced already");
    for acting in [vec![acting], Vec::new()] {
        assert!(matches!(a.store.commit(&next(&a, &acting)), Err(CommitError::Fenced)));
    }
    assert_eq!(*a.tenure.standing().borrow(), Standing::Over);
    assert!(matches!(a.nodes.beat(&about(), 0), Err(NodeTableError::Fenced)));
    let theirs = take(&b, &bot()).unwrap();
    b.store.commit(&next(&b, &[theirs])).unwrap();
    assert_eq!(b.store.events(0, 10).unwrap(), [(1, event(1)), (2, event(1))]);
}

/// A beat that arrives first makes a fence fail.
#[test]
fn a_node_that_beats_again_is_not_fenced() {
    let database = Database::new();
    let (a, b) = (database.join("a"), database.join("b"));
    let seen = b.nodes.beat(&about(), 0).unwrap();
    let old = seen.nodes.iter().find(|row| row.name == *a.nodes.me()).unwrap().beat;
    a.nodes.beat(&about(), 0).unwrap();
    assert!(!b.nodes.fence(a.nodes.me(), old).unwrap());
    a.store.commit(&next(&a, &[])).unwrap();
}

/// Whoever takes a duty reads everything that its last holder was told is durable: a fence waits for a commit that is being
/// made, and a commit that comes behind the fence is refused.
#[test]
fn commits_and_a_fence_at_the_same_time_have_an_order() {
    let database = Database::new();
    let (a, b) = (database.join("a"), database.join("b"));
    let begun = Arc::new(Barrier::new(2));
    let committing = thread::spawn({
        let begun = Arc::clone(&begun);
        move || {
            let mut made = 0;
            loop {
                if made == 5 {
                    begun.wait();
                }
                match a.store.commit(&next(&a, &[])) {
                    Ok(_) => made += 1,
                    Err(CommitError::Fenced) => return (a, made),
                    Err(error) => panic!("{error}"),
                }
            }
        }
    });
    begun.wait();
    let seen = b.nodes.beat(&about(), 0).unwrap();
    let row = seen.nodes.into_iter().find(|row| row.name.as_str() == "a").unwrap();
    assert!(b.nodes.fence(&row.name, row.beat).unwrap());
    let read = b.store.newer(0, Duration::ZERO).unwrap();
    let (_, made) = committing.join().unwrap();
    assert_eq!((read, b.store.newer(0, Duration::ZERO).unwrap()), (made, made));
}

#[test]
fn two_writers_leave_no_hole_and_a_reader_sees_none() {
    const COMMITS: u64 = 150;
    let database = Database::new();
    let [a, b, reader] = ["a", "b", "c"].map(|name| database.join(name));
    let writing = [a, b].map(|node| {
        thread::spawn(move || {
            for _ in 0..COMMITS {
                append(&*node.store, [1, 2]);
            }
            node
        })
    });
    let mut seen = 0;
    while seen < COMMITS * 4 {
        let newest = reader.store.newer(seen, Duration::from_secs(20)).unwrap();
        assert!(newest > seen, "an event in time");
        for (offset, _) in reader.store.events(seen, usize::MAX).unwrap() {
            assert_eq!(offset, seen + 1);
            seen = offset;
        }
    }
    for writer in writing {
        writer.join().unwrap();
    }
    assert_eq!(reader.store.newer(0, Duration::ZERO).unwrap(), COMMITS * 4);
}

#[test]
fn a_record_that_two_nodes_write_at_once_is_new_for_one() {
    let database = Database::new();
    let begun = Arc::new(Barrier::new(2));
    let writing = ["a", "b"].map(|name| {
        let (node, begun) = (database.join(name), Arc::clone(&begun));
        thread::spawn(move || {
            let claim = |number: u32| {
                begun.wait();
                let key = number.to_string();
                change(&*node.store, vec![put_new(Table::Notes, &[&key], "mine")]).not_new.is_empty()
            };
            (0..20).map(claim).collect::<Vec<bool>>()
        })
    });
    let [one, other] = writing.map(|writing| writing.join().unwrap());
    assert!(one.iter().zip(&other).all(|(one, other)| one != other), "{one:?} {other:?}");
}

#[test]
fn a_login_belongs_to_the_duty_that_claimed_it_as_long_as_that_stands() {
    let database = Database::new();
    let (a, b) = (database.join("a"), database.join("b"));
    let login = || LoginName { platform: "p".into(), account: "1".into(), user: "bot1".to_owned() };
    let claim = |node: &PostgresParts, acting: &Acting| {
        let cluster = Arc::clone(&node.cluster);
        let acting = acting.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async move { cluster.claim(&acting, login()).await })
    };
    let (mine, theirs) = (take(&a, &bot()).unwrap(), take(&b, &DutyName::Connection("bots-2".into())).unwrap());
    let lease = claim(&a, &mine).unwrap();
    let Err(LeaseError::Held { holder, .. }) = claim(&b, &theirs) else { panic!("it is held") };
    assert_eq!(holder, "connection/bots-1");
    assert!(fence(&b, &a));
    let taken = claim(&b, &theirs).unwrap();
    assert!(taken.token > lease.token);
    // The late return is of an older claim.
    drop(lease);
    assert!(a.cluster.take(bot()).now_or_never().is_none_or(|taken| taken.is_err()));
    let third = database.join("c");
    let other = take(&third, &DutyName::Connection("bots-3".into())).unwrap();
    assert!(matches!(claim(&third, &other), Err(LeaseError::Held { .. })));
}

#[test]
fn what_changed_of_duties_is_seen_in_order() {
    let database = Database::new();
    let (a, b) = (database.join("a"), database.join("b"));
    a.nodes.know(&[(bot(), Default::default())].into()).unwrap();
    let seen = b.nodes.beat(&about(), 0).unwrap();
    assert_eq!(
        seen.duties.iter().map(|row| (&row.name, &row.assignment)).collect::<Vec<_>>(),
        [(&bot(), &Assignment::Never)]
    );
    assert_eq!(b.nodes.known(a.nodes.me()).unwrap().into_keys().collect::<Vec<_>>(), [bot()]);
    let acting = take(&a, &bot()).unwrap();
    assert!(a.nodes.destine(&bot(), Some(b.nodes.me())).unwrap());
    a.nodes.give_back(&acting).unwrap();
    let then = b.nodes.beat(&about(), seen.changed).unwrap();
    let next = Some(b.nodes.me().clone());
    assert_eq!(then.duties[0].assignment, Assignment::Released { token: acting.token, next });
    a.nodes.give_back(&acting).unwrap();
    b.nodes.remove(&bot()).unwrap();
    let last = a.nodes.beat(&about(), then.changed).unwrap();
    assert!(last.duties[0].is_removed);
    assert_eq!(take(&a, &bot()), None);
    a.nodes.leave().unwrap();
    assert!(matches!(a.nodes.beat(&about(), 0), Err(NodeTableError::Fenced)));
    assert_eq!(b.nodes.beat(&about(), 0).unwrap().nodes.len(), 1);
}

#[test]
fn a_name_that_runs_is_refused() {
    let database = Database::new();
    let a = database.join("a");
    let beating = Arc::clone(&a.nodes);
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let beats = thread::spawn(move || {
        while stopped.recv_timeout(Duration::from_millis(50)).is_err() {
            beating.beat(&about(), 0).unwrap();
        }
    });
    let refused = postgres::open(&database.engine(), a.nodes.me(), &about());
    assert!(matches!(refused, Err(OpenError::NameTaken(_))));
    stop.send(()).unwrap();
    beats.join().unwrap();
    a.nodes.leave().unwrap();
    assert!(postgres::open(&database.engine(), a.nodes.me(), &about()).is_ok(), "the name is free");
}

#[test]
fn processes_that_migrate_at_the_same_time_agree() {
    let database = Database::new();
    let engine = database.engine();
    let opening = ["a", "b", "c"].map(|name| {
        let engine = engine.clone();
        thread::spawn(move || postgres::open(&engine, &name.into(), &about()).map(drop))
    });
    for opening in opening {
        opening.join().unwrap().unwrap();
    }
    postgres::check(&engine).unwrap();
}

/// A commit whose answer was lost is made once, and nothing acknowledged is lost.
#[test]
fn a_server_that_is_killed_loses_nothing_acknowledged() {
    let mut server = TemporaryPostgres::start().unwrap();
    let node = postgres::open(&engine(&server.url(), "tertulia"), &"a".into(), &about()).unwrap();
    append(&*node.store, 1..=3);
    change(&*node.store, vec![put(Table::Notes, &["a"], "1")]);
    server.kill();
    let lost = Commit { number: node.store.last_commit() + 1, events: vec![event(4)], ..Commit::default() };
    assert!(matches!(node.store.commit(&lost), Err(CommitError::Unavailable(_))));
    assert!(node.store.check().is_err());
    server.restart().unwrap();
    let made = node.store.commit(&lost).unwrap();
    assert_eq!((made.first, node.store.commit(&lost).unwrap()), (4, made));
    assert_eq!(node.store.events(0, 10).unwrap(), events(1..=4));
    node.store
        .commit(&Commit {
            number: lost.number + 1,
            changes: vec![Change::Remove(Table::Notes, super::record(&["a"], "").key)],
            ..Commit::default()
        })
        .unwrap();
}

#[test]
fn check_looks_at_the_database() {
    let database = Database::new();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tertulia.toml");
    let engine =
        format!("[engine]\nkind = \"postgres\"\nurl = {{ env = \"DB\" }}\nschema = {:?}\n", database.engine().schema);
    let node = "[node]\nlisten = \"127.0.0.1:1\"\nsecret = { env = \"SECRET\" }\n";
    std::fs::write(&file, format!("{engine}{node}")).unwrap();
    let check = |url: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tertulia"));
        let command = command.args(["check", "--config"]).arg(&file).env("DB", url).env("SECRET", "s".repeat(32));
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    let (is_ok, text) = check(database.engine().url.expose_secret());
    assert!(is_ok && text.contains("engine: postgres, schema "), "{text}");
    let (is_ok, text) = check("postgres://tertulia:sEcReT@127.0.0.1:1/tertulia");
    assert!(!is_ok && text.contains("the database cannot be reached") && !text.contains("sEcReT"), "{text}");
}
