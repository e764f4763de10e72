//! Notifications that overtook the answer that tells which subscription they are for ([SB-12](crate::rules#sb-12)).

use super::Subscriptions;
use crate::id::SubscriptionId;

/// Notifications that wait for such an answer. They keep their places among the frames that are not handled yet, of
/// which the answer needs one.
const PARKED: usize = 64;

/// A notification of a subscription that is not known.
#[derive(Debug)]
pub struct Parked<N> {
    /// For which subscription.
    pub subscription_id: SubscriptionId,
    /// The notification.
    pub notification: N,
}

impl<N> Subscriptions<N> {
    /// Keeps the notification of an unknown subscription while the answer that tells its id may still be on its way.
    ///
    /// # Errors
    /// Gives it back where none is on its way, or 64 wait already.
    pub fn park(&mut self, parked: Parked<N>) -> Result<(), Parked<N>> {
        if !self.awaits_answer() || self.parked.len() >= PARKED {
            return Err(parked);
        }
        self.parked.push(parked);
        Ok(())
    }

    /// What waited for the answers that have come.
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

    /// Whether the answer to a subscription is still to come.
    fn awaits_answer(&self) -> bool {
        self.entries.values().any(|entry| entry.is_asked && entry.id.is_none())
    }
}
