//! Recognises a frame that came before, so that its state need not be looked for again.

use std::{collections::HashMap, ops::Range};

use xxhash_rust::xxh3::xxh3_64;

use crate::id::ConversationId;

/// A frame by its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameFingerprint(u64);

impl FrameFingerprint {
    /// The fingerprint of a frame's bytes: equal for equal frames.
    #[must_use]
    pub fn of(frame: &[u8]) -> Self {
        Self(xxh3_64(frame))
    }
}

/// Where the state lies in the last frame of each conversation of a socket; one entry per conversation.
///
/// It only spares the way to the state. What becomes of the state its conversation decides as ever, so a wrong entry
/// can do no harm.
#[derive(Clone, Debug, Default)]
pub struct RepeatedFrames {
    states: HashMap<FrameFingerprint, (ConversationId, Range<usize>)>,
    latest: HashMap<ConversationId, FrameFingerprint>,
}

impl RepeatedFrames {
    /// The conversation and the text of its state, where this frame was the last one of a conversation.
    #[must_use]
    pub fn state<'f>(&self, fingerprint: FrameFingerprint, frame: &'f [u8]) -> Option<(&ConversationId, &'f [u8])> {
        let (conversation, place) = self.states.get(&fingerprint)?;
        Some((conversation, frame.get(place.clone())?))
    }

    /// Notes the last frame of a conversation. To be called for a frame with a single change, an UPSERT, whose state is
    /// the part `state` of it; anything else is to be decoded each time.
    pub fn note(&mut self, fingerprint: FrameFingerprint, frame: &[u8], conversation: &ConversationId, state: &[u8]) {
        let start = state.as_ptr().addr().wrapping_sub(frame.as_ptr().addr());
        let place = start..start.saturating_add(state.len());
        if frame.get(place.clone()) != Some(state) {
            return;
        }
        if let Some(previous) = self.latest.insert(conversation.clone(), fingerprint) {
            self.states.remove(&previous);
        }
        self.states.insert(fingerprint, (conversation.clone(), place));
    }

    /// Forgets the last frame of a conversation that is gone.
    pub fn forget(&mut self, conversation: &ConversationId) {
        if let Some(fingerprint) = self.latest.remove(conversation) {
            self.states.remove(&fingerprint);
        }
    }

    /// Forgets all, for a new socket: its subscriptions begin anew.
    pub fn clear(&mut self) {
        self.states.clear();
        self.latest.clear();
    }
}
