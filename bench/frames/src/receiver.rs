//! The path of a frame through the core, as a connection and its conversations share it, without actors.

use std::{collections::HashMap, hint::black_box};

use tertulia_core::{
    conversation::{Conversation, HistoryStart},
    id::ConversationId,
    ums::{Change, Dialect, Frame, FrameFingerprint, Messages, Notification, RepeatedFrames},
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

    /// Takes a frame from its bytes to the events of its conversations. Returns the number of events. Drops the events,
    /// and everything in a frame that is not for a known conversation.
    pub fn receive(&mut self, frame: &[u8]) -> usize {
        let fingerprint = FrameFingerprint::of(frame);
        let Self { repeated, conversations } = self;
        if let Some((id, state)) = repeated.state(fingerprint, frame) {
            return receive_state(conversations, id, state);
        }
        let Ok(text) = str::from_utf8(frame) else { return 0 };
        match Frame::decode(text) {
            Ok(Frame::Notification(Notification::Conversations(changes))) => {
                let mut events = 0;
                for (id, state) in changes.changes.iter().filter_map(state_of) {
                    events += receive_state(conversations, &id, state);
                    repeated.note(fingerprint, frame, &id, state);
                }
                events
            }
            Ok(Frame::Notification(Notification::Messages(messages))) => {
                receive_records(conversations, &messages, text)
            }
            _ => 0,
        }
    }

    /// Takes frames in order. Returns the number of events.
    pub fn receive_all(&mut self, frames: &[String]) -> usize {
        frames.iter().map(|frame| self.receive(frame.as_bytes())).sum()
    }
}

fn state_of<'a>(change: &Change<'a>) -> Option<(ConversationId, &'a [u8])> {
    Some((ConversationId::from(&change.conversation_id()?), change.result?.get().as_bytes()))
}

fn receive_state(
    conversations: &mut HashMap<ConversationId, Conversation>,
    id: &ConversationId,
    state: &[u8],
) -> usize {
    let (Some(conversation), Ok(state)) = (conversations.get_mut(id), str::from_utf8(state)) else { return 0 };
    black_box(conversation.receive_state(state)).map_or(0, |reception| reception.events.len())
}

/// A connection decodes a frame of records to find their conversation, which decodes the frame again.
fn receive_records(
    conversations: &mut HashMap<ConversationId, Conversation>,
    messages: &Messages<'_>,
    frame: &str,
) -> usize {
    let first = messages.records.first();
    let conversation = first.and_then(|record| record.conversation_id.as_ref()).or(messages.conversation_id.as_ref());
    let dialog = first.and_then(|record| record.dialog_id.as_ref()).or(messages.dialog_id.as_ref());
    // The id of MAIN is the conversation's.
    let id = conversation.or(dialog).and_then(ConversationId::from_wire);
    let Some(conversation) = id.and_then(|id| conversations.get_mut(&id)) else { return 0 };
    let Ok(Frame::Notification(Notification::Messages(messages))) = Frame::decode(frame) else { return 0 };
    let batch_dialog = messages.dialog_id.as_deref();
    let receive = |record| black_box(conversation.receive_record(record, batch_dialog)).events.len();
    messages.records.iter().map(receive).sum()
}
