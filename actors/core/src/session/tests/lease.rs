//! The right to log in, held by another connection.

use super::*;

#[test]
fn a_session_whose_login_is_held_asks_for_it_again_and_begins_when_it_is_free() {
    let mut driver = Driver::idle();
    for _ in 0..10 {
        driver.feed(Input::Withheld);
        assert_eq!(driver.phase(), Phase::WaitingToLogIn);
        assert_eq!(driver.session.waiting().map(|wait| wait.reason), Some(WaitReason::LoginHeld));
        let (waited, outputs) = driver.wake();
        assert!(waited >= seconds(1) && waited <= seconds(2), "{waited:?}");
        assert_eq!(outputs, [Output::Claim]);
    }
    assert_eq!(driver.feed(Input::Start), [Output::Report(Report::Connecting), Output::LogIn]);
}

#[test]
fn a_login_that_is_lost_ends_the_socket_and_is_asked_for_again() {
    for phase in ALL_PHASES {
        let mut driver = Driver::in_phase(phase);
        let epoch = driver.session.epoch();
        let outputs = driver.feed(Input::Withheld);
        if matches!(phase, Phase::Stopping | Phase::Stopped) {
            assert_eq!((outputs, driver.phase()), (vec![], phase));
            continue;
        }
        assert_eq!(driver.phase(), Phase::WaitingToLogIn, "{phase:?}");
        let closes = outputs.contains(&Output::CloseSocket { code: ABANDONED });
        assert_eq!(closes, phase.is_open() || phase == Phase::Connecting, "{phase:?}");
        assert_ne!(driver.session.epoch(), epoch, "what was begun with it is of no use");
        assert_eq!(driver.wake().1, [Output::Claim]);
    }
}
