//! Two machines with one login (TK-6): each login ends the session of the other one.

use super::*;

/// Another login replaces a ready session; returns how long it waits before its own next login, and why.
fn evict(driver: &mut Driver, input: Input) -> (Duration, Option<WaitReason>) {
    driver.feed(input);
    let reason = driver.session.waiting().map(|wait| wait.reason);
    (driver.reconnect(), reason)
}

#[test]
fn a_login_that_is_ended_again_and_again_is_reported_and_slows_down() {
    let mut driver = Driver::ready();
    let begin = driver.now;
    let mut logins = 0;
    while driver.now.since(begin) < seconds(90) {
        driver.pass(seconds(1));
        evict(&mut driver, platform_close(4401));
        logins += 1;
    }
    assert!(logins <= 9, "{logins} logins in 90 s");
    let (waited, reason) = evict(&mut driver, platform_close(4401));
    assert_eq!(reason, Some(WaitReason::LoggedInElsewhere));
    assert!(waited >= seconds(12), "{waited:?}");
}

#[test]
fn the_pauses_of_a_contested_login_grow_up_to_five_minutes() {
    let mut driver = Driver::ready();
    driver.entropy = 299_999;
    let waits: Vec<Duration> = (0..20).map(|_| evict(&mut driver, platform_close(4401)).0).collect();
    assert!(waits[19] > seconds(200), "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= seconds(316)), "{waits:?}");
}

#[test]
fn one_or_two_lost_tokens_are_not_the_work_of_another_login() {
    let mut driver = Driver::ready();
    for _ in 0..10 {
        for _ in 0..2 {
            let (waited, reason) = evict(&mut driver, platform_close(4401));
            assert_eq!(reason, Some(WaitReason::ConnectionLost));
            assert!(waited <= seconds(2), "{waited:?}");
        }
        driver.live_for(seconds(35));
    }
}

#[test]
fn tokens_that_lived_long_are_not_taken_by_another_login() {
    let mut driver = Driver::ready();
    for _ in 0..10 {
        driver.live_for(seconds(60));
        assert_eq!(evict(&mut driver, platform_close(4401)).1, Some(WaitReason::ConnectionLost));
    }
}

/// The brand's side may close with 1006 when it revokes a token; then the next upgrade shows it.
#[test]
fn a_token_taken_back_without_a_word_counts_as_well() {
    let mut driver = Driver::ready();
    for _ in 0..3 {
        driver.feed(lost_link());
        driver.wake();
        driver.feed(Input::SocketRefused(SocketRefusal::Unauthorized));
        if driver.session.waiting().map(|wait| wait.reason) == Some(WaitReason::LoggedInElsewhere) {
            return;
        }
        driver.reconnect();
    }
    panic!("not told");
}

fn live_until_refresh(driver: &mut Driver) {
    while !driver.live_for(seconds(5)).contains(&Output::RefreshToken) {}
}

/// If open sockets survive another login, the refresh shows it.
#[test]
fn refreshes_refused_in_a_row_tell_of_another_login_and_the_socket_is_kept() {
    let mut driver = Driver::ready();
    for _ in 0..2 {
        live_until_refresh(&mut driver);
        assert!(driver.feed(Input::TokenRefreshRefused(RefreshRefusal::Unauthorized)).contains(&Output::LogIn));
        driver.feed(Input::LoggedIn);
    }
    live_until_refresh(&mut driver);
    assert_eq!(driver.feed(Input::TokenRefreshRefused(RefreshRefusal::Unauthorized)), []);
    assert_eq!(driver.session.waiting().map(|wait| wait.reason), Some(WaitReason::LoggedInElsewhere));
    assert_eq!(driver.phase(), Phase::Ready);
    assert!(driver.live_for(seconds(35)).contains(&Output::LogIn));
}

#[test]
fn a_login_that_stays_for_ten_minutes_is_not_contested_any_more() {
    let mut driver = Driver::ready();
    for _ in 0..5 {
        evict(&mut driver, platform_close(4401));
    }
    driver.live_for(seconds(700));
    assert_eq!(evict(&mut driver, platform_close(4401)).1, Some(WaitReason::ConnectionLost));
}
