//! Quiet conversations leave memory where they can be loaded again, and come back with whatever concerns them next.

use std::time::Instant;

use actix::{AsyncContext, Context, Handler, Message};
use tertulia_core::id::{ConversationId, ExternalConsumerId};
use tokio::sync::oneshot;

use super::Intake;
use crate::conversation::{Leave, Rest};

/// A conversation says whether it may sleep.
#[derive(Message)]
#[rtype(result = "()")]
struct Rested {
    conversation: ConversationId,
    may_sleep: bool,
}

impl Intake {
    /// Asks conversations that nothing happened to for a while, and that nobody has loaded, whether they may sleep.
    pub(super) fn let_sleep(&mut self, now: Instant, ctx: &mut Context<Self>) {
        if !self.around.routing.journal().keeps() {
            return;
        }
        let after = self.settings.sleep_after;
        for (id, child) in self.children.iter_mut() {
            let notes = &mut child.notes;
            if notes.resting || notes.holds > 0 || now.saturating_duration_since(notes.used) < after {
                continue;
            }
            notes.resting = true;
            let (done, outcome) = oneshot::channel();
            child.tell(Rest { done });
            let (me, conversation) = (ctx.address(), id.clone());
            actix_rt::spawn(async move {
                let may_sleep = outcome.await.unwrap_or_default();
                me.do_send(Rested { conversation, may_sleep });
            });
        }
    }

    pub(super) fn fall_asleep(&mut self, id: ConversationId, consumer: Option<ExternalConsumerId>) {
        if self.asleep.insert(id, consumer).is_none() {
            self.around.metrics.conversations_asleep.inc();
        }
    }

    /// Notes that a conversation sleeps no more; for whom is spoken in it, if it did.
    pub(super) fn wake(&mut self, id: &ConversationId) -> Option<Option<ExternalConsumerId>> {
        let slept = self.asleep.remove(id);
        if slept.is_some() {
            self.around.metrics.conversations_asleep.dec();
        }
        slept
    }

    /// Whether a conversation is here, awake or not.
    pub(super) fn knows(&self, id: &ConversationId) -> bool {
        self.children.contains_key(id) || self.asleep.contains_key(id)
    }
}

impl Handler<Rested> for Intake {
    type Result = ();

    fn handle(&mut self, Rested { conversation, may_sleep }: Rested, _: &mut Self::Context) {
        let Some(child) = self.children.get_mut(&conversation).filter(|child| child.notes.resting) else { return };
        // It is asked again when it was quiet for as long once more.
        (child.notes.resting, child.notes.used) = (false, Instant::now());
        let consumer = child.consumer().cloned();
        if may_sleep && self.children.stop(&conversation, Leave::ForNow, &self.around.metrics) {
            self.fall_asleep(conversation, consumer);
        }
    }
}
