//! After a socket is lost: how long to wait, and what the close code means (ER-6).

use super::*;

fn needs_login_after(input: Input) -> bool {
    let mut driver = Driver::ready();
    driver.feed(input);
    assert_eq!(driver.phase(), Phase::WaitingToReconnect);
    driver.wake().1.contains(&Output::LogIn)
}

#[test]
fn close_codes_that_blame_the_token_lead_to_a_new_one() {
    for code in [4401, 4407, 1008, 1011] {
        assert!(needs_login_after(platform_close(code)), "{code}");
    }
}

#[test]
fn other_close_codes_and_lost_links_keep_the_token() {
    for code in [1000, 1001, 1004, 1005, 1006, 4410, 4999] {
        assert!(!needs_login_after(platform_close(code)), "{code}");
    }
    assert!(!needs_login_after(lost_link()));
    assert!(!needs_login_after(Input::SocketClosed(Closure { by: ClosedBy::Platform, code: None })));
    assert!(!needs_login_after(Input::SocketClosed(Closure { by: ClosedBy::Us, code: Some(4401) })));
}

#[test]
fn a_loss_is_reported_with_its_reason_and_the_time_of_the_next_attempt() {
    let mut driver = Driver::ready();
    let closure = Closure { by: ClosedBy::Platform, code: Some(4410) };
    let until = driver.now;
    assert_eq!(
        driver.feed(Input::SocketClosed(closure)),
        [
            Output::Report(Report::Disconnected(closure, DisconnectReason::BadContent)),
            Output::Report(Report::Waiting { until, attempt: 1, reason: WaitReason::ConnectionLost })
        ]
    );
}

#[test]
fn a_distrusted_socket_is_closed_and_another_one_opened_after_the_back_off() {
    let mut driver = Driver::ready();
    let closure = Closure { by: ClosedBy::Us, code: Some(ABANDONED) };
    let until = driver.now;
    assert_eq!(
        driver.feed(Input::Distrusted),
        [
            Output::CloseSocket { code: ABANDONED },
            Output::Report(Report::Disconnected(closure, DisconnectReason::Distrusted)),
            Output::Report(Report::Waiting { until, attempt: 1, reason: WaitReason::ConnectionLost })
        ]
    );
    assert_eq!(driver.feed(Input::Distrusted), [], "no socket is open");
    assert!(driver.wake().1.contains(&Output::OpenSocket), "the token is as good as it was");
}

#[test]
fn the_first_attempt_after_a_stable_connection_comes_within_two_seconds() {
    for entropy in [0, 1, 1_999, 2_000, u64::MAX] {
        let mut driver = Driver::ready();
        driver.live_for(seconds(60));
        driver.entropy = entropy;
        driver.feed(lost_link());
        assert!(driver.wake().0 <= seconds(2));
    }
}

#[test]
fn a_platform_that_drops_at_once_meets_a_growing_back_off() {
    let mut driver = Driver::ready();
    for failures in 1..=10 {
        driver.feed(lost_link());
        assert_eq!(driver.session.attempts(), failures);
        driver.reconnect();
        driver.live_for(seconds(10));
    }
    driver.entropy = 30_000;
    driver.feed(lost_link());
    assert_eq!(driver.wake().0, seconds(30), "the widest wait is the policy's");
}

#[test]
fn the_back_off_is_reset_only_after_a_stable_period() {
    let mut driver = Driver::ready();
    for _ in 0..5 {
        driver.feed(lost_link());
        driver.reconnect();
    }
    driver.live_for(seconds(25));
    driver.feed(lost_link());
    assert_eq!(driver.session.attempts(), 6);
    driver.reconnect();
    driver.live_for(seconds(30));
    assert_eq!(driver.session.attempts(), 0);
    driver.feed(lost_link());
    assert_eq!(driver.session.attempts(), 1);
}

#[test]
fn refused_sockets_keep_the_token_and_are_tried_again() {
    let mut driver = Driver::in_phase(Phase::Connecting);
    driver.feed(Input::SocketRefused(SocketRefusal::Unavailable));
    assert_eq!(driver.wake().1, [Output::Report(Report::Connecting), Output::OpenSocket]);
}

#[test]
fn a_throttled_socket_waits_as_long_as_the_platform_asks_within_reason() {
    for (asked, expected) in [(None, 5), (Some(1), 5), (Some(60), 60), (Some(1_000_000_000), 300)] {
        let mut driver = Driver::in_phase(Phase::Connecting);
        let retry_after = asked.map(seconds);
        driver.feed(Input::SocketRefused(SocketRefusal::Throttled { retry_after }));
        assert_eq!(driver.wake().0, seconds(expected), "asked for {asked:?}");
    }
}

/// Q7.
#[test]
fn a_socket_that_does_not_open_in_time_is_abandoned() {
    let mut driver = Driver::in_phase(Phase::Connecting);
    let (waited, outputs) = driver.wake();
    assert_eq!(waited, seconds(10));
    assert_eq!(outputs[0], Output::CloseSocket { code: ABANDONED });
    assert_eq!(driver.phase(), Phase::WaitingToReconnect);
}

#[test]
fn a_verification_or_resume_without_an_end_abandons_the_socket() {
    let cases = [
        (Phase::Verifying, DisconnectReason::VerifyTimedOut, 10),
        (Phase::Resuming, DisconnectReason::ResumeTimedOut, 120),
    ];
    for (phase, reason, limit) in cases {
        let mut driver = Driver::in_phase(phase);
        let begin = driver.now;
        let outputs = loop {
            driver.feed(Input::FrameReceived);
            let outputs = driver.wake().1;
            if outputs.contains(&Output::CloseSocket { code: ABANDONED }) {
                break outputs;
            }
        };
        let closure = Closure { by: ClosedBy::Us, code: Some(ABANDONED) };
        assert!(outputs.contains(&Output::Report(Report::Disconnected(closure, reason))), "{outputs:?}");
        assert_eq!(driver.now.since(begin), seconds(limit));
        assert_eq!(driver.phase(), Phase::WaitingToReconnect);
    }
}

/// Q16.
#[test]
fn a_resume_that_failed_is_tried_again_on_a_new_socket() {
    let mut driver = Driver::in_phase(Phase::Resuming);
    assert_eq!(driver.feed(Input::ResumeFailed)[0], Output::CloseSocket { code: ABANDONED });
    assert_eq!(driver.wake().1, [Output::Report(Report::Connecting), Output::OpenSocket]);
}

#[test]
fn a_resume_is_given_up_when_it_stands_still_and_not_because_it_is_long() {
    let mut driver = Driver::in_phase(Phase::Resuming);
    for _ in 0..10 {
        let until = Millis(driver.now.0 + 100_000);
        while driver.now < until {
            driver.now = driver.session.next_wake().unwrap().min(until);
            driver.feed(Input::FrameReceived);
            driver.feed(Input::Tick);
        }
        assert!(driver.feed(Input::ResumeProgressed).is_empty());
        assert_eq!(driver.phase(), Phase::Resuming);
    }
}

#[test]
fn a_refused_verification_is_tried_again_with_the_token_unless_it_is_blamed() {
    for (code, needs_login, wait) in [(500, false, 0), (429, false, 5), (401, true, 5), (403, true, 5)] {
        let mut driver = Driver::in_phase(Phase::Verifying);
        let outputs = driver.feed(Input::VerifyRefused { code });
        assert_eq!(outputs[0], Output::CloseSocket { code: ABANDONED });
        let (waited, outputs) = driver.wake();
        assert_eq!((waited, outputs.contains(&Output::LogIn)), (seconds(wait), needs_login), "{code}");
    }
}

#[test]
fn reconnects_are_counted_and_differ_from_the_first_connect() {
    let mut driver = Driver::ready();
    driver.feed(lost_link());
    driver.wake();
    driver.feed(Input::SocketOpened);
    assert!(driver.feed(Input::Verified).contains(&Output::Resume { attempt: 2, first: false }));
    assert_eq!(driver.session.reconnects(), 0);
    driver.feed(Input::Resumed);
    assert_eq!(driver.session.reconnects(), 1);
}

#[test]
fn outcomes_of_an_earlier_attempt_are_dropped() {
    let mut driver = Driver::in_phase(Phase::Connecting);
    let earlier = driver.session.epoch();
    driver.wake();
    driver.wake();
    assert_eq!(driver.phase(), Phase::Connecting);
    for late in [Input::SocketOpened, lost_link(), Input::SocketRefused(SocketRefusal::Unauthorized)] {
        assert!(driver.session.handle_of(earlier, late, driver.now, &mut || 0).is_empty());
        assert_eq!(driver.phase(), Phase::Connecting);
    }
    let current = driver.session.epoch();
    assert_eq!(driver.session.handle_of(current, Input::SocketOpened, driver.now, &mut || 0)[..], [Output::Verify]);
}

mod backoff {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Q6.
        #[test]
        fn a_delay_lies_between_the_floor_and_the_floor_plus_the_width(
            floor in 0_u64..10_000,
            base in 1_u64..100_000,
            spread in 0_u64..1_000_000,
            doublings in any::<u32>(),
            entropy in any::<u64>(),
        ) {
            let backoff = Backoff {
                floor: Duration::from_millis(floor),
                base: Duration::from_millis(base),
                max: Duration::from_millis(base + spread),
            };
            let delay = backoff.delay(doublings, entropy);
            prop_assert!(delay >= backoff.floor);
            prop_assert!(delay <= backoff.floor + backoff.width(doublings));
            prop_assert!(backoff.width(doublings) <= backoff.max);
            prop_assert!(backoff.width(doublings) <= backoff.width(doublings.saturating_add(1)));
        }
    }

    #[test]
    fn the_whole_width_is_used() {
        let backoff = Backoff { floor: seconds(1), base: seconds(1), max: seconds(60) };
        assert_eq!(backoff.delay(3, 0), seconds(1));
        assert_eq!(backoff.delay(3, 8_000), seconds(9));
        assert_eq!(backoff.delay(3, 8_001), seconds(1));
    }
}
