//! Quiet conversations leave memory where they can be loaded again, and come back with whatever concerns them next.

use actix::{AsyncContext, Context, Handler, Message};
use tertulia_core::id::{ConversationId, ExternalConsumerId};
use tokio::sync::oneshot;

use super::{Intake, children::Child};
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
    pub(super) fn let_sleep(&mut self, ctx: &mut Context<Self>) {
        if !self.around.routing.journal().keeps() {
            return;
        }
        let resting = self.children.resting(self.settings.sleep_after, |_, child| child.notes.holds > 0);
        for conversation in resting {
            let Some(child) = self.children.get(&conversation) else { continue };
            let (done, outcome) = oneshot::channel();
            child.tell(Rest { done });
            let me = ctx.address();
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
        if !self.children.is_resting(&conversation) {
            return;
        }
        if !may_sleep {
            return self.children.stays_awake(&conversation);
        }
        let consumer = self.children.get(&conversation).and_then(Child::consumer).cloned();
        if self.children.stop(&conversation, Leave::ForNow, &self.around.metrics) {
            self.fall_asleep(conversation, consumer);
        }
    }
}
