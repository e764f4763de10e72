//! Reading any text ends in a configuration or in mistakes with lines.

use proptest::prelude::*;

use super::*;

/// Lines that are nearly right, so that the property below tests more than the parser.
fn nearly_a_line() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "[platform]",
        "[[connections]]",
        "[gateway]",
        "[engine]",
        "[supervision]",
        "[drain]",
        "[webhooks]",
        "allow_internal",
        "systemic.failures",
        "conversation.within",
        "id",
        "login",
        "role",
        "account",
        "subscribe.agents",
        "subscribe.stage",
        "tokens",
        "listen",
        "kind",
        "url",
        "path",
        "leases",
        "retain_days",
        "connections",
        "login.password.env",
        "proxy",
        "proxy.host",
        "client_properties.features",
    ]);
    let value = prop::sample::select(vec![
        "",
        " = \"brand\"",
        " = \"a\"",
        " = {}",
        " = []",
        " = [{}]",
        " = { username = \"a\", password = 1 }",
        " = \"",
        " = 1",
        " = true",
        " = \"127.0.0.1:1\"",
        " = \"embedded\"",
        " = [\"OPEN\"]",
        " = \"é\u{0}",
    ]);
    (key, value).prop_map(|(key, value)| format!("{key}{value}"))
}

#[test]
fn text_that_nests_without_end_is_read_without_a_panic() {
    for opening in ["[", "a.", "a=[", "a={a="] {
        assert!(Configuration::parse(&opening.repeat(100_000), &Environment::default()).is_err());
    }
    let variables = environment(&[
        ("TERTULIA_GATEWAY__LISTEN", &"[".repeat(100_000)),
        (&format!("TERTULIA_GATEWAY{}", "__A".repeat(100_000)), "1"),
    ]);
    assert!(Configuration::parse("", &variables).is_err());
}

proptest! {
    #[test]
    fn arbitrary_text_is_read_without_a_panic(text in any::<String>(), name in "[A-Z_0-9]{0,30}", value in any::<String>()) {
        let variables = environment(&[(&format!("TERTULIA_{name}"), &value)]);
        let _ = Configuration::parse(&text, &variables);
    }

    #[test]
    fn nearly_right_text_is_read_without_a_panic_and_its_mistakes_have_lines(
        lines in prop::collection::vec(nearly_a_line(), 0..20)
    ) {
        let text = lines.join("\n");
        if let Err(problems) = Configuration::parse(&text, &Environment::default()) {
            prop_assert!(!problems.is_empty());
            for problem in problems {
                prop_assert!(matches!(problem.place, Place::Line(line) if line >= 1 && line <= lines.len().max(1)));
            }
        }
    }
}
