//! How a session opens its socket, loses it, and waits for the next.

use std::time::Duration;

use super::backoff::Backoff;
use super::close_codes::{ABANDONED, judge};
use super::closure::{ClosedBy, Closure};
use super::evictions::Evictions;
use super::input::SocketRefusal;
use super::liveness::Liveness;
use super::machine::{Epoch, Session, Step};
use super::millis::Millis;
use super::output::{DisconnectReason, FailureReason, Output, Report};
use super::phase::Phase;
use super::token::Token;
use super::wait::{Wait, WaitReason};

impl Session {
    pub(super) fn begin_attempt(&mut self, step: &mut Step<'_>) {
        step.report(Report::Connecting);
        if self.token.is_usable() {
            return self.open_socket(step);
        }
        let pending = match self.token {
            Token::Renewing { give_up_at } if give_up_at > step.now => Some(give_up_at),
            _ => None,
        };
        self.token = Token::Missing;
        if pending.is_none() {
            // A second login beside one under way would end the first one's session: the platform allows one a user.
            self.next_epoch();
            step.put(Output::LogIn);
        }
        let deadline = pending.unwrap_or_else(|| step.now.after(self.policy.login_timeout));
        self.enter(Phase::LoggingIn, Some(deadline));
    }

    pub(super) fn open_socket(&mut self, step: &mut Step<'_>) {
        self.next_epoch();
        self.token_outlives_socket = false;
        step.put(Output::OpenSocket);
        self.enter(Phase::Connecting, Some(step.now.after(self.policy.connect_timeout)));
    }

    pub(super) fn next_epoch(&mut self) {
        self.epoch = Epoch(self.epoch.0.wrapping_add(1));
    }

    pub(super) fn socket_opened(&mut self, step: &mut Step<'_>) {
        if self.phase == Phase::Connecting {
            self.liveness = Liveness::opened(step.now, &self.policy);
            step.put(Output::Verify);
            self.enter(Phase::Verifying, Some(step.now.after(self.policy.verify_timeout)));
        }
    }

    pub(super) fn socket_refused(&mut self, refusal: SocketRefusal, step: &mut Step<'_>) {
        if self.phase != Phase::Connecting {
            return;
        }
        match refusal {
            SocketRefusal::Unauthorized => self.token_refused(step),
            SocketRefusal::Throttled { retry_after } => self.retry_throttled(retry_after, step),
            SocketRefusal::Unavailable => self.retry(WaitReason::Unavailable, Duration::ZERO, step),
        }
    }

    pub(super) fn verified(&mut self, step: &mut Step<'_>) {
        if self.phase != Phase::Verifying {
            return;
        }
        self.refused_tokens = 0;
        self.token_accepted |= !self.token_outlives_socket;
        self.liveness.frame_received(step.now);
        self.enter(Phase::Resuming, Some(step.now.after(self.policy.resume_timeout)));
        step.report(Report::Connected);
        step.report(Report::Resuming);
        step.put(Output::Resume { attempt: self.failures.saturating_add(1), first: !self.was_ready });
    }

    pub(super) fn verify_refused(&mut self, code: u16, step: &mut Step<'_>) {
        if self.phase != Phase::Verifying {
            return;
        }
        self.close_abandoned(DisconnectReason::VerifyRefused, step);
        match code {
            401 | 403 => self.token_refused(step),
            429 => self.retry_throttled(None, step),
            _ => self.retry(WaitReason::Unavailable, Duration::ZERO, step),
        }
    }

    pub(super) fn resumed(&mut self, step: &mut Step<'_>) {
        if self.phase != Phase::Resuming {
            return;
        }
        if self.was_ready {
            self.reconnects += 1;
        }
        self.was_ready = true;
        self.ready_since = Some(step.now);
        self.enter(Phase::Ready, None);
        step.report(Report::Resumed);
    }

    pub(super) fn resume_progressed(&mut self, now: Millis) {
        if self.phase == Phase::Resuming {
            self.deadline = Some(now.after(self.policy.resume_timeout));
        }
    }

    pub(super) fn resume_failed(&mut self, step: &mut Step<'_>) {
        if self.phase == Phase::Resuming {
            self.abandon(DisconnectReason::ResumeFailed, step);
        }
    }

    pub(super) fn distrusted(&mut self, step: &mut Step<'_>) {
        if self.phase.is_open() {
            self.abandon(DisconnectReason::Distrusted, step);
        }
    }

    pub(super) fn frame_received(&mut self, now: Millis) {
        if self.phase.is_open() {
            self.liveness.frame_received(now);
        }
    }

    pub(super) fn socket_closed(&mut self, closure: Closure, step: &mut Step<'_>) {
        match self.phase {
            Phase::Stopping => self.stopped(step),
            Phase::Connecting => self.retry(WaitReason::ConnectionLost, Duration::ZERO, step),
            Phase::Verifying | Phase::Resuming | Phase::Ready => self.lose_socket(closure, step),
            _ => {}
        }
    }

    pub(super) fn lose_socket(&mut self, closure: Closure, step: &mut Step<'_>) {
        let verdict = judge(closure);
        step.report(Report::Disconnected(closure, verdict.reason));
        self.settle(step.now);
        if self.phase == Phase::Verifying && verdict.blames_token() {
            return self.token_refused(step);
        }
        if verdict.needs_new_token && !self.token_outlives_socket && self.token.is_usable() {
            self.token = Token::Missing;
            if verdict.blames_token() {
                return self.retry_evicted(step);
            }
        }
        self.retry(WaitReason::ConnectionLost, Duration::ZERO, step);
    }

    pub(super) fn abandon(&mut self, reason: DisconnectReason, step: &mut Step<'_>) {
        self.close_abandoned(reason, step);
        self.settle(step.now);
        self.retry(WaitReason::ConnectionLost, Duration::ZERO, step);
    }

    pub(super) fn close_abandoned(&mut self, reason: DisconnectReason, step: &mut Step<'_>) {
        step.put(Output::CloseSocket { code: ABANDONED });
        let closure = Closure { by: ClosedBy::Us, code: Some(ABANDONED) };
        step.report(Report::Disconnected(closure, reason));
    }

    /// The platform refused a socket for its token. A refusal says nothing about the credentials: the login took them.
    pub(super) fn token_refused(&mut self, step: &mut Step<'_>) {
        if self.token_outlives_socket {
            return self.retry(WaitReason::TokenRefused, Duration::ZERO, step);
        }
        self.token = Token::Missing;
        if self.token_accepted {
            return self.retry_evicted(step);
        }
        // Another login at once would give another token of the same kind.
        self.refused_tokens = self.refused_tokens.saturating_add(1);
        let lasted = self.trouble_lasted(step.now);
        let until = step.at(self.policy.login_backoff().within(lasted), self.refused_tokens);
        self.retry_at(Wait { reason: WaitReason::TokenRefused, until }, step);
    }

    /// The platform took back a token that it had accepted.
    fn retry_evicted(&mut self, step: &mut Step<'_>) {
        self.evictions.token_revoked(step.now.since(self.granted_at), self.policy.stable_after);
        match self.eviction_pause(step) {
            Some(wait) => self.retry_at(wait, step),
            None => self.retry(WaitReason::ConnectionLost, Duration::ZERO, step),
        }
    }

    /// The pause before the next login, if the user is logged in elsewhere.
    pub(super) fn eviction_pause(&self, step: &mut Step<'_>) -> Option<Wait> {
        let times = self.evictions.times_contested()?;
        Some(Wait { reason: WaitReason::LoggedInElsewhere, until: step.at(self.policy.eviction_backoff(), times) })
    }

    pub(super) fn retry_throttled(&mut self, retry_after: Option<Duration>, step: &mut Step<'_>) {
        let asked = retry_after.unwrap_or_default().min(self.policy.login_backoff_max);
        self.retry(WaitReason::Throttled, asked.max(self.policy.throttled_for), step);
    }

    pub(super) fn retry(&mut self, reason: WaitReason, floor: Duration, step: &mut Step<'_>) {
        let failures = self.failures.saturating_add(1);
        let backoff = Backoff { floor, ..self.policy.connect_backoff(failures) };
        let lasted = self.trouble_lasted(step.now);
        let until = step.at(backoff.within(lasted), failures);
        self.retry_at(Wait { reason, until }, step);
    }

    fn retry_at(&mut self, wait: Wait, step: &mut Step<'_>) {
        if !self.policy.reconnects {
            return self.fail(FailureReason::NotMaintained, step);
        }
        self.failures = self.failures.saturating_add(1);
        self.ready_since = None;
        self.wait(Phase::WaitingToReconnect, wait, step);
    }

    /// A platform that accepts and drops at once must not be met with an ever fresh back-off.
    pub(super) fn settle(&mut self, now: Millis) {
        let Some(ready_for) = self.ready_since.map(|since| now.since(since)) else { return };
        if ready_for >= self.policy.stable_after {
            self.failures = 0;
            if self.token.is_usable() {
                self.trouble_since = None;
            }
            self.evictions.settled();
        }
        if ready_for >= self.policy.uncontested_after() && now.since(self.granted_at) >= self.policy.uncontested_after()
        {
            self.evictions = Evictions::default();
        }
    }
}
