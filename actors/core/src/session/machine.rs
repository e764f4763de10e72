//! The state machine: which input leads to which phase, and what the actor must do then.

use std::time::Duration;

use super::backoff::Backoff;
use super::close_codes::{ABANDONED, NORMAL};
use super::closure::{ClosedBy, Closure};
use super::evictions::Evictions;
use super::input::{Input, LoginRefusal};
use super::liveness::{Beat, Liveness};
use super::millis::Millis;
use super::output::{DisconnectReason, FailureReason, Output, Outputs, Report};
use super::phase::Phase;
use super::policy::SessionPolicy;
use super::token::Token;
use super::wait::{Wait, WaitReason};

/// Identifies the attempt to which the outcome of a login or a socket belongs. It changes whenever a socket, or the
/// login before it, is begun. A login during a healthy socket belongs to the attempt of that socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch(pub(super) u64);

/// The session of one connection. See the [module](super) for how an actor drives it.
#[derive(Debug)]
pub struct Session {
    pub(super) policy: SessionPolicy,
    pub(super) phase: Phase,
    pub(super) epoch: Epoch,
    /// When the phase has lasted too long. `None` at rest and in `Ready`.
    pub(super) deadline: Option<Millis>,
    pub(super) token: Token,
    /// Whether the token was granted after the socket was opened, so that the end of the socket says nothing about it.
    pub(super) token_outlives_socket: bool,
    pub(super) liveness: Liveness,
    pub(super) ready_since: Option<Millis>,
    pub(super) was_ready: bool,
    pub(super) failures: u32,
    pub(super) login_failures: u32,
    pub(super) credential_refusals: u32,
    /// The number of fresh tokens in a row whose first socket was refused.
    pub(super) refused_tokens: u32,
    /// Whether the platform ever granted a token for these credentials.
    pub(super) credentials_worked: bool,
    /// When the token in use was granted.
    pub(super) granted_at: Millis,
    /// Whether the platform accepted a socket with the token in use.
    pub(super) token_accepted: bool,
    pub(super) evictions: Evictions,
    /// When the present trouble began.
    pub(super) trouble_since: Option<Millis>,
    /// What a waiting phase waits for.
    pub(super) waiting: Option<Wait>,
    pub(super) reconnects: u64,
}

/// The context of one input.
pub(super) struct Step<'a> {
    pub(super) now: Millis,
    pub(super) entropy: &'a mut dyn FnMut() -> u64,
    pub(super) outputs: Outputs,
}

impl Step<'_> {
    pub(super) fn put(&mut self, output: Output) {
        self.outputs.push(output);
    }

    pub(super) fn report(&mut self, report: Report) {
        self.put(Output::Report(report));
    }

    pub(super) fn at(&mut self, backoff: Backoff, failures: u32) -> Millis {
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
            refused_tokens: 0,
            credentials_worked: false,
            granted_at: Millis::default(),
            token_accepted: false,
            evictions: Evictions::default(),
            trouble_since: None,
            waiting: None,
            reconnects: 0,
        }
    }

    /// Records that the platform has granted a token for these credentials before. From now on a refusal of them counts
    /// as temporary, and never as a reason to fail.
    pub fn trust_credentials(&mut self) {
        self.credentials_worked = true;
    }

    /// Returns whether the platform ever granted a token for these credentials.
    #[must_use]
    pub fn credentials_worked(&self) -> bool {
        self.credentials_worked
    }

    /// Returns what the session waits for, and until when. A session that is logged in elsewhere waits for its next
    /// login even while its socket is open.
    #[must_use]
    pub fn waiting(&self) -> Option<Wait> {
        match self.token {
            Token::RenewalDue { at } if self.is_live() && self.evictions.is_contested() => {
                Some(Wait { reason: WaitReason::LoggedInElsewhere, until: at })
            }
            _ => self.waiting,
        }
    }

    /// The present phase.
    #[must_use]
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// The present attempt. An actor stores it when it begins a login or opens a socket, and passes it with the outcome
    /// to [`handle_of`](Self::handle_of).
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Returns whether callers' commands may be sent. While resuming only the resume plan may send.
    #[must_use]
    pub fn may_send(&self) -> bool {
        self.phase == Phase::Ready
    }

    /// Returns whether the session has a token that is valid as far as the session knows.
    #[must_use]
    pub fn holds_token(&self) -> bool {
        matches!(self.token, Token::Held { .. })
    }

    /// Returns whether the session is getting a token or is finding out whether its token is still valid.
    #[must_use]
    pub fn obtains_token(&self) -> bool {
        match self.token {
            Token::Held { .. } => false,
            Token::Missing => matches!(self.phase, Phase::LoggingIn | Phase::WaitingToReconnect),
            Token::Refreshing { .. } | Token::RenewalDue { .. } | Token::Renewing { .. } => true,
        }
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

    /// When to pass in [`Input::Tick`] next. `None` only at rest ([`Phase::is_at_rest`]).
    #[must_use]
    pub fn next_wake(&self) -> Option<Millis> {
        let live = self.is_live().then(|| self.liveness.wake(&self.policy));
        let token = self.is_live().then(|| self.token.wake()).flatten();
        [self.deadline, live, token].into_iter().flatten().min()
    }

    /// Like [`handle`](Self::handle), but ignores the outcome of an earlier attempt: an abandoned socket may still open
    /// or close, and an abandoned login may still complete.
    pub fn handle_of(&mut self, epoch: Epoch, input: Input, now: Millis, entropy: &mut dyn FnMut() -> u64) -> Outputs {
        if epoch == self.epoch { self.handle(input, now, entropy) } else { Outputs::new() }
    }

    /// Processes one input at `now` and returns what to do. An input that does not fit the phase changes nothing.
    /// `entropy` returns 64 uniformly random bits per call and is called only for a wait.
    pub fn handle(&mut self, input: Input, now: Millis, entropy: &mut dyn FnMut() -> u64) -> Outputs {
        let mut step = Step { now, entropy, outputs: Outputs::new() };
        match input {
            Input::FrameReceived => self.frame_received(now),
            Input::Tick => self.tick(&mut step),
            Input::Start => self.start(&mut step),
            Input::Restart => self.restart(&mut step),
            Input::Withheld => self.withheld(&mut step),
            Input::Stop => self.stop(&mut step),
            Input::LoggedIn => self.logged_in(&mut step),
            Input::LoginRefused(refusal) => self.login_refused(refusal, &mut step),
            Input::SocketOpened => self.socket_opened(&mut step),
            Input::SocketRefused(refusal) => self.socket_refused(refusal, &mut step),
            Input::Verified => self.verified(&mut step),
            Input::VerifyRefused { code } => self.verify_refused(code, &mut step),
            Input::Resumed => self.resumed(&mut step),
            Input::ResumeProgressed => self.resume_progressed(now),
            Input::ResumeFailed => self.resume_failed(&mut step),
            Input::SocketClosed(closure) => self.socket_closed(closure, &mut step),
            Input::Distrusted => self.distrusted(&mut step),
            Input::GivenUp(reason) => self.given_up(reason, &mut step),
            Input::TokenRefreshed => self.token_refreshed(now),
            Input::TokenRefreshRefused(refusal) => self.refresh_refused(refusal, &mut step),
            Input::ServiceRefusedToken { can_refresh } => self.service_refused_token(can_refresh, &mut step),
        }
        step.outputs
    }

    pub(super) fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Resuming | Phase::Ready)
    }

    pub(super) fn enter(&mut self, phase: Phase, deadline: Option<Millis>) {
        self.phase = phase;
        self.deadline = deadline;
        self.waiting = None;
    }

    pub(super) fn wait(&mut self, phase: Phase, wait: Wait, step: &mut Step<'_>) {
        let Wait { reason, until } = wait;
        self.enter(phase, Some(until));
        self.waiting = Some(wait);
        step.report(Report::Waiting { until, attempt: self.attempts(), reason });
    }

    /// Returns how long the trouble has lasted. It begins now if there was none.
    pub(super) fn trouble_lasted(&mut self, now: Millis) -> Duration {
        now.since(*self.trouble_since.get_or_insert(now))
    }

    fn start(&mut self, step: &mut Step<'_>) {
        if self.phase.is_at_rest() || self.awaits_lease() {
            self.begin_afresh(step);
        }
    }

    fn restart(&mut self, step: &mut Step<'_>) {
        match self.phase {
            Phase::LoggingIn | Phase::Stopping | Phase::Stopped => return,
            Phase::Verifying | Phase::Resuming | Phase::Ready => {
                step.put(Output::CloseSocket { code: NORMAL });
                let closure = Closure { by: ClosedBy::Us, code: Some(NORMAL) };
                step.report(Report::Disconnected(closure, DisconnectReason::ClosedByUs));
            }
            Phase::Connecting => step.put(Output::CloseSocket { code: NORMAL }),
            Phase::Idle | Phase::WaitingToLogIn | Phase::WaitingToReconnect | Phase::Failed(_) => {}
        }
        self.token = Token::Missing;
        self.ready_since = None;
        self.begin_afresh(step);
    }

    fn begin_afresh(&mut self, step: &mut Step<'_>) {
        self.failures = 0;
        self.login_failures = 0;
        self.credential_refusals = 0;
        self.refused_tokens = 0;
        self.evictions = Evictions::default();
        self.trouble_since = None;
        self.begin_attempt(step);
    }

    /// Whether the session waits for the right to log in.
    fn awaits_lease(&self) -> bool {
        self.waiting.is_some_and(|wait| wait.reason == WaitReason::LoginHeld)
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

    pub(super) fn stopped(&mut self, step: &mut Step<'_>) {
        self.token = Token::Missing;
        self.ready_since = None;
        self.enter(Phase::Stopped, None);
        step.report(Report::Stopped);
    }

    pub(super) fn fail(&mut self, reason: FailureReason, step: &mut Step<'_>) {
        self.token = Token::Missing;
        self.enter(Phase::Failed(reason), None);
        step.report(Report::Failed(reason));
    }

    fn given_up(&mut self, reason: FailureReason, step: &mut Step<'_>) {
        match self.phase {
            Phase::Stopping | Phase::Stopped | Phase::Failed(_) => return,
            Phase::Verifying | Phase::Resuming | Phase::Ready => {
                self.close_abandoned(DisconnectReason::Distrusted, step);
            }
            Phase::Connecting => step.put(Output::CloseSocket { code: ABANDONED }),
            Phase::Idle | Phase::LoggingIn | Phase::WaitingToLogIn | Phase::WaitingToReconnect => {}
        }
        self.fail(reason, step);
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
            Phase::WaitingToLogIn if self.awaits_lease() => {
                // Until the response arrives, which has its own deadline.
                self.deadline = Some(step.now.after(self.policy.login_timeout));
                step.put(Output::Claim);
            }
            Phase::WaitingToLogIn | Phase::WaitingToReconnect => self.begin_attempt(step),
            Phase::Connecting => {
                step.put(Output::CloseSocket { code: ABANDONED });
                self.retry(WaitReason::Unavailable, Duration::ZERO, step);
            }
            Phase::Verifying => self.abandon(DisconnectReason::VerifyTimedOut, step),
            Phase::Resuming => self.abandon(DisconnectReason::ResumeTimedOut, step),
            Phase::Stopping => self.stopped(step),
            Phase::Idle | Phase::Ready | Phase::Stopped | Phase::Failed(_) => {}
        }
    }
}
