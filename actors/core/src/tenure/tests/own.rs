//! What this node may do, by the time since its last answered beat was sent.

use super::*;

#[test]
fn a_lease_is_between_5_and_120_seconds() {
    let nanosecond = Duration::from_nanos(1);
    for accepted in [LeaseDuration::SHORTEST, Duration::from_secs(15), LeaseDuration::LONGEST] {
        assert_eq!(LeaseDuration::new(accepted).map(LeaseDuration::get), Ok(accepted));
    }
    for refused in [Duration::ZERO, LeaseDuration::SHORTEST - nanosecond, LeaseDuration::LONGEST + nanosecond] {
        assert_eq!(LeaseDuration::new(refused), Err(LeaseDurationError { lease: refused }));
    }
    assert!(LeaseDuration::new(Duration::MAX).is_err());
    let error = LeaseDurationError { lease: Duration::from_secs(1) };
    assert_eq!(error.to_string(), "a lease of 1s is not between 5s and 120s");
}

#[test]
fn the_times_of_a_lease_of_15_seconds() {
    let lease = LeaseDuration::default();
    assert_eq!(lease, super::lease(15_000));
    let times = [
        lease.beat_every(),
        lease.longest_counted_gap(),
        lease.suspended_after(),
        lease.sockets_close_after(),
        lease.get(),
    ];
    assert_eq!(times.map(|time| time.as_millis()), [3_000, 6_000, 10_000, 12_500, 15_000]);
}

#[test]
fn a_node_is_suspended_after_two_thirds_and_closes_its_sockets_after_five_sixths() {
    let tenure = Tenure::joined(lease(15_000), Millis(1_000));
    let at = |since: u64| {
        let now = Millis(1_000 + since);
        (tenure.standing(now), tenure.may_act(now), tenure.may_keep_sockets(now))
    };
    for since in [0, 9_999] {
        assert_eq!(at(since), (Standing::Valid, true, true));
    }
    for since in [10_000, 12_499] {
        assert_eq!(at(since), (Standing::Suspended, false, true));
    }
    for since in [12_500, 15_000, 10_000_000] {
        assert_eq!(at(since), (Standing::Suspended, false, false));
    }
}

#[test]
fn an_answered_beat_counts_from_when_it_was_sent_and_an_older_answer_changes_nothing() {
    let mut tenure = Tenure::joined(lease(15_000), Millis(0));
    tenure.answered(Millis(6_000));
    tenure.answered(Millis(3_000));
    assert_eq!(tenure.standing(Millis(15_999)), Standing::Valid);
    assert_eq!(tenure.standing(Millis(16_000)), Standing::Suspended);
    tenure.answered(Millis(900_000));
    assert_eq!(tenure.standing(Millis(900_100)), Standing::Valid);
}

#[test]
fn a_fence_is_final() {
    let mut tenure = Tenure::joined(lease(15_000), Millis(0));
    tenure.fenced();
    tenure.answered(Millis(3_000));
    let now = Millis(3_001);
    assert_eq!((tenure.standing(now), tenure.may_keep_sockets(now)), (Standing::Over, false));
    assert_eq!(tenure.next_change(now), None);
}

#[test]
fn the_next_change_is_exactly_when_something_changes() {
    for millis in [5_000, 15_000, 120_000] {
        let tenure = Tenure::joined(lease(millis), Millis(7));
        let state = |now: Millis| (tenure.standing(now), tenure.may_keep_sockets(now));
        let mut now = Millis(7);
        let mut changes = 0;
        while let Some(next) = tenure.next_change(now) {
            assert_eq!(state(Millis(next.0 - 1)), state(now));
            assert_ne!(state(next), state(now));
            (now, changes) = (next, changes + 1);
        }
        assert_eq!((changes, state(now)), (2, (Standing::Suspended, false)));
    }
}
