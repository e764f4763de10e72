//! The state machine: which happening leads to which phase, and what the actor is to do then.

use std::time::Duration;

use super::backoff::Backoff;
use super::close_codes::{ABANDONED, NORMAL, judge};
use super::input::{ClosedBy, Closure, Input, LoginRefusal, RefreshRefusal, SocketRefusal};
use super::liveness::{Beat, Liveness};
use super::millis::Millis;
use super::output::{DisconnectReason, FailureReason, Output, Outputs, Report};
use super::phase::Phase;
use super::policy::SessionPolicy;
use super::token::Token;

/// Which attempt an outcome belongs to. It changes whenever a socket or the login before it is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch(u64);

/// The life of one connection. See the [module](super) for how an actor drives it.
#[derive(Debug)]
pub struct Session {
    policy: SessionPolicy,
    phase: Phase,
    epoch: Epoch,
    /// When the phase has lasted too long. `None` at rest and in `Ready`.
    deadline: Option<Millis>,
    token: Token,
    /// The token was granted after the socket was opened, so the socket's end says nothing about it.
    token_outlives_socket: bool,
    liveness: Liveness,
    ready_since: Option<Millis>,
    was_ready: bool,
    failures: u32,
    login_failures: u32,
    credential_refusals: u32,
    unauthorized_opens: u32,
    reconnects: u64,
}

/// The surroundings of one input.
struct Step<'a> {
    now: Millis,
    entropy: &'a mut dyn FnMut() -> u64,
    outputs: Outputs,
}

impl Step<'_> {
    fn put(&mut self, output: Output) {
        self.outputs.push(output);
    }

    fn report(&mut self, report: Report) {
        self.put(Output::Report(report));
    }

    fn at(&mut self, backoff: Backoff, failures: u32) -> Millis {
        self.now.after(backoff.delay(failures.saturating_sub(1), (self.entropy)()))
    }
}

impl Session {
    /// A session at rest.
    #[must_use]
    pub fn new(policy: SessionPolicy) -> Self {
        Self {
            policy,
            phase: Phase::Idle,
            epoch: Epoch(0),
            deadline: None,
            token: Token::Missing,
            token_outlives_socket: false,
            liveness: Liveness::default(),
            ready_since: None,
            was_ready: false,
            failures: 0,
            login_failures: 0,
            credential_refusals: 0,
            unauthorized_opens: 0,
            reconnects: 0,
        }
    }

    /// Where in its life the session is.
    #[must_use]
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// The attempt under way. An actor notes it when it begins a login or opens a socket, and hands it back with the
    /// outcome to [`handle_of`](Self::handle_of).
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Callers' commands may be sent. While resuming only the resume plan may send.
    #[must_use]
    pub fn may_send(&self) -> bool {
        self.phase == Phase::Ready
    }

    /// How often the session became ready again after a loss.
    #[must_use]
    pub fn reconnects(&self) -> u64 {
        self.reconnects
    }

    /// Failed attempts (logins and sockets) since the connection was last stable.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.failures.saturating_add(self.login_failures)
    }

    /// When to feed [`Input::Tick`] next. `None` only at rest ([`Phase::is_at_rest`]).
    #[must_use]
    pub fn next_wake(&self) -> Option<Millis> {
        let live = self.is_live().then(|| self.liveness.wake(&self.policy));
        let token = self.is_live().then(|| self.token.wake()).flatten();
        [self.deadline, live, token].into_iter().flatten().min()
    }

    /// Like [`handle`](Self::handle), but drops the outcome of an earlier attempt: a socket given up may still open or
    /// close, a login given up may still be answered.
    pub fn handle_of(&mut self, epoch: Epoch, input: Input, now: Millis, entropy: &mut dyn FnMut() -> u64) -> Outputs {
        if epoch == self.epoch { self.handle(input, now, entropy) } else { Outputs::new() }
    }

    /// Takes in one happening at `now` and answers what to do. An input that does not fit the phase changes nothing.
    /// `entropy` gives 64 uniformly random bits a call and is called only for a wait.
    pub fn handle(&mut self, input: Input, now: Millis, entropy: &mut dyn FnMut() -> u64) -> Outputs {
        let mut step = Step { now, entropy, outputs: Outputs::new() };
        match input {
            Input::FrameReceived => self.frame_received(now),
            Input::Tick => self.tick(&mut step),
            Input::Start => self.start(&mut step),
            Input::Stop => self.stop(&mut step),
            Input::LoggedIn => self.logged_in(&mut step),
            Input::LoginRefused(refusal) => self.login_refused(refusal, &mut step),
            Input::SocketOpened => self.socket_opened(&mut step),
            Input::SocketRefused(refusal) => self.socket_refused(refusal, &mut step),
            Input::Verified => self.verified(&mut step),
            Input::VerifyRefused { code } => self.verify_refused(code, &mut step),
            Input::Resumed => self.resumed(&mut step),
            Input::ResumeFailed => self.resume_failed(&mut step),
            Input::SocketClosed(closure) => self.socket_closed(closure, &mut step),
            Input::TokenRefreshed => self.token_refreshed(now),
            Input::TokenRefreshRefused(refusal) => self.refresh_refused(refusal, &mut step),
        }
        step.outputs
    }

    fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Resuming | Phase::Ready)
    }

    fn enter(&mut self, phase: Phase, deadline: Option<Millis>) {
        self.phase = phase;
        self.deadline = deadline;
    }

    fn start(&mut self, step: &mut Step<'_>) {
        if !self.phase.is_at_rest() {
            return;
        }
        self.failures = 0;
        self.login_failures = 0;
        self.credential_refusals = 0;
        self.unauthorized_opens = 0;
        self.begin_attempt(step);
    }

    fn stop(&mut self, step: &mut Step<'_>) {
        match self.phase {
            Phase::Stopping | Phase::Stopped => {}
            Phase::Verifying | Phase::Resuming | Phase::Ready => {
                step.put(Output::CloseSocket { code: NORMAL });
                self.enter(Phase::Stopping, Some(step.now.after(self.policy.close_timeout)));
            }
            Phase::Connecting => {
                step.put(Output::CloseSocket { code: NORMAL });
                self.stopped(step);
            }
            _ => self.stopped(step),
        }
    }

    fn stopped(&mut self, step: &mut Step<'_>) {
        self.token = Token::Missing;
        self.ready_since = None;
        self.enter(Phase::Stopped, None);
        step.report(Report::Stopped);
    }

    fn fail(&mut self, reason: FailureReason, step: &mut Step<'_>) {
        self.token = Token::Missing;
        self.enter(Phase::Failed(reason), None);
        step.report(Report::Failed(reason));
    }

    fn begin_attempt(&mut self, step: &mut Step<'_>) {
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

    fn open_socket(&mut self, step: &mut Step<'_>) {
        self.next_epoch();
        self.token_outlives_socket = false;
        step.put(Output::OpenSocket);
        self.enter(Phase::Connecting, Some(step.now.after(self.policy.connect_timeout)));
    }

    fn next_epoch(&mut self) {
        self.epoch = Epoch(self.epoch.0.wrapping_add(1));
    }

    fn logged_in(&mut self, step: &mut Step<'_>) {
        if self.phase.is_at_rest() || self.phase == Phase::Stopping {
            return;
        }
        self.login_failures = 0;
        self.credential_refusals = 0;
        self.hold_token(step.now);
        self.token_outlives_socket = true;
        if self.phase == Phase::LoggingIn {
            self.open_socket(step);
        }
    }

    fn hold_token(&mut self, now: Millis) {
        let refresh_at = self.policy.refresh_every.map(|every| now.after(every));
        self.token = Token::Held { refresh_at };
    }

    fn login_refused(&mut self, refusal: LoginRefusal, step: &mut Step<'_>) {
        if self.phase == Phase::LoggingIn {
            if refusal == LoginRefusal::Credentials {
                self.credential_refusals += 1;
                if self.credential_refusals >= self.policy.max_credential_refusals {
                    return self.fail(FailureReason::CredentialsRefused, step);
                }
            }
            let until = self.next_login(refusal, step);
            self.enter(Phase::WaitingToLogIn, Some(until));
            step.report(Report::Waiting { until, attempt: self.login_failures });
        } else if matches!(self.token, Token::Renewing { .. }) {
            // Refused credentials wait for the next connect: there is a healthy socket to lose.
            self.token = match refusal {
                LoginRefusal::Credentials => Token::Missing,
                _ => Token::RenewalDue { at: self.next_login(refusal, step) },
            };
        }
    }

    fn next_login(&mut self, refusal: LoginRefusal, step: &mut Step<'_>) -> Millis {
        self.login_failures = self.login_failures.saturating_add(1);
        let mut backoff = self.policy.login_backoff();
        if let LoginRefusal::Throttled { retry_after: Some(asked) } = refusal {
            backoff.floor = asked.clamp(backoff.floor, self.policy.login_backoff_max);
        }
        step.at(backoff, self.login_failures)
    }

    fn socket_opened(&mut self, step: &mut Step<'_>) {
        if self.phase == Phase::Connecting {
            self.liveness = Liveness::opened(step.now, &self.policy);
            step.put(Output::Verify);
            self.enter(Phase::Verifying, Some(step.now.after(self.policy.verify_timeout)));
        }
    }

    fn socket_refused(&mut self, refusal: SocketRefusal, step: &mut Step<'_>) {
        if self.phase != Phase::Connecting {
            return;
        }
        match refusal {
            SocketRefusal::Unauthorized => self.token_refused(step),
            SocketRefusal::Throttled { retry_after } => self.retry_throttled(retry_after, step),
            SocketRefusal::Unavailable => self.retry(Duration::ZERO, step),
        }
    }

    fn verified(&mut self, step: &mut Step<'_>) {
        if self.phase != Phase::Verifying {
            return;
        }
        self.unauthorized_opens = 0;
        self.liveness.frame_received(step.now);
        self.enter(Phase::Resuming, Some(step.now.after(self.policy.resume_timeout)));
        step.report(Report::Connected);
        step.report(Report::Resuming);
        step.put(Output::Resume { attempt: self.failures.saturating_add(1), first: !self.was_ready });
    }

    fn verify_refused(&mut self, code: u16, step: &mut Step<'_>) {
        if self.phase != Phase::Verifying {
            return;
        }
        self.close_abandoned(DisconnectReason::VerifyRefused, step);
        match code {
            401 | 403 => self.token_refused(step),
            429 => self.retry_throttled(None, step),
            _ => self.retry(Duration::ZERO, step),
        }
    }

    fn resumed(&mut self, step: &mut Step<'_>) {
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

    fn resume_failed(&mut self, step: &mut Step<'_>) {
        if self.phase == Phase::Resuming {
            self.abandon(DisconnectReason::ResumeFailed, step);
        }
    }

    fn frame_received(&mut self, now: Millis) {
        if self.phase.is_open() {
            self.liveness.frame_received(now);
        }
    }

    fn socket_closed(&mut self, closure: Closure, step: &mut Step<'_>) {
        match self.phase {
            Phase::Stopping => self.stopped(step),
            Phase::Connecting => self.retry(Duration::ZERO, step),
            Phase::Verifying | Phase::Resuming | Phase::Ready => self.lose_socket(closure, step),
            _ => {}
        }
    }

    fn lose_socket(&mut self, closure: Closure, step: &mut Step<'_>) {
        let verdict = judge(closure);
        step.report(Report::Disconnected(closure, verdict.reason));
        self.settle(step.now);
        if self.phase == Phase::Verifying && verdict.blames_token() {
            return self.token_refused(step);
        }
        if verdict.needs_new_token && !self.token_outlives_socket && self.token.is_usable() {
            self.token = Token::Missing;
        }
        self.retry(Duration::ZERO, step);
    }

    fn abandon(&mut self, reason: DisconnectReason, step: &mut Step<'_>) {
        self.close_abandoned(reason, step);
        self.settle(step.now);
        self.retry(Duration::ZERO, step);
    }

    fn close_abandoned(&mut self, reason: DisconnectReason, step: &mut Step<'_>) {
        step.put(Output::CloseSocket { code: ABANDONED });
        let closure = Closure { by: ClosedBy::Us, code: Some(ABANDONED) };
        step.report(Report::Disconnected(closure, reason));
    }

    fn token_refused(&mut self, step: &mut Step<'_>) {
        if !self.token_outlives_socket {
            self.token = Token::Missing;
        }
        self.unauthorized_opens += 1;
        if self.unauthorized_opens >= self.policy.max_unauthorized_opens {
            return self.fail(FailureReason::TokensRefused, step);
        }
        self.retry(Duration::ZERO, step);
    }

    fn retry_throttled(&mut self, retry_after: Option<Duration>, step: &mut Step<'_>) {
        let asked = retry_after.unwrap_or_default().min(self.policy.login_backoff_max);
        self.retry(asked.max(self.policy.throttled_for), step);
    }

    fn retry(&mut self, floor: Duration, step: &mut Step<'_>) {
        self.failures = self.failures.saturating_add(1);
        let backoff = Backoff { floor, ..self.policy.connect_backoff(self.failures) };
        let until = step.at(backoff, self.failures);
        self.ready_since = None;
        self.enter(Phase::WaitingToReconnect, Some(until));
        step.report(Report::Waiting { until, attempt: self.failures });
    }

    /// A platform that accepts and drops at once must not be met with an ever fresh back-off.
    fn settle(&mut self, now: Millis) {
        if self.ready_since.is_some_and(|since| now.since(since) >= self.policy.stable_after) {
            self.failures = 0;
        }
    }

    fn token_refreshed(&mut self, now: Millis) {
        if matches!(self.token, Token::Refreshing { .. }) {
            self.hold_token(now);
        }
    }

    fn refresh_refused(&mut self, refusal: RefreshRefusal, step: &mut Step<'_>) {
        if !matches!(self.token, Token::Refreshing { .. }) {
            return;
        }
        match refusal {
            RefreshRefusal::Unavailable => self.hold_token(step.now),
            RefreshRefusal::Unauthorized => {
                self.token = Token::RenewalDue { at: step.now };
                self.tend_token(step);
            }
        }
    }

    fn tick(&mut self, step: &mut Step<'_>) {
        if self.deadline.is_some_and(|deadline| step.now >= deadline) {
            self.phase_expired(step);
        }
        if !self.is_live() {
            return;
        }
        self.settle(step.now);
        match self.liveness.beat(step.now, &self.policy) {
            Some(Beat::Dead) => return self.abandon(DisconnectReason::DeadPeer, step),
            Some(Beat::KeepAlive) => step.put(Output::SendKeepAlive),
            None => {}
        }
        self.tend_token(step);
    }

    fn phase_expired(&mut self, step: &mut Step<'_>) {
        match self.phase {
            Phase::LoggingIn => self.login_refused(LoginRefusal::Unavailable, step),
            Phase::WaitingToLogIn | Phase::WaitingToReconnect => self.begin_attempt(step),
            Phase::Connecting => {
                step.put(Output::CloseSocket { code: ABANDONED });
                self.retry(Duration::ZERO, step);
            }
            Phase::Verifying => self.abandon(DisconnectReason::VerifyTimedOut, step),
            Phase::Resuming => self.abandon(DisconnectReason::ResumeTimedOut, step),
            Phase::Stopping => self.stopped(step),
            Phase::Idle | Phase::Ready | Phase::Stopped | Phase::Failed(_) => {}
        }
    }

    fn tend_token(&mut self, step: &mut Step<'_>) {
        if !self.is_live() || self.token.wake().is_none_or(|at| step.now < at) {
            return;
        }
        let give_up_at = step.now.after(self.policy.login_timeout);
        match self.token {
            Token::Missing => {}
            Token::Held { .. } => {
                self.token = Token::Refreshing { give_up_at };
                step.put(Output::RefreshToken);
            }
            Token::Refreshing { .. } => self.hold_token(step.now),
            Token::RenewalDue { .. } => {
                self.token = Token::Renewing { give_up_at };
                step.put(Output::LogIn);
            }
            Token::Renewing { .. } => self.login_refused(LoginRefusal::Unavailable, step),
        }
    }
}
