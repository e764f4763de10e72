//! The section `[webhooks]`.

use std::time::Duration;

use super::*;

#[test]
fn every_value_is_optional() {
    let text = "[webhooks]\nallow_internal = true\nattempt_within = \"500ms\"\ndisable_after = \"12h\"\n";
    let read = Configuration::parse(text, &Environment::default()).unwrap().webhooks;
    let (attempt_within, disable_after) = (Some(Duration::from_millis(500)), Some(Duration::from_secs(12 * 3_600)));
    assert_eq!(read, Webhooks { allow_internal: true, attempt_within, disable_after });
    let read = Configuration::parse("", &Environment::default()).unwrap().webhooks;
    assert_eq!(read, Webhooks::default());
    assert!(!read.allow_internal);
}

#[test]
fn internal_receivers_can_be_allowed_by_the_environment() {
    let allowed = |value| {
        let variables = environment(&[("TERTULIA_WEBHOOKS__ALLOW_INTERNAL", value)]);
        Configuration::parse("", &variables).map(|read| read.webhooks.allow_internal)
    };
    assert!(allowed("true").unwrap());
    assert!(!allowed("false").unwrap());
    assert_eq!(allowed("yes").unwrap_err()[0].message, "expected true or false, found \"yes\"");
}

#[test]
fn every_mistake_is_reported_with_its_line() {
    assert_mistakes(
        r#"
[webhooks]
allow_internal = "true"
attempt_within = "2m"
disable_after = 5
allow = true
"#,
        &[
            "3 webhooks.allow_internal: expected true or false, found text",
            "4 webhooks.attempt_within: expected a duration from 100ms to 1m, such as \"30s\" or \"5m\", found \"2m\"",
            "5 webhooks.disable_after: expected text in quotes, found a number",
            "6 webhooks.allow: unknown key \"allow\"; the nearest valid one is \"allow_internal\"",
        ],
    );
}
