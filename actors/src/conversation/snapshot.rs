//! A conversation as text, which a stateless worker keeps between two notifications ([SR-1](crate::rules#sr-1) to
//! [SR-3](crate::rules#sr-3)).

use serde::{Deserialize, Serialize};
use tertulia_core::{
    conversation::Conversation as Model,
    id::{ConversationId, DialogId, ExternalConsumerId, LONGEST_ID},
    time::Timestamp,
    webhook::ChatStateWindow,
};

use super::Outline;
use crate::engine::Retention;

/// The format version of a snapshot. A snapshot of another version is not loaded.
const VERSION: u32 = 1;

/// A conversation to load.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Snapshot {
    version: u32,
    /// Whether the conversation belonged to its connection when the snapshot was written.
    #[serde(default)]
    pub(super) held: bool,
    pub(super) sequence: u64,
    #[serde(default)]
    pub(super) consumer: Option<ExternalConsumerId>,
    #[serde(default)]
    pub(super) chat_states: ChatStateWindow,
    #[serde(default)]
    outline: Outline,
    pub(super) conversation: Model,
}

/// A conversation to write.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Written<'a> {
    version: u32,
    /// Whether the conversation is open and belongs to its connection. If so, the next run of the process asks for its
    /// state.
    held: bool,
    /// When the snapshot was written.
    at: Timestamp,
    sequence: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumer: Option<&'a ExternalConsumerId>,
    #[serde(skip_serializing_if = "ChatStateWindow::is_empty")]
    chat_states: &'a ChatStateWindow,
    /// A copy of the outline, so that a reader of the outline need not parse the rest.
    outline: Outline,
    conversation: &'a Model,
}

impl Snapshot {
    /// Parses a snapshot; the error says in words why the text is not a snapshot.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut snapshot: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        snapshot.conversation.recall_last_message(snapshot.outline.last_message.take());
        Self::check_version(snapshot.version)?;
        match snapshot.id().as_str().len() {
            1..=LONGEST_ID => Ok(snapshot),
            bytes => Err(format!("its conversation's id has {bytes} bytes")),
        }
    }

    /// Returns an error in words if a snapshot of `version` cannot be loaded. A newer version may mean something else
    /// by the same members.
    pub(crate) fn check_version(version: u32) -> Result<(), String> {
        if version == VERSION { Ok(()) } else { Err(format!("it is of version {version}, not {VERSION}")) }
    }

    pub(crate) fn id(&self) -> &ConversationId {
        self.conversation.id()
    }

    /// The dialogs other than MAIN, whose records may arrive without the conversation's id ([MS-9](crate::rules#ms-9)).
    pub(crate) fn dialogs(&self) -> Vec<DialogId> {
        let ids = self.conversation.dialogs().iter().map(|dialog| dialog.dialog_id.clone());
        ids.filter(|id| !id.is_main_of(self.id())).collect()
    }

    pub(crate) fn conversation(&self) -> &Model {
        &self.conversation
    }

    pub(crate) fn consumer(&self) -> Option<&ExternalConsumerId> {
        self.consumer.as_ref()
    }
}

impl<'a> Written<'a> {
    /// `held` is whether the conversation belongs to its connection.
    pub(super) fn new(
        conversation: &'a Model,
        held: bool,
        sequence: u64,
        consumer: Option<&'a ExternalConsumerId>,
        chat_states: &'a ChatStateWindow,
    ) -> Self {
        Self {
            version: VERSION,
            held: held && conversation.is_open(),
            at: Timestamp(jiff::Timestamp::now().as_millisecond()),
            sequence,
            consumer,
            chat_states,
            outline: Outline::of(conversation),
            conversation,
        }
    }

    /// Returns the snapshot without the newest message, because a snapshot that leaves the service has no text of
    /// delivered messages ([SR-2](crate::rules#sr-2)).
    pub(super) fn without_messages(mut self) -> Self {
        self.outline.last_message = None;
        self
    }

    /// When the record is of no use any more: a while after the conversation has left its connection.
    pub(super) fn keep_until(&self, retention: Retention) -> Option<Timestamp> {
        (!self.held).then(|| self.at.after(retention.conversations))
    }

    pub(super) fn to_bytes(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self)
    }
}
