//! A conversation as it was written: what can be loaded is written the same again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tertulia_core::conversation::Conversation;

fuzz_target!(|text: &str| {
    let Ok(conversation) = serde_json::from_str::<Conversation>(text) else { return };
    let _ = conversation.members();
    let _ = conversation.holes();
    let written = serde_json::to_string(&conversation).expect("a loaded conversation can be written");
    let again: Conversation = serde_json::from_str(&written).expect("what was written can be loaded");
    assert_eq!(written, serde_json::to_string(&again).expect("it can be written again"));
});
