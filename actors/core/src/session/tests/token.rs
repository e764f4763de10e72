//! The token's lifetime, which does not depend on the socket: refresh, renewal, refusal.

use super::*;

/// A ready session whose refresh was just requested.
fn refreshing() -> Driver {
    let mut driver = Driver::ready();
    let outputs = driver.live_for(seconds(240));
    assert_eq!(outputs.iter().filter(|output| **output == Output::RefreshToken).count(), 1);
    driver
}

/// A ready session whose token was revoked and whose login for the next connect is running.
fn renewing() -> Driver {
    let mut driver = refreshing();
    let revoked = Input::TokenRefreshRefused(RefreshRefusal::Unauthorized);
    assert_eq!(driver.feed(revoked), [Output::LogIn]);
    assert_eq!(driver.phase(), Phase::Ready, "a healthy socket is kept");
    driver
}

/// TK-1.
#[test]
fn a_token_is_refreshed_every_four_minutes() {
    let mut driver = refreshing();
    driver.feed(Input::TokenRefreshed);
    assert!(!driver.live_for(seconds(235)).contains(&Output::RefreshToken));
    assert!(driver.live_for(seconds(5)).contains(&Output::RefreshToken));
}

/// TK-3.
#[test]
fn a_refresh_without_success_is_repeated_at_its_next_time() {
    for answer in [Some(Input::TokenRefreshRefused(RefreshRefusal::Unavailable)), None] {
        let mut driver = refreshing();
        if let Some(answer) = answer {
            driver.feed(answer);
        }
        assert!(driver.live_for(seconds(255)).contains(&Output::RefreshToken), "{answer:?}");
        assert_eq!(driver.phase(), Phase::Ready);
    }
}

#[test]
fn a_token_that_cannot_be_refreshed_is_left_alone() {
    let mut driver = Driver::with(SessionPolicy { refresh_every: None, ..SessionPolicy::default() });
    for input in [Input::Start, Input::LoggedIn, Input::SocketOpened, Input::Verified, Input::Resumed] {
        driver.feed(input);
    }
    assert!(!driver.live_for(seconds(3_600)).contains(&Output::RefreshToken));
}

#[test]
fn a_token_that_a_service_refused_is_refreshed_once_before_another_login() {
    let mut driver = Driver::ready();
    let refused = Input::ServiceRefusedToken { can_refresh: true };
    assert_eq!(driver.feed(refused), [Output::RefreshToken]);
    assert_eq!(driver.feed(refused), [], "the refresh is running");
    driver.feed(Input::TokenRefreshed);
    assert!(driver.session.holds_token());
    assert_eq!(driver.feed(refused), [Output::RefreshToken]);
    let revoked = Input::TokenRefreshRefused(RefreshRefusal::Unauthorized);
    assert_eq!(driver.feed(revoked), [Output::LogIn]);
    assert!(driver.session.obtains_token() && driver.phase() == Phase::Ready);
    driver.feed(Input::LoggedIn);
    assert!(driver.session.holds_token());
}

#[test]
fn a_token_without_a_refresh_is_renewed_by_one_login_but_not_by_repeated_logins() {
    let mut driver = Driver::ready();
    let refused = Input::ServiceRefusedToken { can_refresh: false };
    assert_eq!(driver.feed(refused), [], "it was granted just now");
    driver.live_for(seconds(6));
    assert_eq!(driver.feed(refused), [Output::LogIn]);
    driver.feed(Input::LoggedIn);
    assert_eq!(driver.feed(refused), []);
    driver.feed(lost_link());
    assert_eq!(driver.feed(refused), [], "without a socket, the next connect shows whether the token is valid");
}

#[test]
fn a_token_renewed_under_a_healthy_socket_is_for_the_next_connect() {
    let mut driver = renewing();
    assert_eq!(driver.feed(Input::LoggedIn), []);
    driver.feed(lost_link());
    assert_eq!(driver.wake().1, [Output::Report(Report::Connecting), Output::OpenSocket]);
}

#[test]
fn a_close_that_blames_the_old_token_leaves_the_renewed_one() {
    let mut driver = renewing();
    driver.feed(Input::LoggedIn);
    driver.feed(platform_close(4401));
    assert_eq!(driver.wake().1, [Output::Report(Report::Connecting), Output::OpenSocket]);
    driver.feed(Input::SocketOpened);
    driver.feed(Input::Verified);
    driver.feed(platform_close(4401));
    assert!(driver.wake().1.contains(&Output::LogIn), "now it is the renewed token that is blamed");
}

#[test]
fn no_second_login_begins_beside_one_under_way() {
    let mut driver = renewing();
    driver.feed(lost_link());
    assert_eq!(driver.wake().1, [Output::Report(Report::Connecting)]);
    assert_eq!(driver.phase(), Phase::LoggingIn);
    assert_eq!(driver.feed(Input::LoggedIn), [Output::OpenSocket]);
}

#[test]
fn a_renewal_without_success_is_repeated_while_the_socket_lives() {
    for answer in [Some(Input::LoginRefused(LoginRefusal::Unavailable)), None] {
        let mut driver = renewing();
        if let Some(answer) = answer {
            driver.feed(answer);
        }
        assert!(driver.live_for(seconds(30)).contains(&Output::LogIn), "{answer:?}");
        assert_eq!(driver.phase(), Phase::Ready);
    }
}

#[test]
fn credentials_refused_under_a_healthy_socket_are_tried_again_and_the_socket_is_kept() {
    let mut driver = renewing();
    driver.feed(Input::LoginRefused(LoginRefusal::Credentials));
    assert!(driver.live_for(seconds(15)).contains(&Output::LogIn));
    assert_eq!(driver.phase(), Phase::Ready);
}

/// TK-3.
#[test]
fn a_refresh_refused_after_the_socket_was_lost_leads_to_a_login() {
    let mut driver = refreshing();
    driver.feed(lost_link());
    assert_eq!(driver.feed(Input::TokenRefreshRefused(RefreshRefusal::Unauthorized)), []);
    assert!(driver.wake().1.contains(&Output::LogIn));
}

#[test]
fn a_socket_refused_for_its_token_leads_to_a_new_token() {
    let mut driver = Driver::in_phase(Phase::Connecting);
    driver.feed(Input::SocketRefused(SocketRefusal::Unauthorized));
    assert!(driver.wake().1.contains(&Output::LogIn));
}

#[test]
fn an_accepted_socket_forgets_earlier_refusals_of_tokens() {
    let mut driver = Driver::ready();
    for _ in 0..10 {
        driver.feed(platform_close(4401));
        driver.wake();
        driver.feed(Input::LoggedIn);
        driver.feed(Input::SocketRefused(SocketRefusal::Unauthorized));
        driver.reconnect();
    }
}
