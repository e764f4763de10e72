//! The part of a state that the connection itself needs: one look, without the members that only the conversation
//! reads.
//!
//! The conversation parses the whole state again, later and in its own turn. One parse cannot serve both: the connection
//! sets the consumer before it passes the state on, and a parsed state borrows from its text, so that only the text can
//! be sent to the conversation.

use serde::Deserialize;
use serde_json::value::RawValue;
use tertulia_core::{
    time::Timestamp,
    ums::{ParticipantRole, Roster, Stage},
};

/// The part of a state that the connection itself needs.
pub(super) struct StateHead<'a> {
    /// The version of the state.
    pub(super) version: Option<Timestamp>,
    /// Whether the conversation has ended.
    pub(super) has_ended: bool,
    participants: Option<&'a RawValue>,
    public_participants: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct State<'a> {
    #[serde(borrow)]
    conversation_details: Details<'a>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Details<'a> {
    state: Option<Stage>,
    stage: Option<Stage>,
    meta_data_last_update_ts: Option<Timestamp>,
    #[serde(borrow)]
    participants: Option<&'a RawValue>,
    #[serde(borrow, rename = "participantsPId")]
    public_participants: Option<&'a RawValue>,
}

impl<'a> StateHead<'a> {
    /// Reads the head of a state. A state of another format has an empty head: the conversation rejects it.
    pub(super) fn read(state: &'a str) -> Self {
        let State { conversation_details: details } = serde_json::from_str(state).unwrap_or_default();
        let Details { state, stage, meta_data_last_update_ts: version, participants, public_participants } = details;
        let has_ended = matches!(stage.or(state), Some(Stage::Close | Stage::Locked));
        Self { version, has_ended, participants, public_participants }
    }

    /// The platform's id of the consumer.
    pub(super) fn consumer(&self) -> Option<String> {
        let participants = self.participants.map(|raw| serde_json::from_str(raw.get())).transpose().ok()?;
        let public = self.public_participants.map(|raw| serde_json::from_str(raw.get())).transpose().ok()?;
        let people = Roster::read(participants.as_ref(), public.as_ref());
        let consumer = people.into_iter().find(|person| person.role == ParticipantRole::Consumer)?;
        Some(consumer.user_id.as_str().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_has_the_version_the_end_and_the_consumer() {
        let state = r#"{"convId":"c","conversationDetails":{"state":"CLOSE","metaDataLastUpdateTs":7,
            "participants":[{"id":"u1","role":"CONSUMER"},{"id":"u2","role":"ASSIGNED_AGENT"}]}}"#;
        let head = StateHead::read(state);
        assert_eq!((head.version, head.has_ended), (Some(Timestamp(7)), true));
        assert_eq!(head.consumer().as_deref(), Some("u1"));
    }

    #[test]
    fn a_state_of_another_format_has_an_empty_head() {
        for state in ["[]", "{}", r#"{"conversationDetails":{"metaDataLastUpdateTs":"soon"}}"#] {
            let head = StateHead::read(state);
            assert_eq!((head.version, head.has_ended, head.consumer()), (None, false, None), "{state}");
        }
    }
}
