//! The note: one agent's note among the others, or the whole text (CV-F9, CV-F12, NT-1, NT-4 to NT-7).

use serde_json::{Value, json};

use super::scene::{Scene, agent, consumer, planned_of};
use crate::{
    command::*,
    id::AgentId,
    note::{NoteBudget, WrittenNote},
    time::Timestamp,
};

fn whole(note: &str) -> Command {
    Command::SetNote { note: note.to_owned() }
}

fn own(content: &str) -> SetAgentNote {
    SetAgentNote::new(content.to_owned(), Timestamp(1_700_000_000_000))
}

fn with_note(note: &Value) -> Scene {
    Scene::open().member("note", json!(note.to_string()))
}

fn anna() -> Value {
    json!({ "agentId": "12345678.2", "name": "Anna", "noteContent": "vip", "noteId": "12345678.2::1", "pinned": true })
}

fn asked_with(scene: &Scene, note: SetAgentNote, limits: &Limits) -> Result<WrittenNote, CommandError> {
    let plan = Command::SetAgentNote(note).requests(&scene.conversation(), &agent(), &"k".into(), limits)?;
    let Plan::Request(planned) = plan else { panic!("nothing is sent") };
    Ok(planned.note.unwrap())
}

#[test]
fn cv_f9_an_agents_note_goes_beside_those_of_others() {
    let sent = with_note(&json!([anna()])).changes(&Command::SetAgentNote(own("call back")), &agent());
    assert_eq!(sent[0]["field"], "Note");
    let field: Value = serde_json::from_str(sent[0]["note"].as_str().unwrap()).unwrap();
    assert_eq!(
        field,
        json!([anna(), { "agentId": "12345678.1", "name": "Bot", "noteContent": "call back",
            "time": 1_700_000_000_000_i64, "noteId": "12345678.1::1700000000000", "isAutoSummary": false }])
    );
}

#[test]
fn nt_4_nt_5_the_caller_may_give_the_agents_name_and_id() {
    let note = SetAgentNote {
        agent_id: Some(AgentId::from("12345678.9")),
        name: Some("Zoe".to_owned()),
        note_id: Some("summary".to_owned()),
        is_auto_summary: true,
        ..own("text")
    };
    let sent = Scene::open().changes(&Command::SetAgentNote(note), &agent());
    let field: Value = serde_json::from_str(sent[0]["note"].as_str().unwrap()).unwrap();
    let (agent, name, id) = (&field[0]["agentId"], &field[0]["name"], &field[0]["noteId"]);
    assert_eq!((agent, name, id), (&json!("12345678.9"), &json!("Zoe"), &json!("summary")));
    assert_eq!(field[0]["isAutoSummary"], true);
    let of_another = SetAgentNote { agent_id: Some(AgentId::from("12345678.9")), ..own("text") };
    let written = asked_with(&Scene::open(), of_another, &Limits::default()).unwrap();
    assert_eq!(written.note_id, "12345678.9::1700000000000");
}

#[test]
fn nt_6_a_note_is_cut_unless_that_is_forbidden() {
    let per_note = Limits { note_chars: 4, note_budget: NoteBudget::PerNote, ..Limits::default() };
    let written = asked_with(&Scene::open(), own("abcdef"), &per_note).unwrap();
    assert_eq!((written.truncated, written.truncated_text()), (true, Some("abcd")));
    let whole = SetAgentNote { truncate_enabled: false, ..own("abcdef") };
    assert_eq!(asked_with(&Scene::open(), whole, &per_note).unwrap_err().code(), "note-too-long");
    let told: SetAgentNote = serde_json::from_value(json!({ "noteContent": "abc", "time": 1 })).unwrap();
    assert!(told.truncate_enabled, "it is the default");
}

#[test]
fn nt_7_a_note_without_room_is_refused_in_the_sdks_words() {
    let full = Scene::open().member("note", json!("x".repeat(5_000)));
    let error = asked_with(&full, own("a"), &Limits::default()).unwrap_err();
    assert_eq!(error.code(), "note-full");
    assert_eq!(error.refusal.to_string(), "No room left to add agent note");
}

#[test]
fn nt_3_the_note_of_another_is_not_replaced() {
    let note = SetAgentNote { note_id: Some("12345678.2::1".to_owned()), ..own("mine") };
    let refused = with_note(&json!([anna()])).refusal(&Command::SetAgentNote(note), &agent());
    assert_eq!(refused, "note-of-another");
}

#[test]
fn nt_1_a_note_is_written_by_agents_after_the_end_but_not_once_locked() {
    for note in [Command::SetAgentNote(own("new")), whole("new")] {
        assert!(Scene::closed().asked(&note, &agent()).is_ok());
        assert_eq!(Scene::closed().stage("LOCKED").refusal(&note, &agent()), "conversation-locked");
        assert_eq!(Scene::open().refusal(&note, &consumer()), "not-supported");
    }
}

#[test]
fn cv_f12_the_whole_note_is_replaced() {
    let sent = with_note(&json!([anna()])).changes(&whole("new"), &agent());
    assert_eq!(sent, json!([{ "field": "Note", "note": "new" }]));
}

#[test]
fn a_note_that_another_overwrote_is_not_done_and_planned_again_keeps_both() {
    let mut conversation = Scene::open().conversation();
    let command = Command::SetAgentNote(own("mine"));
    let planned = planned_of(&conversation, &command, &agent());
    assert_eq!(planned.repeat, Repeat::ReadStateThenAct);
    assert!(!planned.is_done(&conversation) && !planned.overwrites_notes(&conversation));

    with_note(&json!([anna()])).later().tell(&mut conversation);
    assert!(!planned.is_done(&conversation) && planned.overwrites_notes(&conversation));

    let again = planned_of(&conversation, &command, &agent());
    let body = serde_json::to_value(&again.request).unwrap();
    let field: Value = serde_json::from_str(body["conversationField"][0]["note"].as_str().unwrap()).unwrap();
    with_note(&field).later().later().tell(&mut conversation);
    assert!(again.is_done(&conversation) && !again.overwrites_notes(&conversation));
    assert_eq!((field[0].clone(), &field[1]["noteContent"]), (anna(), &json!("mine")));
}

/// The field after this request.
fn field_of(planned: &PlannedRequest) -> Value {
    let body = serde_json::to_value(&planned.request).unwrap();
    body["conversationField"][0]["note"].clone()
}

/// The conversation after this request.
fn showing(planned: &PlannedRequest) -> Scene {
    Scene::open().member("note", field_of(planned))
}

fn contents(field: &Value) -> Vec<String> {
    let entries: Vec<Value> = serde_json::from_str(field.as_str().unwrap()).unwrap();
    entries.iter().filter_map(|entry| entry["noteContent"].as_str().map(str::to_owned)).collect()
}

fn note_at(content: &str, time: i64) -> Command {
    Command::SetAgentNote(SetAgentNote::new(content.to_owned(), Timestamp(time)))
}

/// NT-3: a note that no state shows yet is not lost by the next one; a note that a state has shown is forgotten.
#[test]
fn nt_3_a_note_is_remembered_until_a_state_shows_it() {
    let before = with_note(&json!([anna()]));
    let mut conversation = before.conversation();
    let first = planned_of(&conversation, &note_at("one", 1), &agent());
    first.confirmed(&mut conversation);
    let second = planned_of(&conversation, &note_at("two", 2), &agent());
    assert_eq!(contents(&field_of(&second)), ["vip", "one", "two"]);
    // A state of the time before, told late, and a reload between change nothing.
    before.clone().member("groupId", json!("7")).later().tell(&mut conversation);
    let snapshot = serde_json::to_string(&conversation).unwrap();
    let mut conversation = serde_json::from_str(&snapshot).unwrap();
    assert_eq!(contents(&field_of(&planned_of(&conversation, &note_at("two", 2), &agent()))), ["vip", "one", "two"]);
    second.confirmed(&mut conversation);

    // The states of both writes come, one after the other: the first shows what was replaced.
    showing(&first).later().later().tell(&mut conversation);
    assert_eq!(contents(&field_of(&planned_of(&conversation, &note_at("three", 3), &agent()))).len(), 4);
    showing(&second).later().later().later().tell(&mut conversation);
    // Who takes a note away now has read it.
    let without = with_note(&json!([anna()])).later().later().later().later();
    without.tell(&mut conversation);
    assert_eq!(contents(&field_of(&planned_of(&conversation, &note_at("three", 3), &agent()))), ["vip", "three"]);
}

/// NT-3: what another wrote over a note that no state has shown is kept beside it.
#[test]
fn nt_3_what_another_wrote_over_an_unshown_note_is_kept_beside_it() {
    let mut conversation = Scene::open().conversation();
    planned_of(&conversation, &note_at("one", 1), &agent()).confirmed(&mut conversation);
    with_note(&json!([anna()])).later().tell(&mut conversation);
    let next = planned_of(&conversation, &note_at("two", 2), &agent());
    assert_eq!(contents(&field_of(&next)), ["vip", "one", "two"]);
}

/// NT-3: a response may overtake the state of another client's note, which the confirmed write has overwritten by then.
/// That note comes back with the next, even after a reload, and however late.
#[test]
fn nt_3_a_note_that_was_overwritten_before_any_state_showed_it_comes_back_with_the_next() {
    let mut conversation = Scene::open().conversation();
    let planned = planned_of(&conversation, &note_at("one", 1), &agent());
    planned.confirmed(&mut conversation);
    with_note(&json!([anna()])).later().tell(&mut conversation);
    for later in [10, 2_000] {
        showing(&planned).later().later_by(later).tell(&mut conversation);
        let snapshot = serde_json::to_string(&conversation).unwrap();
        conversation = serde_json::from_str(&snapshot).unwrap();
        let next = planned_of(&conversation, &note_at("two", 2), &agent());
        assert_eq!(contents(&field_of(&next)), ["one", "vip", "two"]);
    }
    let next = planned_of(&conversation, &note_at("two", 2), &agent());
    next.confirmed(&mut conversation);
    showing(&next).later().later_by(3_000).tell(&mut conversation);
    with_note(&json!([])).later().later_by(9_000).tell(&mut conversation);
    let last = planned_of(&conversation, &note_at("three", 3), &agent());
    assert_eq!(contents(&field_of(&last)), ["three"], "what is removed after all have seen it stays removed");
}

/// NT-3: another's write that was under way when a state showed the note overwrites it unseen; the next note restores
/// it, even after a reload.
#[test]
fn nt_3_a_note_that_is_overwritten_unseen_right_after_a_state_showed_it_comes_back_with_the_next() {
    let mut conversation = Scene::open().conversation();
    let planned = planned_of(&conversation, &note_at("one", 1), &agent());
    planned.confirmed(&mut conversation);
    showing(&planned).later().tell(&mut conversation);
    with_note(&json!([anna()])).later().later_by(100).tell(&mut conversation);
    let snapshot = serde_json::to_string(&conversation).unwrap();
    let mut conversation = serde_json::from_str(&snapshot).unwrap();
    let next = planned_of(&conversation, &note_at("two", 2), &agent());
    assert_eq!(contents(&field_of(&next)), ["vip", "one", "two"]);

    // Once a state shows it, and stays, it may be removed.
    next.confirmed(&mut conversation);
    showing(&next).later().later().tell(&mut conversation);
    let without = with_note(&json!([anna()])).later().later().later();
    without.tell(&mut conversation);
    assert_eq!(contents(&field_of(&planned_of(&conversation, &note_at("three", 3), &agent()))), ["vip", "three"]);
}

/// NT-3: a note that replaces one's own is not replaced by a late state's.
#[test]
fn nt_3_a_rewritten_note_is_not_undone_by_a_late_state() {
    let mut conversation = Scene::open().conversation();
    let [draft, last] = ["draft", "final"].map(|content| {
        let planned = planned_of(&conversation, &note_at(content, 1), &agent());
        planned.confirmed(&mut conversation);
        planned
    });
    showing(&draft).later().tell(&mut conversation);
    let next = planned_of(&conversation, &note_at("two", 2), &agent());
    assert_eq!(contents(&field_of(&next)), ["final", "two"]);
    assert!(!last.overwrites_notes(&conversation), "one's own draft is to be overwritten");
}

/// A note that was written again, because it had wiped out another's, is not taken for shown by the state of the first
/// writing, which lacks the other's.
#[test]
fn nt_3_the_state_of_an_amended_write_is_not_taken_for_that_of_its_amendment() {
    let mut conversation = Scene::open().conversation();
    let command = note_at("one", 1);
    let sent = planned_of(&conversation, &command, &agent());
    with_note(&json!([anna()])).later().tell(&mut conversation);
    let amended = command.amend(&sent, None, &conversation, &agent(), &Limits::default()).unwrap();
    sent.confirmed(&mut conversation);
    showing(&sent).later().later().tell(&mut conversation);
    amended.confirmed(&mut conversation);
    let next = planned_of(&conversation, &note_at("two", 2), &agent());
    assert_eq!(contents(&field_of(&next)), ["vip", "one", "two"]);
}

/// CV-F12: the whole note, too, is remembered; a later state of another's says what it is now.
#[test]
fn cv_f12_a_whole_note_is_remembered_until_the_note_changes() {
    let before = with_note(&json!([anna()]));
    let mut conversation = before.conversation();
    planned_of(&conversation, &whole("new"), &agent()).confirmed(&mut conversation);
    before.clone().member("groupId", json!("7")).later().tell(&mut conversation);
    let next = planned_of(&conversation, &note_at("one", 1), &agent());
    assert_eq!(contents(&field_of(&next)), ["new", "one"]);
    Scene::open().member("note", json!("theirs")).later().later().tell(&mut conversation);
    let next = planned_of(&conversation, &note_at("one", 1), &agent());
    assert_eq!(contents(&field_of(&next)), ["theirs", "one"]);
}
