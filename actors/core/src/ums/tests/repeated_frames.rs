//! A frame that came before is recognised, and no other.

use crate::{id::ConversationId, ums::*};

fn frame(conversation: &str, version: u32) -> String {
    format!(
        r#"{{"kind":"notification","type":"cqm.ExConversationChangeNotification","body":{{"changes":[{{"type":"UPSERT","result":{{"convId":"{conversation}","lastUpdateTime":{version}}}}}]}}}}"#
    )
}

fn receive(frames: &mut RepeatedFrames, text: &str) {
    let Ok(Frame::Notification(Notification::Conversations(changes))) = Frame::decode(text) else { panic!("{text}") };
    let change = &changes.changes[0];
    let id = ConversationId::from(&change.conversation_id().unwrap());
    let state = change.result.unwrap().get();
    frames.note(FrameFingerprint::of(text.as_bytes()), text.as_bytes(), &id, state.as_bytes());
}

fn find<'t>(frames: &RepeatedFrames, text: &'t str) -> Option<(String, &'t str)> {
    let (id, state) = frames.state(FrameFingerprint::of(text.as_bytes()), text.as_bytes())?;
    Some((id.to_string(), std::str::from_utf8(state).unwrap()))
}

#[test]
fn the_state_of_a_repeated_frame_is_found_without_decoding() {
    let mut frames = RepeatedFrames::default();
    receive(&mut frames, &frame("a", 1));
    receive(&mut frames, &frame("b", 1));
    // The repetition lies elsewhere in memory.
    let again = frame("a", 1);
    assert_eq!(find(&frames, &again), Some(("a".to_owned(), r#"{"convId":"a","lastUpdateTime":1}"#)));
    assert_eq!(find(&frames, &frame("a", 2)), None);
}

#[test]
fn only_the_last_frame_of_a_conversation_is_kept() {
    let mut frames = RepeatedFrames::default();
    for version in 1..=3 {
        receive(&mut frames, &frame("a", version));
    }
    assert!([1, 2].into_iter().all(|version| find(&frames, &frame("a", version)).is_none()));
    assert!(find(&frames, &frame("a", 3)).is_some());
}

#[test]
fn a_frame_noted_twice_is_kept() {
    let mut frames = RepeatedFrames::default();
    receive(&mut frames, &frame("a", 1));
    receive(&mut frames, &frame("a", 1));
    assert!(find(&frames, &frame("a", 1)).is_some());
}

#[test]
fn what_is_forgotten_is_not_found() {
    let mut frames = RepeatedFrames::default();
    receive(&mut frames, &frame("a", 1));
    receive(&mut frames, &frame("b", 1));
    frames.forget(&ConversationId::from("a"));
    assert!(find(&frames, &frame("a", 1)).is_none() && find(&frames, &frame("b", 1)).is_some());
    frames.clear();
    assert!(find(&frames, &frame("b", 1)).is_none());
}

#[test]
fn a_state_that_is_no_part_of_its_frame_is_not_noted() {
    let mut frames = RepeatedFrames::default();
    let (text, elsewhere) = (frame("a", 1), "x".repeat(8));
    let fingerprint = FrameFingerprint::of(text.as_bytes());
    frames.note(fingerprint, text.as_bytes(), &ConversationId::from("a"), elsewhere.as_bytes());
    assert!(find(&frames, &text).is_none());
}
