//! The text of errors, and that nothing panics. `actors/core/tests/protocol_data` compares the rules with the schemas.

use proptest::{collection::vec, prelude::*};
use serde_json::{Map, Value, json};

use super::*;

fn said(content: &Value) -> String {
    check_content(content, Strictness::Schema).unwrap_err().to_string()
}

fn in_second_place(element: Value) -> Value {
    json!({ "type": "vertical", "elements": [{ "type": "text", "text": "" }, element] })
}

#[test]
fn a_mistake_is_named_by_its_place_and_the_rule_it_breaks() {
    let link = json!({ "type": "link", "uri": "no uri" });
    let nested = json!({ "type": "carousel", "elements": [in_second_place(json!({ "type": "text" })), {}] });
    for (content, expected) in [
        (json!("card"), "must be an object"),
        (json!({}), "type: is missing"),
        (json!({ "type": "hologram" }), "type: must be one of"),
        (json!({ "type": "vertical" }), "elements: is missing"),
        (json!({ "type": "vertical", "elements": {} }), "elements: must be a list"),
        (json!({ "type": "carousel", "elements": [] }), "elements: has 0 entries, from 2 to 10 are allowed"),
        (json!({ "type": "text", "text": "", "colour": "red" }), "colour: is no member of text"),
        (json!({ "type": "text", "text": "x".repeat(5_001) }), "text: has 5001 characters, 5000 are allowed"),
        (
            in_second_place(json!({ "type": "button", "title": "", "click": { "actions": [link] } })),
            "elements[1].click.actions[0].uri: must be a URI",
        ),
        (
            in_second_place(json!({ "type": "button", "title": "", "class": "big" })),
            r#"elements[1].class: must be one of ["text", "button"]"#,
        ),
        (in_second_place(json!({ "type": "map", "la": 1, "lo": "2" })), "elements[1].lo: must be a number"),
        (nested, "elements[0].elements[1].text: is missing"),
    ] {
        let said = said(&content);
        assert!(said.starts_with(expected), "{said}");
    }
}

#[test]
fn lengths_are_counted_in_characters() {
    let button = |title: &str| json!({ "type": "button", "title": title });
    assert!(check_content(&button(&"😀".repeat(128)), Strictness::Schema).is_ok());
    assert_eq!(said(&button(&"é".repeat(129))), "title: has 129 characters, 128 are allowed");
}

#[test]
fn what_no_rule_knows_may_be_let_through_and_the_rest_keeps_its_rules() {
    let newer = in_second_place(json!({ "type": "hologram", "spin": true }));
    let with_member = in_second_place(json!({ "type": "text", "text": "", "spin": true }));
    let broken = in_second_place(json!({ "type": "text", "text": 7, "spin": true }));
    let untyped = in_second_place(json!({ "text": "" }));
    for (content, schema, lenient) in
        [(newer, false, true), (with_member, false, true), (broken, false, false), (untyped, false, false)]
    {
        assert_eq!(check_content(&content, Strictness::Schema).is_ok(), schema, "{content}");
        assert_eq!(check_content(&content, Strictness::Lenient).is_ok(), lenient, "{content}");
    }
}

#[test]
fn each_channel_has_its_count_of_quick_replies() {
    let replies = |count| {
        let reply = json!({ "type": "button", "title": "Yes" });
        json!({ "type": "quickReplies", "itemsPerRow": 1, "replies": vec![reply; count] })
    };
    use Channel::{Apple, Facebook, Rcs, Web, WhatsApp};
    for (channel, most) in [(Web, 24), (Facebook, 13), (WhatsApp, 13), (Apple, 13), (Rcs, 11)] {
        for (count, is_allowed) in [(0, false), (1, true), (most, true), (most + 1, false)] {
            let verdict = check_quick_replies(&replies(count), channel, Strictness::Schema);
            assert_eq!(verdict.is_ok(), is_allowed, "{count} on {channel:?}: {verdict:?}");
        }
    }
}

#[test]
fn a_reply_of_another_channel_needs_but_a_type() {
    let replies = |reply: Value| json!({ "type": "quickReplies", "itemsPerRow": 1, "replies": [reply] });
    let location = replies(json!({ "type": "location", "anything": 1 }));
    assert!(check_quick_replies(&location, Channel::Facebook, Strictness::Schema).is_ok());
    assert!(check_quick_replies(&location, Channel::Web, Strictness::Schema).is_err());
    assert!(check_quick_replies(&replies(json!({})), Channel::Facebook, Strictness::Schema).is_err());
}

#[test]
fn metadata_of_unpublished_types_is_the_business_of_its_readers() {
    for (metadata, is_allowed) in [
        (json!({ "type": "Survey", "revision": {} }), true),
        (json!({ "type": "ExternalId", "id": "k" }), true),
        (json!({ "type": "ExternalId", "id": 7 }), false),
        (json!({ "type": "" }), false),
        (json!({ "id": "k" }), false),
        (json!([]), false),
    ] {
        assert_eq!(check_metadata(&metadata, Strictness::Schema).is_ok(), is_allowed, "{metadata}");
    }
}

#[test]
fn elements_deeper_than_any_reader_goes_are_refused() {
    let nested = |depth| {
        let text = json!({ "type": "text", "text": "" });
        (1..depth).fold(text, |inner, _| json!({ "type": "horizontal", "elements": [inner] }))
    };
    assert!(check_content(&nested(50), Strictness::Schema).is_ok());
    let deep = check_content(&nested(51), Strictness::Lenient).unwrap_err();
    assert!(deep.to_string().ends_with("[0]: lies deeper than 50 elements"), "{deep}");
}

const NAMES: &[&str] =
    &["type", "elements", "click", "actions", "metadata", "text", "replies", "style", "titles", "intents"];
const WORDS: &[&str] =
    &["vertical", "carousel", "list", "text", "button", "link", "sectionList", "quickReplies", "BotResponse"];

/// Values that look like content at every level.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::sample::select(WORDS).prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        let member = (prop::sample::select(NAMES), inner.clone());
        let typed = (prop::sample::select(WORDS), vec(member.clone(), 0..5)).prop_map(|(kind, members)| {
            let mut members: Map<_, _> = members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            members.insert("type".to_owned(), kind.into());
            Value::Object(members)
        });
        prop_oneof![vec(inner, 0..4).prop_map(Value::from), typed]
    })
}

proptest! {
    #[test]
    fn no_value_panics_and_what_the_schemas_allow_is_allowed_leniently(value in values()) {
        for check in [check_content, check_metadata, |value: &Value, strictness| {
            check_quick_replies(value, Channel::Web, strictness)
        }] {
            let (strict, lenient) = (check(&value, Strictness::Schema), check(&value, Strictness::Lenient));
            prop_assert!(strict.is_err() || lenient.is_ok());
        }
    }
}
