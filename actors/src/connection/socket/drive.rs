//! Drives the session: passes inputs to it, executes its outputs, and wakes it in time.

use std::time::{Duration, Instant};

use actix::{ActorContext, AsyncContext, Context, Handler, SpawnHandle};
use tertulia_core::session::{
    Epoch, Input, Millis, Output, Outputs, Phase, Report, Session, SessionPolicy, Wait, WaitReason,
};
use tracing::{Span, field::Empty};

use super::{Connection, Restart};
use crate::{metrics::Metrics, subscriber::EventData};

/// The session of a connection, with its clock and its timer.
pub(super) struct Drive {
    machine: Session,
    /// The origin of the session's clock.
    started: Instant,
    timer: Option<SpawnHandle>,
    /// The span of an attempt, until the attempt has resumed or failed.
    connecting: Span,
    /// Whether the connection is counted as ready.
    is_counted: bool,
}

impl Drive {
    pub(super) fn new(policy: SessionPolicy) -> Self {
        Self {
            machine: Session::new(policy),
            started: Instant::now(),
            timer: None,
            connecting: Span::none(),
            is_counted: false,
        }
    }

    /// The present time on the session's clock.
    fn now(&self) -> Millis {
        Millis(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn handle(&mut self, input: Input) -> Outputs {
        self.handle_of(self.machine.epoch(), input)
    }

    fn handle_of(&mut self, epoch: Epoch, input: Input) -> Outputs {
        let now = self.now();
        self.machine.handle_of(epoch, input, now, &mut rand::random::<u64>)
    }

    pub(super) fn phase(&self) -> &Phase {
        self.machine.phase()
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.machine.epoch()
    }

    pub(super) fn waiting(&self) -> Option<Wait> {
        self.machine.waiting()
    }

    pub(super) fn may_send(&self) -> bool {
        self.machine.may_send()
    }

    pub(super) fn attempts(&self) -> u32 {
        self.machine.attempts()
    }

    pub(super) fn reconnects(&self) -> u64 {
        self.machine.reconnects()
    }

    /// Records that the platform has accepted these credentials before.
    pub(super) fn trust_credentials(&mut self) {
        self.machine.trust_credentials();
    }

    /// Restarts the session after a panic of the actor, whose timer is gone.
    pub(super) fn restart(&mut self, policy: SessionPolicy, metrics: &Metrics) {
        let credentials_worked = self.machine.credentials_worked();
        self.timer = None;
        self.machine = Session::new(policy);
        if credentials_worked {
            self.trust_credentials();
        }
        self.count_ready(metrics);
    }

    /// Counts the connection as ready or not, according to the session's phase.
    fn count_ready(&mut self, metrics: &Metrics) {
        let is_ready = self.machine.may_send();
        if is_ready && !self.is_counted {
            metrics.connections_ready.inc();
        } else if !is_ready && self.is_counted {
            metrics.connections_ready.dec();
        }
        self.is_counted = is_ready;
    }

    /// The connection ends: it is no longer counted as ready.
    pub(super) fn end(&mut self, metrics: &Metrics) {
        if std::mem::take(&mut self.is_counted) {
            metrics.connections_ready.dec();
        }
    }
}

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
        self.session.count_ready(&self.process.metrics);
        self.update_status();
        self.tell_waiting();
        if let Some(timer) = self.session.timer.take() {
            ctx.cancel_future(timer);
        }
        if let Some(Millis(wake)) = self.session.machine.next_wake() {
            let Millis(now) = self.now();
            let wait = Duration::from_millis(wake.saturating_sub(now));
            self.session.timer = Some(ctx.run_later(wait, |connection, ctx| {
                connection.session.timer = None;
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
            Report::Connecting => {
                let attempt = self.session.attempts();
                self.session.connecting =
                    tracing::debug_span!("connect", connection = %self.settings.id, attempt, outcome = Empty);
            }
            Report::Waiting { .. } => {}
            Report::Connected => self.publish(EventData::Connected {}),
            Report::Disconnected(closure, reason) => {
                self.connecting_ended("disconnected");
                self.tell_closed(closure, reason);
                self.publish(EventData::Disconnected { code: closure.code, by: closure.by, reason });
            }
            Report::Resuming => self.publish(EventData::Resuming { attempt: self.session.attempts() }),
            Report::Resumed => {
                self.connecting_ended("resumed");
                if self.session.reconnects() > 0 {
                    self.metrics().reconnects.inc();
                }
            }
            Report::Failed(reason) => {
                self.connecting_ended("failed");
                self.fail(reason);
            }
            Report::Stopped => ctx.stop(),
        }
    }

    /// Ends the span of an attempt with its outcome.
    fn connecting_ended(&mut self, outcome: &'static str) {
        self.session.connecting.record("outcome", outcome);
        self.session.connecting = Span::none();
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
