//! CA-3: which refusals cost an anonymous consumer its identity.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::*;
use crate::time::Timestamp;

const HOUR: i64 = 60 * 60;

fn refused_every(pause: Duration, times: u32) -> Option<(u32, IdentityLoss)> {
    let (mut standing, mut now) = (IdentityStanding::default(), Millis(1_000_000));
    (1..=times).find_map(|number| {
        let loss = standing.refused(false, now, &SessionPolicy::default());
        now = now.after(pause);
        loss.map(|loss| (number, loss))
    })
}

fn token(claims: &str) -> String {
    format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims))
}

#[test]
fn an_identity_survives_many_refusals_in_a_short_time_and_few_in_a_long_time() {
    assert_eq!(refused_every(seconds(5), 100), None);
    assert_eq!(refused_every(seconds(24 * 3_600), 4), None);
}

#[test]
fn an_identity_that_is_refused_for_ten_minutes_is_lost() {
    assert_eq!(refused_every(seconds(60), 100), Some((11, IdentityLoss::Refused)));
    assert_eq!(refused_every(seconds(300), 100), Some((5, IdentityLoss::Refused)));
}

#[test]
fn a_socket_that_is_accepted_forgets_the_refusals_before_it() {
    let (mut standing, mut now) = (IdentityStanding::default(), Millis(0));
    for _ in 0..1_000 {
        assert_eq!(standing.refused(false, now, &SessionPolicy::default()), None);
        standing.accepted();
        now = now.after(seconds(600));
    }
}

#[test]
fn an_expired_identity_is_lost_with_its_first_refusal() {
    let lost = IdentityStanding::default().refused(true, Millis(0), &SessionPolicy::default());
    assert_eq!(lost, Some(IdentityLoss::Expired));
}

#[test]
fn a_token_tells_when_it_expires() {
    for claims in [r#"{"exp":100}"#, r#"{"exp":"100"}"#, r#"{"exp":100.5,"iat":1}"#] {
        let times = TokenTimes::of(&token(claims));
        assert!(times.has_expired(Timestamp(100_000)), "{claims}");
        assert!(!times.has_expired(Timestamp(99_999)), "{claims}");
    }
}

#[test]
fn a_token_that_does_not_tell_its_times_never_expires_and_is_always_renewable() {
    let untold =
        [token("{}"), token(r#"{"exp":0}"#), token(r#"{"exp":{}}"#), token("no JSON"), "a.b".into(), "".into()];
    for token in untold {
        assert_eq!(TokenTimes::of(&token), TokenTimes::default(), "{token}");
    }
    assert!(!TokenTimes::default().has_expired(Timestamp(i64::MAX)));
    assert!(TokenTimes::default().is_renewable(Timestamp(i64::MAX)));
}

#[test]
fn an_external_token_is_renewable_for_730_hours_after_its_issue_although_it_expires_sooner() {
    let times = TokenTimes::of(&token(r#"{"iat":1000,"exp":1600}"#));
    let at = |seconds: i64| Timestamp((1_000 + seconds) * 1_000);
    assert!(times.has_expired(at(HOUR)));
    assert!(times.is_renewable(at(730 * HOUR - 1)));
    assert!(!times.is_renewable(at(730 * HOUR)));
}
