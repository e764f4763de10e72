//! From the first login to ready.

use super::*;

#[test]
fn a_start_leads_through_login_socket_and_verification_to_a_first_resume() {
    let mut driver = Driver::idle();
    assert_eq!(driver.feed(Input::Start), [Output::Report(Report::Connecting), Output::LogIn]);
    assert_eq!(driver.feed(Input::LoggedIn), [Output::OpenSocket]);
    assert_eq!(driver.feed(Input::SocketOpened), [Output::Verify]);
    assert_eq!(
        driver.feed(Input::Verified),
        [
            Output::Report(Report::Connected),
            Output::Report(Report::Resuming),
            Output::Resume { attempt: 1, first: true }
        ]
    );
    assert_eq!(driver.feed(Input::Resumed), [Output::Report(Report::Resumed)]);
    assert_eq!(driver.phase(), Phase::Ready);
    assert_eq!(driver.session.reconnects(), 0);
}

#[test]
fn commands_may_be_sent_only_when_ready() {
    for phase in ALL_PHASES {
        assert_eq!(Driver::in_phase(phase).session.may_send(), phase == Phase::Ready, "{phase:?}");
    }
}

/// CN-F1, Q7.
#[test]
fn wrong_credentials_fail_at_once() {
    let mut driver = Driver::in_phase(Phase::LoggingIn);
    let failure = FailureReason::CredentialsRefused;
    assert_eq!(driver.feed(Input::LoginRefused(LoginRefusal::Credentials)), [Output::Report(Report::Failed(failure))]);
    assert_eq!(driver.phase(), Phase::Failed(failure));
    assert_eq!(driver.session.next_wake(), None);
}

#[test]
fn a_policy_may_forgive_a_refusal_of_credentials_but_not_for_ever() {
    let mut driver = Driver::with(SessionPolicy { max_credential_refusals: 2, ..SessionPolicy::default() });
    driver.feed(Input::Start);
    driver.feed(Input::LoginRefused(LoginRefusal::Credentials));
    assert_eq!(driver.phase(), Phase::WaitingToLogIn);
    assert!(driver.wake().1.contains(&Output::LogIn));
    driver.feed(Input::LoginRefused(LoginRefusal::Credentials));
    assert_eq!(driver.phase(), Phase::Failed(FailureReason::CredentialsRefused));
}

#[test]
fn a_failed_session_can_be_started_again() {
    let mut driver = Driver::in_phase(Phase::Failed(FailureReason::CredentialsRefused));
    assert_eq!(driver.feed(Input::Start), [Output::Report(Report::Connecting), Output::LogIn]);
    driver.feed(Input::LoggedIn);
    assert_eq!(driver.phase(), Phase::Connecting);
}

/// TK-2.
#[test]
fn an_unavailable_login_is_repeated_not_sooner_than_five_seconds_and_ever_later() {
    let mut driver = Driver::in_phase(Phase::LoggingIn);
    driver.entropy = u64::MAX - 1;
    let mut last = Duration::ZERO;
    for _ in 0..12 {
        driver.feed(Input::LoginRefused(LoginRefusal::Unavailable));
        let until = driver.session.next_wake().unwrap();
        let wait = until.since(driver.now);
        assert!(wait >= seconds(5) && wait <= seconds(305), "{wait:?}");
        last = last.max(wait);
        driver.wake();
        assert_eq!(driver.phase(), Phase::LoggingIn);
    }
    assert!(last > seconds(30), "{last:?}");
}

#[test]
fn a_throttled_login_waits_as_long_as_the_platform_asks_within_reason() {
    for (asked, expected) in [(None, 5), (Some(1), 5), (Some(60), 60), (Some(1_000_000_000), 300)] {
        let mut driver = Driver::in_phase(Phase::LoggingIn);
        let retry_after = asked.map(seconds);
        driver.feed(Input::LoginRefused(LoginRefusal::Throttled { retry_after }));
        assert_eq!(driver.wake().0, seconds(expected), "asked for {asked:?}");
    }
}

#[test]
fn a_login_without_an_answer_is_repeated() {
    let mut driver = Driver::in_phase(Phase::LoggingIn);
    assert_eq!(driver.wake().0, seconds(10));
    assert_eq!(driver.phase(), Phase::WaitingToLogIn);
    let (waited, outputs) = driver.wake();
    assert_eq!((waited, outputs), (seconds(5), vec![Output::Report(Report::Connecting), Output::LogIn]));
}

#[test]
fn a_login_answered_late_spares_the_next_login() {
    let mut driver = Driver::in_phase(Phase::WaitingToLogIn);
    assert_eq!(driver.feed(Input::LoggedIn), []);
    assert_eq!(driver.wake().1, [Output::Report(Report::Connecting), Output::OpenSocket]);
}

#[test]
fn a_second_start_changes_nothing() {
    for phase in ALL_PHASES.into_iter().filter(|phase| !phase.is_at_rest()) {
        let mut driver = Driver::in_phase(phase);
        assert_eq!(driver.feed(Input::Start), [], "{phase:?}");
        assert_eq!(driver.phase(), phase);
    }
}

#[test]
fn every_phase_that_is_not_at_rest_has_a_deadline() {
    for phase in ALL_PHASES {
        let wake = Driver::in_phase(phase).session.next_wake();
        assert_eq!(wake.is_none(), phase.is_at_rest(), "{phase:?}");
    }
}

#[test]
fn the_default_policy_is_valid_and_a_contradictory_one_is_named() {
    assert!(SessionPolicy::default().validate().is_ok());
    let hasty = SessionPolicy { dead_after: seconds(10), ..SessionPolicy::default() };
    assert_eq!(hasty.validate(), Err(PolicyError::Contradiction { lower: "keep_alive_every", upper: "dead_after" }));
    let timeless = SessionPolicy { verify_timeout: Duration::ZERO, ..SessionPolicy::default() };
    assert_eq!(timeless.validate(), Err(PolicyError::TooSmall { limit: "verify_timeout" }));
    let never_failing = SessionPolicy { max_credential_refusals: 0, ..SessionPolicy::default() };
    assert_eq!(never_failing.validate(), Err(PolicyError::TooSmall { limit: "max_credential_refusals" }));
}
