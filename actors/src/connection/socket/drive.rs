//! Drives the session: passes inputs to it, executes its outputs, and wakes it in time.

use actix::{ActorContext, AsyncContext, Context, Handler};
use tertulia_core::session::{Epoch, Input, Millis, Output, Report, WaitReason};

use super::{Connection, Restart};
use crate::subscriber::EventData;

impl Connection {
    pub(super) fn now(&self) -> Millis {
        self.session.now()
    }

    /// Passes an input to the session and executes its outputs.
    pub(super) fn feed(&mut self, input: Input, ctx: &mut Context<Self>) {
        self.feed_of(self.session.epoch(), input, ctx);
    }

    /// Passes on the outcome of an attempt; the outcome of an earlier attempt is ignored.
    pub(super) fn feed_of(&mut self, epoch: Epoch, input: Input, ctx: &mut Context<Self>) {
        for output in self.session.handle_of(epoch, input) {
            self.carry_out(output, ctx);
        }
        self.after_step(ctx);
    }

    /// Records a sign of life. The timer is not changed, because an early tick does no harm.
    pub(super) fn frame_received(&mut self) {
        self.session.handle(Input::FrameReceived);
    }

    fn after_step(&mut self, ctx: &mut Context<Self>) {
        self.session.count_ready(&self.context.process.metrics);
        self.update_status();
        self.give_token();
        self.tell_waiting();
        if let Some(timer) = self.session.take_timer() {
            ctx.cancel_future(timer);
        }
        if let Some(wait) = self.session.next_wake() {
            self.session.set_timer(ctx.run_later(wait, |connection, ctx| {
                connection.session.take_timer();
                connection.feed(Input::Tick, ctx);
            }));
        }
    }

    fn carry_out(&mut self, output: Output, ctx: &mut Context<Self>) {
        match output {
            Output::Claim => self.claim(ctx),
            Output::LogIn => self.log_in(ctx),
            Output::RefreshToken => self.refresh(ctx),
            Output::OpenSocket => self.open_socket(ctx),
            Output::Verify => self.verify(),
            Output::Resume { attempt, first } => self.begin_resume(attempt, first, ctx),
            Output::SendKeepAlive => self.keep_alive(),
            Output::CloseSocket { code } => self.close_socket(code),
            Output::Report(report) => self.report(report, ctx),
        }
    }

    fn report(&mut self, report: Report, ctx: &mut Context<Self>) {
        tracing::debug!(connection = %self.settings.id, ?report, "session");
        match report {
            Report::Connecting => self.session.attempt_began(&self.settings.id),
            Report::Waiting { .. } => {}
            Report::Connected => self.context.publish(EventData::Connected {}),
            Report::Disconnected(closure, reason) => {
                self.session.attempt_ended("disconnected");
                self.tell_closed(closure, reason);
                self.context.publish(EventData::Disconnected { code: closure.code, by: closure.by, reason });
            }
            Report::Resuming => self.context.publish(EventData::Resuming { attempt: self.session.attempts() }),
            Report::Resumed => {
                self.session.attempt_ended("resumed");
                if self.session.reconnects() > 0 {
                    self.context.metrics().reconnects.inc();
                }
            }
            Report::Failed(reason) => {
                self.session.attempt_ended("failed");
                self.fail(reason);
            }
            Report::Stopped => ctx.stop(),
        }
    }

    /// The resume plan has made progress.
    pub(super) fn resume_progressed(&mut self) {
        self.session.handle(Input::ResumeProgressed);
    }
}

impl Handler<Restart> for Connection {
    type Result = ();

    fn handle(&mut self, _: Restart, ctx: &mut Self::Context) {
        tracing::info!(connection = %self.settings.id, "the connection restarts on request");
        let awaits_lease = self.session.waiting().is_some_and(|wait| wait.reason == WaitReason::LoginHeld);
        if self.session.phase().is_at_rest() || awaits_lease {
            self.claim(ctx);
        } else {
            self.feed(Input::Restart, ctx);
        }
    }
}
