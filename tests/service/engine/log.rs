//! The event log: in order, without holes, read from anywhere in it.

use tertulia_actors::engine::Store;

use super::{append, events, forget};

promises!(
    a_new_log_has_an_epoch_and_nothing_else,
    events_are_read_after_a_cursor_in_order_and_no_more_than_asked_for,
    every_cursor_and_limit_reads_its_part_of_the_log,
    forgotten_events_are_not_read_and_the_others_are,
    a_log_that_forgot_all_its_events_goes_on_with_the_next_offset,
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
    append(store, 1..=3);
    append(store, 4..=4);

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
        append(store, newest + 1..=newest + run);
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
    append(store, 1..=10);
    append(store, 11..=20);
    for oldest in [2, 5, 11, 12, 20] {
        forget(store, oldest);
        assert_eq!((store.history().oldest, store.history().newest), (oldest, 20));
        for after in [0, oldest - 1] {
            assert_eq!(store.events(after, 100).unwrap(), events(oldest..=20));
        }
        assert_eq!(store.events(oldest, 100).unwrap(), events(oldest + 1..=20));
    }
}

fn a_log_that_forgot_all_its_events_goes_on_with_the_next_offset(store: &impl Store) {
    append(store, 1..=5);
    forget(store, 6);
    assert_eq!((store.history().oldest, store.history().newest), (6, 5));
    assert_eq!(store.events(0, 10).unwrap(), []);

    append(store, 6..=7);

    assert_eq!((store.history().oldest, store.history().newest), (6, 7));
    assert_eq!(store.events(0, 10).unwrap(), events(6..=7));
}

fn a_log_forgets_nothing_twice_and_no_more_than_there_is(store: &impl Store) {
    append(store, 1..=5);
    forget(store, 3);
    forget(store, 2);
    assert_eq!(store.events(0, 10).unwrap(), events(3..=5));

    forget(store, u64::MAX);
    assert_eq!((store.history().oldest, store.history().newest), (6, 5));
    append(store, 6..=7);
    assert_eq!(store.events(0, 10).unwrap(), events(6..=7));
}

fn readers_see_no_hole_while_the_log_is_written_and_trimmed(store: &impl Store) {
    const NEWEST: u64 = 600;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for offset in 1..=NEWEST {
                append(store, [offset]);
                forget(store, offset.saturating_sub(3));
            }
        });
        for _ in 0..2 {
            scope.spawn(|| {
                let mut cursor = 0;
                while cursor < NEWEST {
                    let read = store.events(cursor, 5).unwrap();
                    let Some(first) = read.first() else { continue };
                    let first = first.0;
                    assert!(first > cursor);
                    cursor = first + read.len() as u64 - 1;
                    assert_eq!(read, events(first..=cursor));
                }
            });
        }
    });
}
