//! The rules of the note field (NT-2 to NT-7), and for any notes: none is lost, none is too long, all is JSON.

use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};

use super::*;

const ME: &str = "12345678.1";

fn room(limit: usize) -> NoteRoom {
    NoteRoom { limit, budget: NoteBudget::WholeField }
}

fn note(content: &str) -> AgentNote {
    let (agent_id, time) = (AgentId::from(ME), Timestamp(1_700_000_000_000));
    AgentNote {
        name: "Bot".to_owned(),
        note_content: content.to_owned(),
        time,
        note_id: AgentNote::id_of(&agent_id, time),
        agent_id,
        is_auto_summary: false,
    }
}

fn entry(agent: &str, note_id: &str, content: &str) -> Value {
    json!({ "agentId": agent, "name": "Anna", "noteContent": content, "time": 1, "noteId": note_id, "isAutoSummary": true })
}

fn written(present: Option<&str>, content: &str) -> NotePlan {
    write(present, note(content), true, room(5_000)).unwrap()
}

fn entries(field: &str) -> Vec<Value> {
    serde_json::from_str(field).unwrap()
}

fn chars(text: &str) -> usize {
    text.chars().count()
}

#[test]
fn nt_2_the_first_note_is_an_array_of_one_entry() {
    let expected = json!([{ "agentId": ME, "name": "Bot", "noteContent": "hello", "time": 1_700_000_000_000_i64,
        "noteId": "12345678.1::1700000000000", "isAutoSummary": false }]);
    for present in [None, Some(""), Some(" \n"), Some("[]"), Some(" [ ] ")] {
        let NotePlan { field, written } = written(present, "hello");
        assert_eq!(json!(entries(&field)), expected);
        assert_eq!((written.note_id.as_str(), written.truncated_text()), ("12345678.1::1700000000000", None));
    }
}

#[test]
fn nt_3_a_note_is_written_after_the_notes_of_others() {
    let others = json!([entry("a", "a::1", "one"), entry("b", "b::2", "two")]).to_string();
    let all = entries(&written(Some(&others), "three").field);
    assert_eq!(all[..2], entries(&others));
    assert_eq!(all[2]["noteContent"], "three");
}

#[test]
fn nt_3_the_agents_own_note_of_the_same_id_is_replaced_in_its_place() {
    let first = written(Some(&json!([entry("a", "a::1", "one")]).to_string()), "draft").field;
    let with_later = json!([entries(&first), vec![entry("b", "b::2", "two")]].concat::<Value>()).to_string();
    let all = entries(&written(Some(&with_later), "final").field);
    let contents: Vec<&Value> = all.iter().map(|entry| &entry["noteContent"]).collect();
    assert_eq!(contents, ["one", "final", "two"]);
}

#[test]
fn nt_3_anothers_note_of_the_same_id_is_not_replaced() {
    let id = note("").note_id;
    let others = json!([entry("a", &id, "one")]).to_string();
    let refused = NoteError::OfAnother { note_id: id, agent_id: AgentId::from("a") };
    assert_eq!(write(Some(&others), note("mine"), true, room(5_000)), Err(refused));
}

#[test]
fn nt_3_what_is_not_understood_in_others_notes_is_kept_to_the_byte() {
    let others = r#"[{"noteId":7,"x":1.50000000000000000001,"x":2}, {"noteContent":"\ud800" , "y":{}},{}]"#;
    let field = written(Some(others), "mine").field;
    for kept in [r#"{"noteId":7,"x":1.50000000000000000001,"x":2}"#, r#"{"noteContent":"\ud800" , "y":{}}"#, ",{},"] {
        assert!(field.contains(kept), "{kept} in {field}");
    }
}

#[test]
fn a_plain_note_of_former_times_becomes_the_entry_of_an_unknown_agent() {
    for plain in ["call back", r#""quoted""#, r#"{"a":1}"#, "[1]", r#"[{"agentId":"a","noteCon"#, "null"] {
        let all = entries(&written(Some(plain), "mine").field);
        assert_eq!((all.len(), &all[0]["noteContent"], &all[0]["agentId"]), (2, &json!(plain), &json!("")));
        let again = entries(&written(Some(&json!(all).to_string()), "other").field);
        assert_eq!((again.len(), &again[0], &again[1]["noteContent"]), (2, &all[0], &json!("other")));
    }
}

#[test]
fn nt_6_a_note_too_long_is_cut_so_that_the_escaped_field_fits() {
    let empty = chars(&written(None, "").field);
    let plan = write(None, note("a\"b\"c"), true, room(empty + 4)).unwrap();
    assert_eq!(chars(&plan.field), empty + 4);
    assert_eq!(plan.written.truncated_text(), Some("a\"b"), "each quote takes two characters");
    let plan = write(None, note("a\"b\"c"), true, room(empty + 2)).unwrap();
    assert_eq!(plan.written.truncated_text(), Some("a"), "an escaped quote is not split");
    let plan = write(None, note("a😀b"), true, room(empty + 2)).unwrap();
    assert_eq!(plan.written.truncated_text(), Some("a😀"));
}

#[test]
fn nt_6_a_note_too_long_that_may_not_be_cut_is_refused() {
    let empty = chars(&written(None, "").field);
    let refused = write(None, note("abcdef"), false, room(empty + 4));
    assert_eq!(refused, Err(NoteError::TooLong { length: 6, room: 4 }));
    assert!(write(None, note("abcdef"), false, room(empty + 6)).is_ok());
}

#[test]
fn nt_7_where_not_one_character_fits_no_room_is_left() {
    let empty = chars(&written(None, "").field);
    for (content, limit) in [("a", empty), ("a", 0), ("", empty - 1), ("\u{1}", empty + 5)] {
        for may_truncate in [true, false] {
            let refused = write(None, note(content), may_truncate, room(limit)).unwrap_err();
            assert_eq!(refused.to_string(), "No room left to add agent note");
        }
    }
    assert!(write(None, note(""), true, room(empty)).is_ok());
    let full = "x".repeat(5_000);
    assert_eq!(write(Some(&full), note("a"), true, room(5_000)), Err(NoteError::NoRoomLeft));
}

#[test]
fn the_limit_may_be_that_of_each_note_instead() {
    let per_note = NoteRoom { limit: 3, budget: NoteBudget::PerNote };
    let others = json!([entry("a", "a::1", "longer than three")]).to_string();
    let plan = write(Some(&others), note("\"\"\"\""), true, per_note).unwrap();
    assert_eq!(plan.written.truncated_text(), Some("\"\"\""));
    assert_eq!(write(None, note("abcd"), false, per_note), Err(NoteError::TooLong { length: 4, room: 3 }));
}

#[test]
fn a_field_shows_a_note_in_whatever_spelling() {
    let NotePlan { field, written } = written(None, "hello");
    let respelled = field.replace("[{", "[\n{ ").replace("hello", "\\u0068ello");
    assert!(shows(Some(&field), &written) && shows(Some(&respelled), &written));
    for other in [None, Some("hello"), Some("[]"), Some(field.replace("hello", "hullo").as_str())] {
        assert!(!shows(other, &written));
    }
}

#[test]
fn a_write_loses_the_notes_that_came_after_it_was_planned() {
    let before = json!([entry("a", "a::1", "one")]).to_string();
    let NotePlan { field, written } = written(Some(&before), "mine");
    let meanwhile = json!([entry("a", "a::1", "one"), entry("b", "b::2", "two")]).to_string();
    assert!(entries_lost(Some(&meanwhile), &field, &written));
    for harmless in [None, Some(before.as_str()), Some(field.as_str())] {
        assert!(!entries_lost(harmless, &field, &written));
    }
    let own_draft = write(Some(&before), note("draft"), true, room(5_000)).unwrap().field;
    assert!(!entries_lost(Some(&own_draft), &field, &written), "one's own note of the same id is replaced");
}

/// Fields as they may be found: arrays of notes, plain text, anything.
fn fields() -> impl Strategy<Value = Option<String>> {
    let entry = (any::<String>(), any::<String>(), any::<u64>())
        .prop_map(|(agent, content, other)| json!({ "agentId": agent, "noteContent": content, "other": other }));
    let notes = vec(entry, 0..4).prop_map(|notes| json!(notes).to_string());
    prop_oneof![
        Just(None),
        notes.prop_map(Some),
        any::<String>().prop_map(Some),
        r#"[\[\]{}",:a1]{0,12}"#.prop_map(Some)
    ]
}

proptest! {
    #[test]
    fn nt_any_note_fits_and_none_is_lost(
        present in fields(), content in any::<String>(), limit in 0..600_usize, may_truncate in any::<bool>(),
    ) {
        let Ok(NotePlan { field, written }) = write(present.as_deref(), note(&content), may_truncate, room(limit)) else {
            return Ok(());
        };
        prop_assert!(chars(&field) <= limit);
        let all = entries(&field);
        let own = all.last().unwrap();
        prop_assert_eq!(&own["noteContent"], &json!(&written.content));
        prop_assert!(content.starts_with(&written.content) && (may_truncate || !written.truncated));
        prop_assert_eq!(written.truncated, written.content != content);
        if written.truncated {
            let longer = chars(&written.content) + 1;
            let longer: String = content.chars().take(longer).collect();
            let refused = write(present.as_deref(), note(&longer), false, room(limit));
            prop_assert!(refused.is_err(), "one character more would have fitted");
        }
        let present = present.unwrap_or_default();
        let expected = match serde_json::from_str::<Vec<serde_json::Map<String, Value>>>(&present) {
            Ok(others) => others.into_iter().map(Value::Object).collect(),
            Err(_) if present.trim().is_empty() => Vec::new(),
            Err(_) => vec![json!(present)],
        };
        prop_assert_eq!(all.len(), expected.len() + 1);
        for (kept, other) in all.iter().zip(&expected) {
            prop_assert!(kept == other || kept["noteContent"] == *other);
        }
        prop_assert!(shows(Some(&field), &written) && !entries_lost(Some(&present), &field, &written));
    }
}

/// NT-3: two fields together hold the notes of both, one of the same id once and as it is now.
#[test]
fn nt_3_a_union_has_all_notes_of_both_once() {
    let entry = |id: &str, content: &str| json!({ "agentId": "1.2", "noteId": id, "noteContent": content });
    let present = json!([entry("a", "new"), entry("b", "b")]).to_string();
    let earlier = json!([entry("a", "old"), entry("c", "c")]).to_string();
    let all: Vec<Value> = serde_json::from_str(&union(Some(&present), &earlier)).unwrap();
    assert_eq!(all, [entry("a", "new"), entry("b", "b"), entry("c", "c")]);
    let all: Vec<Value> = serde_json::from_str(&union(Some("plain"), "plain")).unwrap();
    assert_eq!(all.len(), 1);
}
