//! Notifications, one a line, decoded in two ways: by their sections and as a whole. Both have the same effect, and what
//! is presumed of a usual frame is so.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;
use tertulia_core::{
    conversation::{Conversation, HistoryStart, Outcome, Reception, StateError},
    ums::{ChangeKind, Dialect, Frame, FrameError, Notification, RecordsAddress, StateFrame},
};

/// The notification in a frame, in words.
fn described(frame: &Result<Frame<'_>, FrameError>) -> String {
    match frame {
        Ok(Frame::Notification(Notification::Conversations(changes))) => {
            let states =
                changes.changes.iter().map(|change| (change.kind.as_str(), change.result.map(|state| state.get())));
            format!("{:?} {:?}", changes.subscription_id, states.collect::<Vec<_>>())
        }
        Ok(Frame::Notification(Notification::Messages(messages))) => {
            let records = serde_json::to_string(&messages.records).expect("records are JSON");
            format!("{:?} {:?} {:?} {records}", messages.dialog_id, messages.conversation_id, messages.sent_ts)
        }
        other => format!("{other:?}"),
    }
}

/// Compares a frame with what is presumed of it. A presumed state that is no value would be given back.
fn compare_presumed(line: &str, decoded: &Result<Frame<'_>, FrameError>) {
    if let Some(StateFrame { subscription_id, conversation_id, state }) = StateFrame::read(line)
        && serde_json::from_str::<&RawValue>(state.get()).is_ok()
    {
        let Ok(Frame::Notification(Notification::Conversations(changes))) = decoded else { panic!("{decoded:?}") };
        let [change] = &changes.changes[..] else { panic!("{changes:?}") };
        assert_eq!((changes.subscription_id.as_ref(), &change.kind), (Some(&subscription_id), &ChangeKind::Upsert));
        assert_eq!(change.conversation_id(), Some(conversation_id));
        assert_eq!(change.result.map(|state| state.get()), Some(state.get()));
    }
    if let (Some(address), Ok(frame)) = (RecordsAddress::read(line), decoded) {
        let Frame::Notification(Notification::Messages(messages)) = frame else { panic!("{frame:?}") };
        assert_eq!(address, RecordsAddress::of(messages));
    }
}

fn effect(received: Result<Reception, StateError>) -> String {
    match received {
        // A repeated state may be recognized before its ill-typed members are found.
        Ok(reception) if reception.outcome == Outcome::Ignored => {
            format!("{:?}", Reception { dropped: None, ..reception })
        }
        Ok(reception) => format!("{reception:?}"),
        Err(error) => error.to_string(),
    }
}

/// Everything that is known.
fn known(conversation: &Conversation) -> String {
    let snapshot = serde_json::to_string(conversation).expect("a conversation is JSON");
    format!("{snapshot} {} {:?}", conversation.members(), conversation.last_message())
}

fuzz_target!(|text: &str| {
    for dialect in [Dialect::Brand, Dialect::Consumer] {
        let mut by_sections = Conversation::new("c".into(), dialect, HistoryStart::Beginning);
        let mut as_a_whole = by_sections.clone();
        for line in text.lines() {
            let frame = Frame::decode(line);
            assert_eq!(described(&frame), described(&Frame::decode_as_a_whole(line)));
            compare_presumed(line, &frame);
            let Ok(Frame::Notification(Notification::Conversations(changes))) = frame else { continue };
            for state in changes.changes.iter().filter_map(|change| change.result) {
                let expected = as_a_whole.receive_state_as_a_whole(state.get());
                assert_eq!(effect(by_sections.receive_state(state.get())), effect(expected));
                assert_eq!(known(&by_sections), known(&as_a_whole));
            }
        }
    }
});
