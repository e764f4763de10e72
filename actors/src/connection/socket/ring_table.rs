//! The recent offers of conversations and their states.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tertulia_core::{
    id::{ConversationId, RingId},
    ums::RingState,
};

use crate::subscriber::Offer;

/// The most offers remembered. Beyond it the offer that expires first is forgotten, so that its event may be emitted
/// again.
const REMEMBERED: usize = 4096;

/// A small record of an offer: most offers are settled at once and remembered for a while.
struct Known {
    state: RingState,
    conversation: Option<ConversationId>,
    until: Instant,
    /// The complete offer, while it is open.
    waiting: Option<Box<Offer>>,
}

/// The recent offers.
#[derive(Default)]
pub(super) struct RingTable {
    rings: HashMap<RingId, Known>,
}

impl RingTable {
    /// Records an offer's state; `false` if the state is already known.
    pub(super) fn note(&mut self, offer: &Offer, life: Duration) -> bool {
        if self.rings.get(&offer.ring_id).is_some_and(|known| known.state == offer.ring_state) {
            return false;
        }
        if self.rings.len() >= REMEMBERED
            && let Some(first) = self.rings.iter().min_by_key(|(_, known)| known.until).map(|(ring, _)| ring.clone())
        {
            self.rings.remove(&first);
        }
        let known = Known {
            state: offer.ring_state.clone(),
            conversation: offer.conversation_id.clone(),
            until: Instant::now() + life,
            waiting: (offer.ring_state == RingState::Waiting).then(|| Box::new(offer.clone())),
        };
        self.rings.insert(offer.ring_id.clone(), known);
        true
    }

    /// The offered conversation.
    pub(super) fn conversation(&self, ring: &RingId) -> Option<&ConversationId> {
        self.rings.get(ring)?.conversation.as_ref()
    }

    /// When an offer expires.
    pub(super) fn until(&self, ring: &RingId) -> Option<Instant> {
        self.rings.get(ring).map(|known| known.until)
    }

    /// Whether an offer is open and has not expired.
    pub(super) fn is_waiting(&self, ring: &RingId) -> bool {
        self.rings.get(ring).is_some_and(|known| known.waiting.is_some() && known.until > Instant::now())
    }

    /// The open offers.
    pub(super) fn waiting(&self) -> Vec<Offer> {
        let now = Instant::now();
        let stand = self.rings.values().filter(|known| known.until > now);
        stand.filter_map(|known| known.waiting.as_deref().cloned()).collect()
    }

    pub(super) fn forget_expired(&mut self) {
        let now = Instant::now();
        self.rings.retain(|_, known| known.until > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(ring_state: RingState) -> Offer {
        Offer {
            ring_id: "r1".into(),
            ring_state,
            conversation_id: Some("c1".into()),
            skill_id: None,
            consumer_id: None,
            ring_expiration_ts: None,
        }
    }

    #[test]
    fn a_settled_offer_waits_no_more_and_is_known_by_its_state_and_conversation() {
        let (mut table, life) = (RingTable::default(), Duration::from_secs(60));
        let waiting = offer(RingState::Waiting);
        assert!(table.note(&waiting, life) && !table.note(&waiting, life));
        assert_eq!(table.waiting(), [waiting]);
        let settled = offer(RingState::Accepted);
        assert!(table.note(&settled, life) && !table.note(&settled, life));
        assert!(table.waiting().is_empty());
        assert_eq!(table.conversation(&"r1".into()), Some(&"c1".into()));
    }
}
