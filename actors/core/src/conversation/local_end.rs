//! The end of a conversation whose consumer's identity is lost ([CA-3](crate::rules#ca-3)).

use super::{Conversation, Outcome, Reception, changes::Changes, conversation::Hashes};
use crate::time::Timestamp;

impl Conversation {
    /// Closes the conversation on this side, because the consumer's identity is lost. The platform sends nothing more
    /// about the conversation to this side and accepts no command, although the conversation may continue there. If the
    /// platform sends a state nevertheless, the state is applied.
    ///
    /// Changes nothing if the conversation has ended already.
    pub fn end_here(&mut self, at: Timestamp) -> Reception {
        if !self.is_open() {
            return Reception::new(Outcome::Ignored);
        }
        let mut reception = Reception::new(Outcome::Processed);
        let (choice, mut changes) = (self.choice(), Changes::default());
        self.members.end_here(at, &mut changes, &mut reception.events);
        for dialog in &mut self.dialogs {
            dialog.end_here(at, &mut changes, &mut reception.events);
        }
        reception.events.extend(self.update(changes, &choice, &reception.events));
        // The known state is no longer the platform's last one.
        self.hashes = Hashes::default();
        reception
    }
}
