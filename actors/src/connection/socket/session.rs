//! The session of a connection, with its clock and its timer.

use std::time::{Duration, Instant};

use actix::SpawnHandle;
use tertulia_core::{
    id::ConnectionId,
    session::{Epoch, Input, Millis, Outputs, Phase, Session, SessionPolicy, Wait},
};
use tracing::{Span, field::Empty};

use crate::metrics::Metrics;

/// The session of a connection, with its clock and its timer.
pub(super) struct SessionDriver {
    machine: Session,
    /// The origin of the session's clock.
    started: Instant,
    timer: Option<SpawnHandle>,
    /// The span of an attempt, until the attempt has resumed or failed.
    connecting: Span,
    /// Whether the connection is counted as ready.
    is_counted: bool,
}

impl SessionDriver {
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
    pub(super) fn now(&self) -> Millis {
        Millis(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn handle(&mut self, input: Input) -> Outputs {
        self.handle_of(self.machine.epoch(), input)
    }

    pub(super) fn handle_of(&mut self, epoch: Epoch, input: Input) -> Outputs {
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

    pub(super) fn holds_token(&self) -> bool {
        self.machine.holds_token()
    }

    pub(super) fn obtains_token(&self) -> bool {
        self.machine.obtains_token()
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
    pub(super) fn count_ready(&mut self, metrics: &Metrics) {
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

    /// Starts the span of an attempt.
    pub(super) fn attempt_began(&mut self, connection: &ConnectionId) {
        let attempt = self.machine.attempts();
        self.connecting = tracing::debug_span!("connect", %connection, attempt, outcome = Empty);
    }

    /// Ends the span of an attempt with its outcome.
    pub(super) fn attempt_ended(&mut self, outcome: &'static str) {
        self.connecting.record("outcome", outcome);
        self.connecting = Span::none();
    }

    /// How long until the session must be woken.
    pub(super) fn next_wake(&self) -> Option<Duration> {
        self.machine.next_wake().map(|wake| wake.since(self.now()))
    }

    pub(super) fn set_timer(&mut self, timer: SpawnHandle) {
        self.timer = Some(timer);
    }

    /// Forgets the timer, and returns it so that it can be cancelled.
    pub(super) fn take_timer(&mut self) -> Option<SpawnHandle> {
        self.timer.take()
    }
}
