//! Idle conversations are unloaded if the store can restore them, and loaded again when something concerns them.

use std::time::{Duration, Instant};

use tertulia_core::id::{ConversationId, ExternalConsumerId};
use tokio::sync::oneshot;

use super::{Child, Roster};
use crate::conversation::{ChildNotice, ChildReport, Leave, Rest, Upstream};

/// Asks a conversation whether it may be unloaded; it reports the reply.
fn ask<N>(upstream: &Upstream, child: &Child<N>, conversation: ConversationId, is_early: bool) {
    let (done, outcome) = oneshot::channel();
    child.tell(Rest { is_early, done });
    let parent = upstream.parent.clone();
    actix_rt::spawn(async move {
        let may_sleep = outcome.await.unwrap_or_default();
        parent.do_send(ChildReport { conversation, notice: ChildNotice::Rested { may_sleep } });
    });
}

impl<N> Roster<N> {
    /// Asks conversations that were idle for `after` whether they may be unloaded. Conversations that `must_stay` in
    /// memory are asked again after the same time.
    pub(crate) fn let_sleep(&mut self, after: Duration, must_stay: impl Fn(&ConversationId, &Child<N>) -> bool) {
        if !self.upstream.journal.keeps() {
            return;
        }
        let now = Instant::now();
        for id in self.sleep_queue.take_over(now, after) {
            let Some(child) = self.awake.get_mut(&id) else { continue };
            if must_stay(&id, child) {
                self.sleep_queue.stays(&id, child.activity_mut(), now);
            } else if self.sleep_queue.rests(&id, child.activity_mut(), now, after) {
                ask(&self.upstream, child, id, false);
            }
        }
    }

    /// Notes that a conversation is up to date. If it was loaded for one message and nothing else concerned it, it may be
    /// unloaded again soon, so that a resume does not keep all conversations in memory.
    pub(crate) fn note_up_to_date(&mut self, id: &ConversationId) {
        if self.awake.get(id).is_some_and(|child| child.activity().is_woken()) {
            self.loaded_briefly.push(id.clone());
        }
    }

    /// Makes a conversation fetch what it missed. It stays in memory although it was asked whether it may be unloaded.
    pub(crate) fn catch_up(&mut self, id: &ConversationId) {
        let Some(child) = self.awake.get_mut(id) else { return };
        if child.activity().is_resting() {
            self.sleep_queue.stays(id, child.activity_mut(), Instant::now());
        }
        child.catch_up();
    }

    /// Asks the conversations that were loaded briefly whether they may be unloaded again, except those that `must_stay`
    /// in memory.
    pub(crate) fn let_sleep_early(&mut self, must_stay: impl Fn(&ConversationId, &Child<N>) -> bool) {
        for id in std::mem::take(&mut self.loaded_briefly) {
            let Some(child) = self.awake.get_mut(&id) else { continue };
            let is_asked = child.activity().is_woken() && !child.activity().is_resting();
            if is_asked && !must_stay(&id, child) {
                self.sleep_queue.take_out(&id, child.activity_mut());
                ask(&self.upstream, child, id, true);
            }
        }
    }

    /// Processes the reply of a conversation that was asked whether it may be unloaded. The reply is ignored if the
    /// conversation was used meanwhile.
    pub(super) fn rested(&mut self, id: ConversationId, may_sleep: bool) {
        let Some(child) = self.awake.get_mut(&id).filter(|child| child.activity().is_resting()) else { return };
        if !may_sleep {
            // The conversation is asked again after another idle period.
            return self.sleep_queue.used(&id, child.activity_mut(), Instant::now());
        }
        let consumer = child.consumer().cloned();
        if self.stop(&id, Leave::ForNow) {
            self.fall_asleep(id, consumer);
        }
    }

    pub(super) fn fall_asleep(&mut self, id: ConversationId, consumer: Option<ExternalConsumerId>) {
        if self.asleep.insert(id, consumer).is_none() {
            self.upstream.metrics.conversations_asleep.inc();
        }
    }

    /// Marks a conversation as loaded. If it was unloaded, returns the consumer for whom a connector speaks in it.
    pub(super) fn wake(&mut self, id: &ConversationId) -> Option<Option<ExternalConsumerId>> {
        let slept = self.asleep.remove(id);
        if slept.is_some() {
            self.upstream.metrics.conversations_asleep.dec();
        }
        slept
    }
}
