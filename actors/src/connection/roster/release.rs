//! Conversations that were given up are quarantined, listed and released.

use std::{rc::Rc, sync::Arc};

use actix::Addr;
use tertulia_core::{command::Identity, id::ConversationId};

use super::{
    Roster,
    child::Life,
    quarantine::{Quarantine, QuarantinedConversation},
};
use crate::{
    connection::ConnectionError,
    conversation::{Conversation, Salvage, Upstream},
    log::Subject,
    subscriber::EventData,
};

impl<N> Roster<N> {
    /// Quarantines a conversation if its actor is the one that `is_it` accepts. Returns whether it was quarantined.
    pub(super) fn quarantine(
        &mut self,
        id: &ConversationId,
        is_it: impl FnOnce(&Addr<Conversation>) -> bool,
        restarts: u32,
        reason: String,
        salvage: Option<Box<Salvage>>,
    ) -> bool {
        let Some(child) = self.awake.get_mut(id) else { return false };
        if !matches!(&child.life, Life::Running(address) if is_it(address)) {
            return false;
        }
        child.life = Self::quarantined_life(&self.upstream, id, restarts, reason, salvage);
        true
    }

    /// Reports that a conversation is quarantined, closes its queue, and returns its quarantine.
    pub(super) fn quarantined_life(
        upstream: &Upstream,
        id: &ConversationId,
        restarts: u32,
        reason: String,
        salvage: Option<Box<Salvage>>,
    ) -> Life {
        upstream.metrics.conversations_quarantined.inc();
        upstream.metrics.conversations_in_quarantine.inc();
        tracing::error!(
            connection = %upstream.origin.connection, conversation = %id, restarts,
            "conversation quarantined"
        );
        let data = EventData::ConversationQuarantined { restarts };
        upstream.log.publish(&upstream.origin, Subject::About(id), data);
        // Needed if the conversation could not close its own queue.
        if let Some(handle) = upstream.directory.get(&upstream.origin.connection, id) {
            handle.shut();
        }
        let quarantine = Quarantine::new(restarts, reason, salvage, Arc::clone(&upstream.metrics));
        Life::Quarantined(Box::new(quarantine))
    }

    /// Lists the conversations in quarantine.
    pub(crate) fn quarantined(&self) -> Vec<QuarantinedConversation> {
        let quarantined = self.awake.iter().filter_map(|(id, child)| match &child.life {
            Life::Running(_) => None,
            Life::Quarantined(quarantine) => Some(quarantine.describe(id)),
        });
        quarantined.collect()
    }

    /// Restarts a quarantined conversation from its salvage. `ready` is the identity with which it may send now.
    pub(crate) fn release(
        &mut self,
        id: &ConversationId,
        ready: Option<&Arc<Identity>>,
    ) -> Result<(), ConnectionError> {
        let not_quarantined = || ConnectionError::NotQuarantined(id.clone());
        let child = self.awake.get_mut(id).ok_or_else(not_quarantined)?;
        let Life::Quarantined(quarantine) = &mut child.life else { return Err(not_quarantined()) };
        let upstream = &self.upstream;
        let salvage = quarantine.take_salvage();
        let released = Conversation::released(id.clone(), salvage, Rc::clone(upstream), ready.cloned());
        child.life = Life::start(id.clone(), released);
        upstream.metrics.conversations_in_quarantine.dec();
        if let Some(handle) = upstream.directory.get(&upstream.origin.connection, id) {
            handle.reopen();
        }
        Ok(())
    }
}
