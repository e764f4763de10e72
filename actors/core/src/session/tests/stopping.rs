//! Stopping at the owner's request.

use super::*;

/// CN-F2, Q8.
#[test]
fn a_stop_ends_every_phase_in_stopped() {
    for phase in ALL_PHASES {
        let mut driver = Driver::in_phase(phase);
        let mut outputs = driver.feed(Input::Stop);
        let had_socket = phase.is_open() || phase == Phase::Connecting;
        assert_eq!(outputs.contains(&Output::CloseSocket { code: NORMAL }), had_socket, "{phase:?}");
        if driver.phase() == Phase::Stopping {
            outputs.extend(driver.feed(Input::SocketClosed(Closure { by: ClosedBy::Us, code: None })));
        }
        assert_eq!(driver.phase(), Phase::Stopped);
        assert_eq!(outputs.contains(&Output::Report(Report::Stopped)), phase != Phase::Stopped);
        assert_eq!(driver.feed(Input::Stop), []);
        assert_eq!(driver.session.next_wake(), None);
    }
}

#[test]
fn an_owner_that_gives_the_connection_up_ends_it_with_its_reason() {
    let reason = FailureReason::ConversationsKeepFailing;
    for phase in ALL_PHASES.into_iter().filter(|phase| !phase.is_at_rest() && *phase != Phase::Stopping) {
        let mut driver = Driver::in_phase(phase);
        let outputs = driver.feed(Input::GivenUp(reason));
        let had_socket = phase.is_open() || phase == Phase::Connecting;
        assert_eq!(outputs.contains(&Output::CloseSocket { code: ABANDONED }), had_socket, "{phase:?}");
        assert_eq!(outputs.last(), Some(&Output::Report(Report::Failed(reason))));
        assert_eq!(driver.phase(), Phase::Failed(reason));
        assert_eq!(driver.session.next_wake(), None);
    }
}

#[test]
fn a_socket_that_does_not_close_does_not_hold_up_the_stop() {
    let mut driver = Driver::ready();
    driver.feed(Input::Stop);
    assert_eq!(driver.feed(Input::Stop), []);
    assert_eq!(driver.wake(), (seconds(5), vec![Output::Report(Report::Stopped)]));
}

#[test]
fn nothing_but_a_start_wakes_a_session_at_rest() {
    let late = [
        Input::LoggedIn,
        Input::LoginRefused(LoginRefusal::Unavailable),
        Input::SocketOpened,
        Input::SocketRefused(SocketRefusal::Unavailable),
        Input::Verified,
        Input::VerifyRefused { code: 401 },
        Input::ResumeProgressed,
        Input::Resumed,
        Input::ResumeFailed,
        Input::Distrusted,
        Input::FrameReceived,
        lost_link(),
        Input::TokenRefreshed,
        Input::TokenRefreshRefused(RefreshRefusal::Unauthorized),
        Input::Tick,
    ];
    for phase in ALL_PHASES.into_iter().filter(Phase::is_at_rest) {
        let mut driver = Driver::in_phase(phase);
        for input in late {
            assert_eq!(driver.feed(input), [], "{input:?}");
            assert_eq!(driver.phase(), phase);
        }
        assert!(driver.feed(Input::Start).contains(&Output::LogIn));
    }
}

/// CN-F1 with `maintainConnection` off: the first loss ends the session, and only its owner restarts it.
#[test]
fn a_session_that_is_not_to_reconnect_fails_with_the_first_loss() {
    let failed = Phase::Failed(FailureReason::NotMaintained);
    let way = [Input::Start, Input::LoggedIn, Input::SocketOpened, Input::Verified, Input::Resumed];
    let troubles = [
        (1, Input::LoginRefused(LoginRefusal::Unavailable)),
        (2, Input::SocketRefused(SocketRefusal::Unavailable)),
        (3, lost_link()),
        (4, Input::ResumeFailed),
        (5, lost_link()),
    ];
    for (steps, trouble) in troubles {
        let mut driver = Driver::with(SessionPolicy { reconnects: false, ..SessionPolicy::default() });
        way[..steps].iter().for_each(|input| drop(driver.feed(*input)));
        let outputs = driver.feed(trouble);
        assert_eq!(outputs.last(), Some(&Output::Report(Report::Failed(FailureReason::NotMaintained))), "{trouble:?}");
        assert_eq!((driver.phase(), driver.session.next_wake()), (failed, None));
        driver.feed(Input::Start);
        assert_eq!(driver.phase(), Phase::LoggingIn);
    }
}
