//! Input that could not be handled: kept as a dead letter, and retried.

use super::Roster;
use crate::{
    conversation::{FramePermit, RecordsArrived, StateArrived},
    dead_letters::{DeadLetter, DeadLetterKind, ReplayError, Unhandled},
};

impl<N> Roster<N> {
    /// Keeps a frame of the connection that cannot be parsed.
    pub(crate) fn dead_letter_unreadable(&self, frame: &[u8], reason: &str) {
        self.upstream.dead_letters.put_unreadable(Unhandled {
            connection: &self.upstream.origin.connection,
            conversation: None,
            kind: DeadLetterKind::Frame,
            reason: reason.to_owned(),
            body: frame,
        });
    }

    /// Sends a dead letter to its conversation again, if the conversation is in memory.
    pub(crate) fn replay(&mut self, letter: &DeadLetter, place: FramePermit) -> Result<(), ReplayError> {
        let id = || letter.id.clone();
        let child = letter.conversation.as_ref().and_then(|conversation| self.awake.get_mut(conversation));
        let child = child.filter(|child| !child.is_quarantined()).ok_or_else(|| ReplayError::NobodyThere(id()))?;
        match letter.kind {
            DeadLetterKind::State => {
                let (raw, presumed_in) = (letter.body.clone(), None);
                child.pass_state(StateArrived { raw, presumed_in, place });
            }
            DeadLetterKind::Records => child.pass_records(RecordsArrived { frame: letter.body.clone(), place }),
            _ => return Err(ReplayError::NotReplayable(id())),
        }
        Ok(())
    }
}
