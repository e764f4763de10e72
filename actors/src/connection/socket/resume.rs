//! The resume plan: what a connection does on each new socket.
//!
//! First come the subscriptions with their complete snapshots, which show the conversations of the connection. Then all
//! other parts run concurrently: rings, the agent's state, the state of conversations that the snapshots lack, and
//! every open conversation's missing messages. A conversation's sends go out when its own messages are up to date.

use std::{cmp::Reverse, sync::Arc};

use actix::{ActorFutureExt, AsyncContext, Context, Handler, Message, WrapFuture};
use tertulia_core::{
    id::ConversationId,
    readiness::Part,
    refusal::{Lane, RequestType},
    session::{Epoch, Input, Phase},
    ums::{ConversationQuery, ProfileQuery, Request, UserProfile},
};

use super::{Connection, recovery_queue::Again, resume_plan::RunningPlan};

/// The resume plan may continue: a snapshot is complete, or nothing is waited for any more.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) enum PlanStep {
    SnapshotWhole { epoch: Epoch, conversations: usize },
    GoesOn { epoch: Epoch },
}

impl Connection {
    pub(super) fn begin_resume(&mut self, attempt: u32, first: bool, ctx: &mut Context<Self>) {
        tracing::debug!(connection = %self.settings.id, attempt, first, "resuming");
        let (epoch, filled_before) = (self.session.epoch(), self.roster.filled());
        self.plan.begin(epoch, filled_before);
        self.lacks_socket();
        self.learn_identity(ctx);
    }

    /// Reads the connection's identity: a consumer's own id is in its profile. Subscribes when the identity is durable,
    /// because the next run of the process could not continue a conversation of an identity that was not stored.
    pub(super) fn learn_identity(&mut self, ctx: &mut Context<Self>) {
        if self.principal.identity().is_some() {
            return self.subscribe_all();
        }
        let epoch = self.session.epoch();
        let answer = self.ask_here(Request::GetUserProfile(ProfileQuery::default()), Lane::Recovery);
        let learning = answer.into_actor(self).then(move |answer, connection, _| {
            let learnt = answer.and_then(|answer| {
                answer.read(|response| {
                    let body = response.outcome()?;
                    if epoch == connection.session.epoch()
                        && let Some(Ok(profile)) = body.map(|body| body.read::<UserProfile<'_>>())
                    {
                        connection.take_profile(&profile);
                    }
                    Ok(())
                })
            });
            let journal = Arc::clone(connection.context.journal());
            let stored = async move {
                journal.settled().await;
                learnt
            };
            stored.into_actor(connection)
        });
        ctx.spawn(learning.map(move |learnt, connection, _| {
            if epoch != connection.session.epoch() {
                return;
            }
            match learnt {
                Ok(()) => connection.subscribe_all(),
                Err(failure) => {
                    connection.part_refused(Part::Subscriptions, RequestType::Other, &failure, Again::Identity);
                }
            }
        }));
    }

    /// The connection's own subscription, if it has one.
    pub(super) fn own_query(&self) -> Option<ConversationQuery> {
        self.settings.query(self.principal.agent_id())
    }

    fn subscribe_all(&mut self) {
        let query = self.own_query();
        let outputs = self.subscriptions.resume(query);
        self.carry_out_all(outputs);
    }

    /// The snapshots are complete: `missing` are known conversations that no snapshot contains. The plan continues when
    /// the states were passed on.
    pub(super) fn snapshot_whole(&mut self, missing: &[ConversationId], conversations: usize) {
        self.plan.unsettle(missing);
        let epoch = self.session.epoch();
        self.step(PlanStep::SnapshotWhole { epoch, conversations });
    }

    /// Continues the plan if possible.
    pub(super) fn step_plan(&self) {
        let is_due = if self.plan.is_linked() {
            self.plan.is_running() && self.parts.are_passed()
        } else {
            self.session.phase().is_open() && self.parts.goes_on_without(Part::Subscriptions)
        };
        if is_due {
            self.step(PlanStep::GoesOn { epoch: self.session.epoch() });
        }
    }

    fn step(&self, step: PlanStep) {
        self.me.do_send(step);
    }

    /// All conversations catch up, and commands may be sent: in each conversation when it has caught up.
    fn link(&mut self, ctx: &mut Context<Self>) {
        let is_new = self.plan.link();
        self.catch_up_all();
        if is_new {
            if let Some(identity) = self.principal.identity() {
                self.roster.tell_ready(identity);
            }
            self.create_next(ctx);
            self.step_on(ctx);
            let refreshes = self.subscriptions.ready(true);
            self.carry_out_all(refreshes);
            self.subscribe_rings();
            self.set_agent_state(ctx);
        }
        self.tell_lacking();
    }

    /// Makes every conversation fetch what it missed, beginning with the most recently updated. Each decides itself
    /// whether that is urgent and since when it waits.
    fn catch_up_all(&mut self) {
        let awake = self.roster.children().filter(|(_, child)| !child.is_quarantined());
        let mut all: Vec<_> = awake.map(|(id, child)| (Reverse(child.used()), id.clone())).collect();
        all.sort_unstable();
        for (_, id) in all {
            self.parts.history_wanted(&id);
            if self.plan.is_settled(&id) {
                self.roster.catch_up(&id);
            }
        }
    }

    /// The state of a conversation that the snapshots lacked is known.
    pub(super) fn settled(&mut self, id: &ConversationId) {
        self.plan.settle(id);
        match self.roster.get(id).is_some_and(|child| !child.is_quarantined()) {
            true => self.roster.catch_up(id),
            false => self.parts.history_done(id),
        }
        self.tell_lacking();
    }

    fn plan_passed(&mut self, ctx: &mut Context<Self>) {
        let Some(RunningPlan { epoch, filled_before, conversations }) = self.plan.complete() else { return };
        let filled = self.roster.filled().saturating_sub(filled_before);
        let incomplete = self.parts.histories_refused();
        self.show_identity();
        self.context.publish(self.context.status.resumed(conversations, filled, incomplete));
        self.feed_of(epoch, Input::Resumed, ctx);
    }
}

impl Handler<PlanStep> for Connection {
    type Result = ();

    fn handle(&mut self, step: PlanStep, ctx: &mut Self::Context) {
        let (PlanStep::SnapshotWhole { epoch, .. } | PlanStep::GoesOn { epoch }) = step;
        if epoch != self.session.epoch() || !matches!(self.session.phase(), Phase::Resuming | Phase::Ready) {
            return;
        }
        match step {
            PlanStep::SnapshotWhole { conversations, .. } => {
                self.plan.counted(conversations);
                self.departures.snapshot_received();
                self.parts.works(Part::Subscriptions);
                self.link(ctx);
            }
            PlanStep::GoesOn { .. } if !self.plan.is_linked() => self.link(ctx),
            PlanStep::GoesOn { .. } if self.parts.are_passed() => self.plan_passed(ctx),
            PlanStep::GoesOn { .. } => {}
        }
    }
}
