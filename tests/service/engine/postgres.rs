//! What nodes that share one Postgres do to each other: fences, commits in flight, lost sessions and lost commits.

use std::{
    sync::{Arc, Barrier},
    thread,
    time::{Duration, Instant},
};

use secrecy::ExposeSecret as _;
use tertulia::{
    cluster::{NodeTable, NodeTableError},
    config::PostgresEngine,
    demo::TemporaryPostgres,
    engine::postgres::{OpenError, PostgresParts, open},
};
use tertulia_actors::{
    core::{
        id::NodeId,
        placement::{Acting, Assignment, DutyName, FencingToken},
        tenure::{Beat, LeaseDuration, Standing},
    },
    engine::{Change, Cluster, ClusterError, Commit, CommitError, Committed, LeaseError, LoginName, Store, Table},
};
use tokio::runtime::Builder;

use super::{append, commit, events, new_events, put, put_new, try_to_commit};
use crate::postgres::{Database, about};

/// The beat of a node that has joined and not beaten since.
fn first_beat(node: &PostgresParts) -> Beat {
    Beat { epoch: node.nodes.epoch(), number: 0 }
}

fn fence(by: &PostgresParts, node: &PostgresParts) -> bool {
    by.nodes.fence(node.nodes.me(), first_beat(node)).unwrap()
}

fn standing(node: &PostgresParts) -> Standing {
    *node.tenure.standing().borrow()
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    Builder::new_current_thread().build().unwrap().block_on(future)
}

fn take(node: &PostgresParts, duty: DutyName) -> Acting {
    wait(node.cluster.take(duty)).unwrap()
}

fn login() -> LoginName {
    LoginName { platform: "p".to_owned(), account: "1".into(), user: "bot1".to_owned() }
}

/// Makes a commit, again after each lost session. Its number stays.
fn commit_at_last(store: &dyn Store, commit: &Commit) -> Committed {
    loop {
        match store.commit(commit) {
            Ok(committed) => return committed,
            Err(CommitError::Unavailable(_)) => thread::sleep(Duration::from_millis(20)),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_fenced_node_commits_nothing_more() {
    let database = Database::new();
    let (a, b) = (database.join("a"), database.join("b"));
    append(&*a.store, 1..=2);
    assert!(fence(&b, &a));
    assert!(!fence(&b, &a), "a node is fenced once");
    assert!(matches!(try_to_commit(&*a.store, new_events(3..=3), vec![]), Err(CommitError::Fenced)));
    assert_eq!(standing(&a), Standing::Over);
    assert!(matches!(a.nodes.beat(&about(), 0), Err(NodeTableError::Fenced)));
    assert_eq!(b.store.events(0, 10).unwrap(), events(1..=2));
}

#[test]
fn a_commit_that_waits_for_an_uncommitted_fence_is_refused() {
    let database = Database::new();
    let (a, b) = (database.join("a"), database.join("b"));
    let fencer = database.session();
    fencer.run(&format!("BEGIN; SELECT fence_node('a', {}, 0)", first_beat(&a).epoch.0));
    thread::scope(|scope| {
        let commit = scope.spawn(|| try_to_commit(&*a.store, new_events(1..=1), vec![]));
        fencer.await_waiter();
        fencer.run("COMMIT");
        assert!(matches!(commit.join().unwrap(), Err(CommitError::Fenced)));
    });
    assert_eq!(b.store.newer(0, Duration::ZERO).unwrap(), 0);
}

#[test]
fn a_beat_that_waits_for_an_uncommitted_fence_is_refused() {
    let database = Database::new();
    let a = database.join("a");
    let fencer = database.session();
    fencer.run(&format!("BEGIN; SELECT fence_node('a', {}, 0)", first_beat(&a).epoch.0));
    thread::scope(|scope| {
        let beat = scope.spawn(|| a.nodes.beat(&about(), 0));
        fencer.await_waiter();
        fencer.run("COMMIT");
        assert!(matches!(beat.join().unwrap(), Err(NodeTableError::Fenced)));
    });
}

#[test]
fn a_fence_waits_for_a_commit_that_is_being_made_and_a_beat_does_not() {
    let database = Database::new();
    let (a, b) = (database.join("a"), database.join("b"));
    let beat = Beat { number: 1, ..first_beat(&a) };
    let blocker = database.session();
    blocker.run("BEGIN; SELECT FROM log_head FOR UPDATE");
    thread::scope(|scope| {
        let commit = scope.spawn(|| try_to_commit(&*a.store, new_events(1..=1), vec![]));
        blocker.await_waiter();
        a.nodes.beat(&about(), 0).unwrap();
        let fence = scope.spawn(|| {
            assert!(b.nodes.fence(a.nodes.me(), beat).unwrap());
            b.store.newer(0, Duration::ZERO).unwrap()
        });
        while !blocker.has_second_waiter() {
            thread::sleep(Duration::from_millis(5));
        }
        blocker.run("COMMIT");
        commit.join().unwrap().unwrap();
        assert_eq!(fence.join().unwrap(), 1, "the fencer reads what was acknowledged");
    });
}

#[test]
fn a_removal_of_a_duty_waits_for_its_holder_s_commit() {
    let database = Database::new();
    let (a, b) = (database.join("a"), database.join("b"));
    let acting = take(&a, DutyName::Bulk);
    let commit = Commit { number: 1, acting: vec![acting], events: new_events(1..=1), ..Commit::default() };
    let blocker = database.session();
    blocker.run("BEGIN; SELECT FROM log_head FOR UPDATE");
    thread::scope(|scope| {
        let made = scope.spawn(|| a.store.commit(&commit));
        blocker.await_waiter();
        let removed = scope.spawn(|| {
            b.nodes.remove(&DutyName::Bulk).unwrap();
            b.store.newer(0, Duration::ZERO).unwrap()
        });
        while !removed.is_finished() && !blocker.has_second_waiter() {
            thread::sleep(Duration::from_millis(5));
        }
        blocker.run("COMMIT");
        made.join().unwrap().unwrap();
        assert_eq!(removed.join().unwrap(), 1, "nothing is written for a duty that was removed");
    });
    let late = Commit { number: 2, ..commit };
    assert!(matches!(a.store.commit(&late), Err(CommitError::Lost(lost)) if lost == [DutyName::Bulk]));
}

#[test]
fn a_number_repeated_in_another_session_is_answered_as_the_first_time() {
    let database = Database::new();
    let (a, b) = (database.join("repeating"), database.join("b"));
    commit(&*b.store, new_events(1..=2), vec![put(Table::Notes, &["k"], "b")]);
    let changes: Vec<Change> = vec![put_new(Table::Notes, &["k"], "a"), put_new(Table::Notes, &["l"], "a")];
    let step = Commit { number: 1, events: new_events(3..=4), changes, ..Commit::default() };
    let first = a.store.commit(&step).unwrap();
    assert_eq!((first.first, first.not_new.as_slice()), (3, &[0][..]));
    commit(&*b.store, new_events(5..=5), vec![]);
    // The server is shared with other tests; the name of the node is this one's.
    database.session().run(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity a \
         WHERE application_name = 'tertulia repeating writer'",
    );
    let again = commit_at_last(&*a.store, &step);
    assert_eq!((again.first, again.not_new), (first.first, first.not_new));
    assert_eq!(b.store.events(0, 10).unwrap(), events(1..=5));
}

#[test]
fn a_reader_sees_the_events_of_two_writers_without_a_hole() {
    const COMMITS: u64 = 100;
    let database = Database::new();
    let nodes = [database.join("a"), database.join("b")];
    let reader = database.join("c");
    thread::scope(|scope| {
        for node in &nodes {
            scope.spawn(|| {
                for _ in 0..COMMITS {
                    commit(&*node.store, new_events(1..=3), vec![]);
                }
            });
        }
        let mut seen = 0;
        while seen < 2 * COMMITS * 3 {
            let newest = reader.store.newer(seen, Duration::from_secs(1)).unwrap();
            let read = reader.store.events(seen, 50).unwrap();
            let offsets: Vec<u64> = read.iter().map(|(offset, _)| *offset).collect();
            assert_eq!(offsets, (seen + 1..).take(offsets.len()).collect::<Vec<_>>());
            assert!(newest == seen || !read.is_empty());
            seen += read.len() as u64;
        }
    });
}

#[test]
fn of_two_nodes_that_create_a_record_at_once_one_does() {
    let database = Database::new();
    let nodes = [database.join("a"), database.join("b")];
    let together = Barrier::new(2);
    for round in 0..20 {
        let key = round.to_string();
        let not_new: usize = thread::scope(|scope| {
            let create = |node: &PostgresParts| {
                together.wait();
                commit(&*node.store, vec![], vec![put_new(Table::Notes, &[&key], "value")]).not_new.len()
            };
            let each = nodes.each_ref().map(|node| scope.spawn(move || create(node)));
            each.into_iter().map(|made| made.join().unwrap()).sum()
        });
        assert_eq!(not_new, 1);
    }
}

/// Sets the log back to `newest`, as a replica would have it that was behind.
fn set_back(database: &Database, newest: u64) {
    let session = database.session();
    session.run(&format!("DELETE FROM log WHERE last > {newest}; UPDATE log_head SET newest = {newest}"));
    session.run(&format!("UPDATE node SET commits = {newest}"));
}

#[test]
fn a_node_whose_commits_are_lost_begins_a_new_log_and_ends_its_tenure() {
    let database = Database::new();
    let a = database.join("a");
    (1..=4).for_each(|offset| append(&*a.store, offset..=offset));
    let (log, lost_before) = (a.store.history().epoch, a.store.lost_commits());
    set_back(&database, 2);
    assert!(matches!(try_to_commit(&*a.store, new_events(5..=5), vec![]), Err(CommitError::Fenced)));
    assert_eq!(standing(&a), Standing::Over);
    assert!(a.store.lost_commits() > lost_before);
    let history = database.join("b").store.history();
    assert_ne!(history.epoch, log);
    assert_eq!(history.newest, 2);
}

#[test]
fn a_node_that_is_lost_with_its_commits_begins_a_new_log() {
    let database = Database::new();
    let a = database.join("a");
    (1..=4).for_each(|offset| append(&*a.store, offset..=offset));
    let log = a.store.history().epoch;
    set_back(&database, 2);
    database.session().run("DELETE FROM node");
    assert!(matches!(try_to_commit(&*a.store, new_events(5..=5), vec![]), Err(CommitError::Fenced)));
    assert_ne!(database.join("a").store.history().epoch, log, "offsets would be given twice in one log");
}

#[test]
fn a_node_that_only_reads_notices_another_log() {
    let database = Database::new();
    let (a, b) = (database.join("a"), database.join("b"));
    append(&*a.store, 1..=4);
    assert_eq!(b.store.newer(0, Duration::from_secs(5)).unwrap(), 4);
    set_back(&database, 2);
    // The events of the other log are not given out under the ids of the first.
    assert_eq!(b.store.newer(4, Duration::ZERO).unwrap(), 4);
    assert_eq!(standing(&b), Standing::Over);
    database.session().run("UPDATE log_head SET newest = 9");
    assert_eq!(b.store.newer(4, Duration::ZERO).unwrap(), 4);
}

#[test]
fn a_killed_server_loses_no_commit_and_makes_none_twice() {
    let mut server = TemporaryPostgres::start().unwrap();
    let database = Database::on(&server);
    let (a, b) = (database.join("a"), database.join("b"));
    let half_way = Barrier::new(3);
    thread::scope(|scope| {
        for node in [&a, &b] {
            let half_way = &half_way;
            scope.spawn(move || {
                for number in 1..=200 {
                    if number == 100 {
                        half_way.wait();
                    }
                    commit_at_last(&*node.store, &Commit { number, events: new_events([number]), ..Commit::default() });
                }
            });
        }
        half_way.wait();
        server.kill();
        server.restart().unwrap();
    });
    let read = database.join("c").store.events(0, 1_000).unwrap();
    let mut numbers: Vec<_> = read.iter().map(|(_, event)| event.name.to_string()).collect();
    numbers.sort_unstable();
    let mut expected: Vec<_> =
        (1..=200).flat_map(|number| [format!("message.{number}"), format!("message.{number}")]).collect();
    expected.sort_unstable();
    assert_eq!(numbers, expected);
    assert_eq!(read.last().unwrap().0, 400);
}

#[test]
fn a_migration_whose_session_is_lost_is_tried_again_and_one_that_is_refused_is_not() {
    let database = Database::new();
    let blocker = database.session();
    blocker.run(&format!("BEGIN; SELECT pg_advisory_xact_lock(32327, hashtext('{}'))", database.schema()));
    thread::scope(|scope| {
        let opening = scope.spawn(|| open(&database.engine(), &NodeId::from("a"), &about()));
        blocker.await_waiter();
        blocker
            .run("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))");
        let lost = opening.join().unwrap().err().unwrap();
        assert!(matches!(lost, OpenError::Unreachable { .. }) && lost.is_temporary(), "{lost}");
    });
    blocker.run("COMMIT");
    // A table of somebody else is in the way.
    blocker.run(&format!("CREATE SCHEMA {0}; CREATE TABLE {0}.log_head (n int)", database.schema()));
    let refused = open(&database.engine(), &NodeId::from("a"), &about()).err().unwrap();
    assert!(matches!(refused, OpenError::NotMigrated { number: 1, .. }) && !refused.is_temporary(), "{refused}");
}

#[test]
fn processes_that_start_at_once_migrate_the_schema_once() {
    let database = Database::new();
    let together = Barrier::new(3);
    thread::scope(|scope| {
        for name in ["a", "b", "c"] {
            let (database, together) = (&database, &together);
            scope.spawn(move || {
                together.wait();
                database.join(name)
            });
        }
    });
    assert_eq!(database.session().number("SELECT count(*) FROM version"), 1);
    assert_eq!(database.session().number("SELECT count(*) FROM node"), 3);
}

#[test]
fn a_login_belongs_to_one_duty_until_it_is_returned_or_its_node_is_fenced() {
    let database = Database::new();
    let (a, b) = (database.join("a"), database.join("b"));
    let (webhooks, bulk) = (take(&a, DutyName::Webhooks), take(&b, DutyName::Bulk));
    let first = wait(a.cluster.claim(&webhooks, login())).unwrap();
    let claim = || wait(b.cluster.claim(&bulk, login()));
    assert!(matches!(claim(), Err(LeaseError::Held { holder, .. }) if holder == "webhooks"));
    drop(first);
    // The requests of a node are served in order, so the login is returned when the next one is answered.
    take(&a, DutyName::Housekeeping);
    drop(claim().unwrap());
    take(&b, DutyName::Connection("x".into()));
    let _held = wait(a.cluster.claim(&webhooks, login())).unwrap();
    assert!(fence(&b, &a));
    let _theirs = claim().unwrap();
}

#[test]
fn a_duty_whose_return_fails_is_returned_later() {
    let database = Database::new();
    let (a, b) = (database.join("a"), database.join("b"));
    let acting = take(&a, bot());
    // The node notices the end of the session only when it uses the session.
    database.session().number(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'tertulia a duties%'",
    );
    wait(a.cluster.hand_back(&acting));
    let deadline = Instant::now() + Duration::from_secs(60);
    while let Err(error) = wait(b.cluster.take(bot())) {
        assert_eq!(error, ClusterError::Held(bot()));
        assert!(Instant::now() < deadline, "{error}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_duty_that_nobody_waits_for_any_more_is_given_back() {
    let database = Database::new();
    let (a, b) = (database.join("a"), database.join("b"));
    let blocker = database.session();
    blocker.run("BEGIN; LOCK TABLE duty");
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut taking = a.cluster.take(bot());
    loop {
        if wait(async { futures_util::poll!(&mut taking) }).is_ready() {
            // On a busy machine the time limit of the statement may end before it is seen to wait.
            taking = a.cluster.take(bot());
        } else if blocker.has_waiter() {
            break;
        }
        assert!(Instant::now() < deadline, "nobody waits for the duty");
        thread::sleep(Duration::from_millis(20));
    }
    drop(taking);
    blocker.run("COMMIT");
    let deadline = Instant::now() + Duration::from_secs(60);
    // Only a duty that was taken and given back has a token above 1.
    while !matches!(wait(b.cluster.take(bot())), Ok(acting) if acting.token > FencingToken(1)) {
        assert!(Instant::now() < deadline, "the duty is not free");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_outdated_right_to_a_duty_claims_no_login() {
    let database = Database::new();
    let (a, b) = (database.join("a"), database.join("b"));
    let late = take(&a, DutyName::Bulk);
    wait(a.cluster.hand_back(&late));
    let acting = take(&b, DutyName::Bulk);
    assert!(acting.token > late.token);
    assert!(matches!(wait(a.cluster.claim(&late, login())), Err(LeaseError::Held { .. })));
    let _held = wait(b.cluster.claim(&acting, login())).unwrap();
    assert!(matches!(wait(a.cluster.claim(&late, login())), Err(LeaseError::Held { .. })));
    let never = Acting { duty: DutyName::Webhooks, token: FencingToken(1) };
    assert!(matches!(wait(a.cluster.claim(&never, login())), Err(LeaseError::Held { .. })));
}

#[test]
fn a_name_that_runs_is_refused_and_a_killed_one_is_taken_over() {
    let database = Database::new();
    let lease = LeaseDuration::new(Duration::from_secs(5)).unwrap();
    let engine = PostgresEngine { lease, ..database.engine() };
    let join = || open(&engine, &NodeId::from("a"), &about());
    let first = Arc::new(join().unwrap());
    append(&*first.store, 1..=1);
    thread::scope(|scope| {
        let second = scope.spawn(join);
        while !second.is_finished() {
            first.nodes.beat(&about(), 0).unwrap();
            thread::sleep(Duration::from_millis(50));
        }
        assert!(matches!(second.join().unwrap(), Err(OpenError::NameTaken { name, holder })
            if name.as_str() == "a" && holder.starts_with(&about().address)));
    });
    // From now on it does not beat.
    let third = join().unwrap();
    assert!(third.nodes.epoch() > first.nodes.epoch());
    assert!(matches!(try_to_commit(&*first.store, new_events(2..=2), vec![]), Err(CommitError::Fenced)));
    append(&*third.store, 2..=2);
}

#[test]
fn of_two_processes_that_join_under_one_name_at_once_one_does() {
    let database = Database::new();
    let first = database.join("a");
    first.nodes.leave().unwrap();
    // As a process does that found no node of the name a moment ago.
    let session = database.session();
    session.run("BEGIN; SELECT join_node('a', '{}')");
    let second = database.session();
    thread::scope(|scope| {
        let second = scope.spawn(|| second.number("SELECT coalesce(join_node('a', '{}'), 0)"));
        session.await_waiter();
        session.run("COMMIT");
        assert_eq!(second.join().unwrap(), 0);
    });
    assert_eq!(session.number("SELECT count(*) FROM node WHERE NOT fenced"), 1);
}

fn bot() -> DutyName {
    DutyName::Connection("bots-1".into())
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
    let acting = take(&a, bot());
    assert!(a.nodes.destine(&bot(), Some(b.nodes.me())).unwrap());
    a.nodes.give_back(&acting).unwrap();
    let then = b.nodes.beat(&about(), seen.changed).unwrap();
    let next = Some(b.nodes.me().clone());
    assert_eq!(then.duties[0].assignment, Assignment::Released { token: acting.token, next });
    a.nodes.give_back(&acting).unwrap();
    b.nodes.remove(&bot()).unwrap();
    let last = a.nodes.beat(&about(), then.changed).unwrap();
    assert!(last.duties[0].is_removed);
    assert!(a.nodes.take(&[bot()]).unwrap().is_empty());
    a.nodes.leave().unwrap();
    assert!(matches!(a.nodes.beat(&about(), 0), Err(NodeTableError::Fenced)));
    assert_eq!(b.nodes.beat(&about(), 0).unwrap().nodes.len(), 1);
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
