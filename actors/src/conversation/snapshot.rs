//! A conversation as text, which a stateless worker keeps between two notifications ([SR-1](crate::rules#sr-1) to
//! [SR-3](crate::rules#sr-3)).

use std::{rc::Rc, sync::Arc};

use actix::Handler;
use serde::{Deserialize, Serialize};
use tertulia_core::{
    command::Identity,
    conversation::Conversation as Model,
    id::{ConversationId, DialogId, ExternalConsumerId, LONGEST_ID},
    time::Timestamp,
    ums::AnswerError,
    webhook::ChatStateWindow,
};

use super::{Conversation, ConversationError, Outline, SpeakFor, Upstream};

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
    sequence: u64,
    #[serde(default)]
    consumer: Option<ExternalConsumerId>,
    #[serde(default)]
    chat_states: ChatStateWindow,
    conversation: Model,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
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
        let snapshot: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        match (snapshot.version, snapshot.id().as_str().len()) {
            (VERSION, 1..=LONGEST_ID) => Ok(snapshot),
            (VERSION, bytes) => Err(format!("its conversation's id has {bytes} bytes")),
            (version, _) => Err(format!("it is of version {version}, not {VERSION}")),
        }
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

impl Conversation {
    /// Creates the conversation of a snapshot; the numbering of its events continues.
    pub(crate) fn loaded(snapshot: Snapshot, upstream: Rc<Upstream>, ready: Option<Arc<Identity>>) -> Self {
        let mut conversation = Self::new(snapshot.conversation.id().clone(), upstream, ready);
        conversation.take_snapshot(snapshot);
        conversation
    }

    /// Adopts the state of a snapshot, unless the snapshot is older than the present state.
    pub(super) fn take_snapshot(&mut self, snapshot: Snapshot) {
        if snapshot.sequence < self.sequence {
            return;
        }
        let Snapshot { sequence, consumer, chat_states, conversation, .. } = snapshot;
        (self.model, self.sequence, self.chat_states) = (conversation, sequence, chat_states);
        if let Some(consumer) = consumer.or(self.consumer.take()) {
            self.speak_for(consumer);
        }
    }

    /// The conversation as text that can be loaded again.
    pub(super) fn written(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&Written {
            version: VERSION,
            held: self.held && self.model.is_open(),
            at: Timestamp(jiff::Timestamp::now().as_millisecond()),
            sequence: self.sequence,
            consumer: self.consumer.as_ref(),
            chat_states: &self.chat_states,
            outline: Outline::of(&self.model),
            conversation: &self.model,
        })
    }
}

impl Handler<SpeakFor> for Conversation {
    type Result = ();

    fn handle(&mut self, SpeakFor { consumer }: SpeakFor, _: &mut Self::Context) {
        self.speak_for(consumer);
        self.touch();
        self.conclude();
    }
}

impl Conversation {
    fn speak_for(&mut self, consumer: ExternalConsumerId) {
        self.model.speaks_for(consumer.clone());
        self.consumer = Some(consumer);
    }

    pub(super) fn snapshot(&self) -> Result<String, ConversationError> {
        let unwritable = |error: &dyn std::fmt::Display| AnswerError::Unexpected(error.to_string()).into();
        let written = self.written().map_err(|error| unwritable(&error))?;
        String::from_utf8(written).map_err(|error| unwritable(&error))
    }
}
