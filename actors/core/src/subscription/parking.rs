//! Notifications that arrived before the response with the id of their subscription ([SB-12](crate::rules#sb-12)).

use super::{Parked, Subscriptions};

/// The most waiting notifications. They occupy places among the frames that are not handled yet, and the response needs
/// one of these places.
const PARKED: usize = 64;

impl<N> Subscriptions<N> {
    /// Keeps the notification of an unknown subscription while the response with its id may still arrive.
    ///
    /// # Errors
    /// Returns the notification if no such response is expected, or 64 notifications already wait.
    pub fn park(&mut self, parked: Parked<N>) -> Result<(), Parked<N>> {
        if !self.awaits_answer() || self.parked.len() >= PARKED {
            return Err(parked);
        }
        self.parked.push(parked);
        Ok(())
    }

    /// Removes and returns the notifications whose responses have arrived.
    pub fn take_parked(&mut self) -> Vec<Parked<N>> {
        let parked = std::mem::take(&mut self.parked);
        if !self.awaits_answer() {
            return parked;
        }
        let (known, unknown) =
            parked.into_iter().partition(|parked| self.key_of(parked.subscription_id.as_str()).is_some());
        self.parked = unknown;
        known
    }

    /// Whether the response to a subscription is still expected.
    fn awaits_answer(&self) -> bool {
        self.entries.values().any(|entry| entry.is_asked && entry.id.is_none())
    }
}
