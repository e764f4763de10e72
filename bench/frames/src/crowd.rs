//! States with very many participants or dialogs, as only a broken or hostile sender makes them: their cost must grow
//! linearly with their length.

use std::fmt::Write as _;

/// The conversation of all these states.
pub const CONVERSATION: &str = "3f6c1a52-8e0d-4b7e-9a41-5c2d00000000";

/// A state of the consumer dialect with `count` participants in MAIN. Another `version` has entirely different
/// participants.
#[must_use]
pub fn of_participants(count: usize, version: u32) -> String {
    let mut listed = String::new();
    for number in 0..count {
        let _ =
            write!(listed, r#"{}{{"id":"{version}-{number}","role":"READER"}}"#, if number == 0 { "" } else { "," });
    }
    let dialog = format!(
        r#"{{"dialogId":"{CONVERSATION}","dialogType":"MAIN","state":"OPEN","participantsDetails":[{listed}]}}"#
    );
    state(&listed, &dialog, version)
}

/// A state with `count` dialogs beside MAIN. Another `version` has entirely different dialogs.
#[must_use]
pub fn of_dialogs(count: usize, version: u32) -> String {
    let mut dialogs = String::new();
    for number in 0..count {
        let _ = write!(dialogs, r#"{{"dialogId":"{version}-{number}"}},"#);
    }
    let _ = write!(dialogs, r#"{{"dialogId":"{CONVERSATION}","dialogType":"MAIN","state":"OPEN"}}"#);
    state("", &dialogs, version)
}

fn state(participants: &str, dialogs: &str, version: u32) -> String {
    let time = 1_767_225_600_000_u64 + u64::from(version);
    format!(
        r#"{{"convId":"{CONVERSATION}","conversationDetails":{{"participants":[{participants}],"dialogs":[{dialogs}],"stage":"OPEN","state":"OPEN","metaDataLastUpdateTs":{time}}}}}"#
    )
}
