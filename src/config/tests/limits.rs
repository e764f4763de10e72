//! `gateway.limits`.

use super::*;

#[test]
fn missing_limits_have_their_defaults() {
    let read = |text: &str| Configuration::parse(text, &Environment::default()).unwrap().gateway.limits;
    assert_eq!(read(""), Limits::default());
    let limits = read("[gateway]\nlimits = { requests_per_second = 5, burst = 9 }\n");
    assert_eq!(limits, Limits { requests_per_second: 5, burst: 9, ..Limits::default() });
}

#[test]
fn limits_that_would_let_nobody_in_are_mistakes() {
    let text = "[gateway]\nlimits = { requests_per_second = 0, concurrent = 0, brust = 1 }\n";
    assert_eq!(
        mistakes_in(text, &Environment::default()),
        [
            "2 gateway.limits.requests_per_second: expected a whole number from 1 to 1000000, found 0",
            "2 gateway.limits.concurrent: expected a whole number from 1 to 100000, found 0",
            "2 gateway.limits.brust: unknown key \"brust\"; the nearest valid one is \"burst\"",
        ]
    );
}
