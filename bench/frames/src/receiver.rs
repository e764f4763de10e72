//! The path of a frame through the core, as a connection and its conversations share it, without actors.

use std::{collections::HashMap, hint::black_box};

use tertulia_core::{
    conversation::{Conversation, HistoryStart},
    id::ConversationId,
    ums::{Dialect, Frame, FrameFingerprint, Notification, RecordsAddress, RepeatedFrames, StateFrame},
};

/// What a connection and its conversations know of the frames that arrived.
#[derive(Clone, Debug, Default)]
pub struct Receiver {
    repeated: RepeatedFrames,
    conversations: HashMap<ConversationId, Conversation>,
}

impl Receiver {
    /// Returns a receiver with the conversations `ids`, of which no state arrived yet.
    #[must_use]
    pub fn new(ids: impl IntoIterator<Item = ConversationId>, dialect: Dialect) -> Self {
        let new = |id: ConversationId| (id.clone(), Conversation::new(id, dialect, HistoryStart::Beginning));
        Self { repeated: RepeatedFrames::default(), conversations: ids.into_iter().map(new).collect() }
    }

    /// The conversation `id`, if this receiver has it.
    #[must_use]
    pub fn conversation(&self, id: &ConversationId) -> Option<&Conversation> {
        self.conversations.get(id)
    }

    /// Takes a usual frame from its bytes to the events of its conversation. Returns the number of events. Drops the
    /// events, and every frame that is not usual or not for a known conversation.
    pub fn receive(&mut self, frame: &[u8]) -> usize {
        let fingerprint = FrameFingerprint::of(frame);
        let Self { repeated, conversations } = self;
        if let Some((id, state)) = repeated.state(fingerprint, frame) {
            return receive_state(conversations, id, state);
        }
        let Ok(text) = str::from_utf8(frame) else { return 0 };
        if let Some(StateFrame { conversation_id, state, .. }) = StateFrame::read(text) {
            let id = ConversationId::from(&conversation_id);
            repeated.note(fingerprint, frame, &id, state.get().as_bytes());
            return receive_state(conversations, &id, state.get().as_bytes());
        }
        RecordsAddress::read(text).map_or(0, |address| receive_records(conversations, &address, text))
    }

    /// Takes frames in order. Returns the number of events.
    pub fn receive_all(&mut self, frames: &[String]) -> usize {
        frames.iter().map(|frame| self.receive(frame.as_bytes())).sum()
    }
}

fn receive_state(
    conversations: &mut HashMap<ConversationId, Conversation>,
    id: &ConversationId,
    state: &[u8],
) -> usize {
    let (Some(conversation), Ok(state)) = (conversations.get_mut(id), str::from_utf8(state)) else { return 0 };
    black_box(conversation.receive_state(state)).map_or(0, |reception| reception.events.len())
}

/// A connection finds the conversation of records, which decodes them.
fn receive_records(
    conversations: &mut HashMap<ConversationId, Conversation>,
    address: &RecordsAddress<'_>,
    frame: &str,
) -> usize {
    // The id of MAIN is the conversation's.
    let id = address.conversation_id.as_ref().or(address.dialog_id.as_ref()).and_then(ConversationId::from_wire);
    let Some(conversation) = id.and_then(|id| conversations.get_mut(&id)) else { return 0 };
    let Ok(Frame::Notification(Notification::Messages(messages))) = Frame::decode(frame) else { return 0 };
    let batch_dialog = messages.dialog_id.as_deref();
    let receive = |record| black_box(conversation.receive_record(record, batch_dialog)).events.len();
    messages.records.iter().map(receive).sum()
}
