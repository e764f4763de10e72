//! The event log: in order, without holes, read from anywhere in it.

use tertulia_actors::engine::{Change, Store};

use super::{appends, event, events};

promises!(
    a_new_log_has_an_epoch_and_nothing_else,
    events_are_read_after_a_cursor_in_order_and_no_more_than_asked_for,
    every_cursor_and_limit_reads_its_part_of_the_log,
    forgotten_events_are_not_read_and_the_others_are,
    a_log_that_forgot_all_its_events_goes_on_with_the_next_offset,
    what_is_appended_and_forgotten_at_once_was_never_there,
    a_log_forgets_nothing_twice_and_no_more_than_there_is,
    readers_see_no_hole_while_the_log_is_written_and_trimmed,
);

fn a_new_log_has_an_epoch_and_nothing_else(store: &impl Store) {
    let history = store.history();
    assert!(!history.epoch.is_empty());
    assert_eq!((history.oldest, history.newest), (1, 0));
    assert_eq!(store.events(0, 10).unwrap(), []);
}

fn events_are_read_after_a_cursor_in_order_and_no_more_than_asked_for(store: &impl Store) {
    store.commit(appends(1..=3)).unwrap();
    store.commit(appends(4..=4)).unwrap();

    assert_eq!((store.history().oldest, store.history().newest), (1, 4));
    assert_eq!(store.events(0, 10).unwrap(), events(1..=4));
    assert_eq!(store.events(2, 10).unwrap(), events(3..=4));
    assert_eq!(store.events(1, 2).unwrap(), events(2..=3));
    assert_eq!(store.events(4, 10).unwrap(), []);
    assert_eq!(store.events(u64::MAX, 10).unwrap(), []);
    assert_eq!(store.events(0, 0).unwrap(), []);
}

fn every_cursor_and_limit_reads_its_part_of_the_log(store: &impl Store) {
    // Runs of all lengths about those that are written together.
    let (mut newest, runs) = (0, [1, 2, 63, 64, 65, 5, 129, 1]);
    for run in runs {
        store.commit(appends(newest + 1..=newest + run)).unwrap();
        newest += run;
    }
    for after in 0..newest {
        for limit in [1, 7, 64, 1_000] {
            let last = newest.min(after + limit);
            let read = store.events(after, usize::try_from(limit).unwrap()).unwrap();
            assert_eq!(read, events(after + 1..=last), "after {after}, at most {limit}");
        }
    }
}

fn forgotten_events_are_not_read_and_the_others_are(store: &impl Store) {
    store.commit(appends(1..=10)).unwrap();
    store.commit(appends(11..=20)).unwrap();
    for oldest in [2, 5, 11, 12, 20] {
        store.commit(vec![Change::Trim { oldest }]).unwrap();
        assert_eq!((store.history().oldest, store.history().newest), (oldest, 20));
        for after in [0, oldest - 1] {
            assert_eq!(store.events(after, 100).unwrap(), events(oldest..=20));
        }
        assert_eq!(store.events(oldest, 100).unwrap(), events(oldest + 1..=20));
    }
}

fn a_log_that_forgot_all_its_events_goes_on_with_the_next_offset(store: &impl Store) {
    store.commit(appends(1..=5)).unwrap();
    store.commit(vec![Change::Trim { oldest: 6 }]).unwrap();
    assert_eq!((store.history().oldest, store.history().newest), (6, 5));
    assert_eq!(store.events(0, 10).unwrap(), []);

    store.commit(appends(6..=7)).unwrap();

    assert_eq!((store.history().oldest, store.history().newest), (6, 7));
    assert_eq!(store.events(0, 10).unwrap(), events(6..=7));
}

fn what_is_appended_and_forgotten_at_once_was_never_there(store: &impl Store) {
    let changes = appends(1..=5).into_iter().chain([Change::Trim { oldest: 4 }]).chain(appends(6..=6));
    store.commit(changes.collect()).unwrap();
    assert_eq!((store.history().oldest, store.history().newest), (4, 6));
    assert_eq!(store.events(0, 10).unwrap(), events(4..=6));
}

fn a_log_forgets_nothing_twice_and_no_more_than_there_is(store: &impl Store) {
    store.commit(appends(1..=5)).unwrap();
    store.commit(vec![Change::Trim { oldest: 3 }]).unwrap();
    store.commit(vec![Change::Trim { oldest: 2 }]).unwrap();
    assert_eq!(store.events(0, 10).unwrap(), events(3..=5));

    let changes = [Change::Trim { oldest: u64::MAX }].into_iter().chain(appends(6..=7));
    store.commit(changes.collect()).unwrap();
    assert_eq!(store.events(0, 10).unwrap(), events(6..=7));
}

fn readers_see_no_hole_while_the_log_is_written_and_trimmed(store: &impl Store) {
    const NEWEST: u64 = 600;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for offset in 1..=NEWEST {
                let trim = Change::Trim { oldest: offset.saturating_sub(3) };
                store.commit(vec![Change::Append(event(offset)), trim]).unwrap();
            }
        });
        for _ in 0..2 {
            scope.spawn(|| {
                let mut cursor = 0;
                while cursor < NEWEST {
                    let read = store.events(cursor, 5).unwrap();
                    let Some(first) = read.first() else { continue };
                    assert!(first.offset > cursor);
                    cursor = first.offset + read.len() as u64 - 1;
                    assert_eq!(read, events(first.offset..=cursor));
                }
            });
        }
    });
}
