//! Conversations that were given up: quarantine, listing and release.

use std::{rc::Rc, sync::Arc};

use actix::{Addr, Message};
use serde::Serialize;
use tertulia_core::{command::Identity, id::ConversationId};

use super::{Roster, child::Life};
use crate::{
    connection::ConnectionError,
    conversation::{Conversation, Salvage},
    metrics::Metrics,
    subscriber::{EventData, Subject},
};

pub(super) struct Quarantine {
    since: jiff::Timestamp,
    restarts: u32,
    reason: String,
    dropped: u64,
    metrics: Arc<Metrics>,
    /// `None` if creating the salvage panicked too.
    pub(super) remains: Option<Box<Salvage>>,
}

impl Quarantine {
    pub(super) fn drop_one(&mut self) {
        self.dropped += 1;
        self.metrics.notifications_quarantined.inc();
    }
}

/// A conversation that was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QuarantinedConversation {
    /// The conversation's id.
    pub conversation: ConversationId,
    /// When it was given up.
    pub since: jiff::Timestamp,
    /// The number of restarts before it was given up.
    pub restarts: u32,
    /// The text of its last panic. It may quote a message, so it is never logged.
    pub reason: String,
    /// Notifications dropped since then.
    pub notifications_dropped: u64,
}

/// Lists the conversations in quarantine.
#[derive(Message)]
#[rtype(result = "Vec<QuarantinedConversation>")]
pub(crate) struct ListQuarantined;

/// Restarts a quarantined conversation.
#[derive(Message)]
#[rtype(result = "Result<(), ConnectionError>")]
pub(crate) struct Release {
    pub(crate) conversation: ConversationId,
}

impl<N> Roster<N> {
    /// Quarantines a conversation if its actor is the one that `is_it` accepts. Returns the quarantine, into which
    /// the caller puts the salvage.
    pub(super) fn quarantine(
        &mut self,
        id: &ConversationId,
        is_it: impl FnOnce(&Addr<Conversation>) -> bool,
        restarts: u32,
        reason: String,
    ) -> Option<&mut Quarantine> {
        let upstream = &self.upstream;
        let child = self.awake.get_mut(id)?;
        if !matches!(&child.life, Life::Running(address) if is_it(address)) {
            return None;
        }
        upstream.metrics.conversations_quarantined.inc();
        upstream.metrics.conversations_in_quarantine.inc();
        tracing::error!(
            connection = %upstream.origin.connection, conversation = %id, restarts,
            "conversation quarantined"
        );
        let data = EventData::ConversationQuarantined { restarts };
        upstream.routing.publish(&upstream.origin, Subject::About(id), data);
        // Needed if the conversation could not close its own queue.
        if let Some(handle) = upstream.directory.get(&upstream.origin.connection, id) {
            handle.shut();
        }
        child.life = Life::Quarantined(Box::new(Quarantine {
            since: jiff::Timestamp::now(),
            restarts,
            reason,
            dropped: 0,
            metrics: Arc::clone(&upstream.metrics),
            remains: None,
        }));
        match &mut child.life {
            Life::Quarantined(quarantine) => Some(quarantine),
            Life::Running(_) => None,
        }
    }

    /// Lists the conversations in quarantine.
    pub(crate) fn quarantined(&self) -> Vec<QuarantinedConversation> {
        let quarantined = self.awake.iter().filter_map(|(id, child)| match &child.life {
            Life::Running(_) => None,
            Life::Quarantined(quarantine) => Some(QuarantinedConversation {
                conversation: id.clone(),
                since: quarantine.since,
                restarts: quarantine.restarts,
                reason: quarantine.reason.clone(),
                notifications_dropped: quarantine.dropped,
            }),
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
        let salvage = quarantine.remains.take();
        let released = Conversation::released(id.clone(), salvage, Rc::clone(upstream), ready.cloned());
        child.life = Life::start(id.clone(), released);
        upstream.metrics.conversations_in_quarantine.dec();
        if let Some(handle) = upstream.directory.get(&upstream.origin.connection, id) {
            handle.reopen();
        }
        Ok(())
    }
}
