//! Recognizes a repeated frame, so that its state need not be located again.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use xxhash_rust::xxh3::xxh3_64;

use crate::id::ConversationId;

/// The hash of a frame's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameFingerprint(u64);

impl FrameFingerprint {
    /// Returns the fingerprint of a frame's bytes: equal for equal frames.
    #[must_use]
    pub fn of(frame: &[u8]) -> Self {
        Self(xxh3_64(frame))
    }
}

/// A fingerprint is a hash already.
#[derive(Clone, Copy, Debug, Default)]
struct FingerprintHasher(u64);

impl Hasher for FingerprintHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64(bytes);
    }

    fn write_u64(&mut self, fingerprint: u64) {
        self.0 = fingerprint;
    }
}

/// The position of the state in the last frame of each conversation of a socket; one entry per conversation.
///
/// Saves only the search for the state. The conversation handles the state as always, so a wrong entry does no harm.
#[derive(Clone, Debug, Default)]
pub struct RepeatedFrames {
    states: HashMap<FrameFingerprint, (ConversationId, StateRange), BuildHasherDefault<FingerprintHasher>>,
    latest: HashMap<ConversationId, FrameFingerprint>,
}

/// The position of a state in its frame, in bytes. Small, because every conversation of a process has one.
#[derive(Clone, Copy, Debug)]
struct StateRange {
    start: u32,
    end: u32,
}

impl StateRange {
    fn of(state: &[u8], frame: &[u8]) -> Option<Self> {
        let start = state.as_ptr().addr().checked_sub(frame.as_ptr().addr())?;
        let end = start.checked_add(state.len())?;
        let range = Self { start: start.try_into().ok()?, end: end.try_into().ok()? };
        (range.within(frame) == Some(state)).then_some(range)
    }

    fn within(self, frame: &[u8]) -> Option<&[u8]> {
        frame.get(self.start.try_into().ok()?..self.end.try_into().ok()?)
    }
}

impl RepeatedFrames {
    /// Returns the conversation and the text of its state, if this frame repeats the conversation's last frame.
    #[must_use]
    pub fn state<'f>(&self, fingerprint: FrameFingerprint, frame: &'f [u8]) -> Option<(&ConversationId, &'f [u8])> {
        let (conversation, range) = self.states.get(&fingerprint)?;
        Some((conversation, range.within(frame)?))
    }

    /// Stores the last frame of a conversation. Call it for a frame with a single change, an UPSERT, with its part
    /// `state`; other frames must be decoded each time.
    pub fn note(&mut self, fingerprint: FrameFingerprint, frame: &[u8], conversation: &ConversationId, state: &[u8]) {
        let Some(range) = StateRange::of(state, frame) else { return };
        let previous = self.latest.insert(conversation.clone(), fingerprint);
        let known = previous.and_then(|previous| self.states.remove(&previous)).map(|(known, _)| known);
        // Keeps the id that is already stored, so that each id is in memory once.
        let conversation = known.filter(|known| known == conversation).unwrap_or_else(|| conversation.clone());
        self.states.insert(fingerprint, (conversation, range));
    }

    /// Forgets the last frame of a conversation that has left.
    pub fn forget(&mut self, conversation: &ConversationId) {
        if let Some(fingerprint) = self.latest.remove(conversation) {
            self.states.remove(&fingerprint);
        }
    }

    /// Forgets all frames, because a new socket has new subscriptions.
    pub fn clear(&mut self) {
        self.states.clear();
        self.latest.clear();
    }
}
