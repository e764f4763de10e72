//! The section `[supervision]`.

use std::{num::NonZeroUsize, time::Duration};

use super::*;

#[test]
fn every_policy_can_be_configured() {
    let text = r#"
[supervision]
conversation = { restarts = 3, within = "1m" }
connection = { restarts = 0 }
subscriber.within = "90s"
dead_letters = 100

[supervision.systemic]
failures = 50
conversations = 10
within = "5s"
resets = 1
"#;
    let read = Configuration::parse(text, &Environment::default()).unwrap().supervision;
    assert_eq!(read.conversation, Restarts { restarts: Some(3), within: Some(Duration::from_secs(60)) });
    assert_eq!(read.connection, Restarts { restarts: Some(0), within: None });
    assert_eq!(read.subscriber, Restarts { restarts: None, within: Some(Duration::from_secs(90)) });
    assert_eq!(read.dead_letters, NonZeroUsize::new(100));
    let within = Some(Duration::from_secs(5));
    let systemic = Systemic { failures: Some(50), conversations: Some(10), within, resets: Some(1) };
    assert_eq!(read.systemic, systemic);
}

#[test]
fn every_policy_is_optional() {
    let read = Configuration::parse("", &Environment::default()).unwrap().supervision;
    assert_eq!(read, Supervision::default());
}

#[test]
fn a_number_in_the_environment_is_read_from_text() {
    let variables = environment(&[
        ("TERTULIA_SUPERVISION__CONVERSATION__RESTARTS", "7"),
        ("TERTULIA_SUPERVISION__CONVERSATION__WITHIN", "2m"),
    ]);
    let read = Configuration::parse("", &variables).unwrap().supervision;
    assert_eq!(read.conversation, Restarts { restarts: Some(7), within: Some(Duration::from_secs(120)) });
    let variables = environment(&[("TERTULIA_SUPERVISION__DEAD_LETTERS", "many")]);
    assert_eq!(
        mistakes_in("", &variables),
        ["TERTULIA_SUPERVISION__DEAD_LETTERS supervision.dead_letters: \
          expected a whole number from 1 to 1000000, found \"many\""]
    );
}

#[test]
fn every_mistake_is_reported_with_its_line() {
    assert_mistakes(
        r#"
[supervision]
conversation = { restarts = -1, within = "soon" }
connection = { restarts = "5", within = 30 }
subscriber = { restarts = 5.5, within = "2 days" }
dead_letters = 0
retries = 3

[supervision.systemic]
failures = 99999999999999999999
conversations = true
within = "-1s"
"#,
        &[
            "3 supervision.conversation.restarts: expected a whole number from 0 to 1000, found -1",
            "3 supervision.conversation.within: expected a duration from 1s to 24h, such as \"30s\" or \"5m\", found \"soon\"",
            "4 supervision.connection.restarts: expected a whole number from 0 to 1000, found text",
            "4 supervision.connection.within: expected text in quotes, found a number",
            "5 supervision.subscriber.restarts: expected a whole number from 0 to 1000, found a number",
            "5 supervision.subscriber.within: expected a duration from 1s to 24h, such as \"30s\" or \"5m\", found \"2 days\"",
            "6 supervision.dead_letters: expected a whole number from 1 to 1000000, found 0",
            "7 supervision.retries: unknown key \"retries\"; the nearest valid one is \"subscriber\"",
            "10 supervision.systemic.failures: expected a whole number from 0 to 1000, found a number",
            "11 supervision.systemic.conversations: expected a whole number from 1 to 100000, found true or false",
            "12 supervision.systemic.within: expected a duration from 1s to 24h, such as \"30s\" or \"5m\", found \"-1s\"",
        ],
    );
}
