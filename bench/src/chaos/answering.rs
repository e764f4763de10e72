//! Who answers in a trial: the bot of this program, or a bot outside, beside which the one of this program only follows.

use std::rc::Rc;

use actix_rt::task::JoinHandle;
use tertulia_emulator::{Emulator, LedgerEntry};

use super::{
    bot::{self, Gateways, Notes},
    oracle::answered_outside,
    outside::{Course, OutsideBot},
    stream::Cursor,
};

/// The bots of a trial. Dropping them stops them.
pub(super) struct Answering {
    following: JoinHandle<()>,
    notes: Rc<Notes>,
    outside: Option<OutsideBot>,
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.following.abort();
    }
}

impl Answering {
    /// Follows the messages from `start` on, and answers those of consumers unless `outside` does.
    pub(super) fn start(
        gateways: impl Into<Gateways>,
        start: Cursor,
        notes: &Rc<Notes>,
        outside: Option<OutsideBot>,
    ) -> Self {
        let (gateways, followed) = (gateways.into(), Rc::clone(notes));
        let following = match &outside {
            None => actix_rt::spawn(bot::run(gateways, start, followed)),
            Some(_) => actix_rt::spawn(bot::watch(gateways, start, followed)),
        };
        Self { following, notes: Rc::clone(notes), outside }
    }

    /// How many messages must still be answered or received, in words; `None` once there are none.
    pub(super) fn lacks(&self, emulator: &Emulator) -> Option<String> {
        let summary = emulator.summary();
        let said = summary.consumer_messages;
        let (all, heard) = (said + summary.agent_messages, self.notes.heard.borrow().len() as u64);
        let done = match &self.outside {
            None => self.notes.done() as u64,
            // Without enough replies there is no need to compare texts.
            Some(_) if summary.agent_messages < said => summary.agent_messages,
            Some(_) => answered_outside(&emulator.ledger().iter().collect::<Vec<LedgerEntry>>()) as u64,
        };
        (done != said || heard < all)
            .then(|| format!("{done} of {said} messages are answered and {heard} of {all} heard"))
    }

    /// Stops the bots. Returns what the one outside did.
    pub(super) fn stop(self) -> Option<Course> {
        self.outside.as_ref().map(OutsideBot::course)
    }
}
