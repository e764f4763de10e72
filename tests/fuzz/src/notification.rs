//! Notifications, one a line, to one conversation: nothing of them panics, and what is counted is what came.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tertulia_core::{
    conversation::{Conversation, HistoryStart},
    ums::{Dialect, Frame, Notification},
};

fuzz_target!(|text: &str| {
    for dialect in [Dialect::Brand, Dialect::Consumer] {
        let mut conversation = Conversation::new("c".into(), dialect, HistoryStart::Beginning);
        for line in text.lines() {
            match Frame::decode(line) {
                Ok(Frame::Notification(Notification::Conversations(changes))) => {
                    for result in changes.changes.iter().filter_map(|change| change.result) {
                        let _ = conversation.receive_state(result.get());
                    }
                }
                Ok(Frame::Notification(Notification::Messages(messages))) => {
                    let dialog = messages.dialog_id.as_ref().map(|dialog| dialog.as_str());
                    for record in &messages.records {
                        let wanted = conversation.receive_record(record, dialog).back_fill;
                        for stretch in wanted {
                            let through = stretch.older_than.and_then(|older| older.checked_sub(1));
                            conversation.history_exhausted(&stretch.dialog_id, stretch.newer_than, through);
                        }
                    }
                }
                _ => {}
            }
        }
        let _ = conversation.members();
        let _ = conversation.holes();
    }
});
