//! How a session obtains and keeps its token.

use super::close_codes::ABANDONED;
use super::input::{LoginRefusal, RefreshRefusal};
use super::machine::{Session, Step};
use super::millis::Millis;
use super::output::{DisconnectReason, FailureReason, Output};
use super::phase::Phase;
use super::token::Token;
use super::wait::{Wait, WaitReason};

impl Session {
    pub(super) fn logged_in(&mut self, step: &mut Step<'_>) {
        if self.phase.is_at_rest() || self.phase == Phase::Stopping {
            return;
        }
        self.login_failures = 0;
        self.credential_refusals = 0;
        self.credentials_worked = true;
        self.hold_token(step.now);
        self.granted_at = step.now;
        self.token_accepted = false;
        self.token_outlives_socket = true;
        if self.phase == Phase::LoggingIn {
            self.open_socket(step);
        }
    }

    pub(super) fn hold_token(&mut self, now: Millis) {
        let refresh_at = self.policy.refresh_every.map(|every| now.after(every));
        self.token = Token::Held { refresh_at };
    }

    pub(super) fn login_refused(&mut self, refusal: LoginRefusal, step: &mut Step<'_>) {
        if self.phase == Phase::LoggingIn {
            if refusal == LoginRefusal::Credentials && !self.credentials_worked {
                self.credential_refusals += 1;
                if self.credential_refusals >= self.policy.max_credential_refusals {
                    return self.fail(FailureReason::CredentialsRefused, step);
                }
            }
            if !self.policy.reconnects {
                return self.fail(FailureReason::NotMaintained, step);
            }
            let until = self.next_login(refusal, step);
            let reason = match refusal {
                LoginRefusal::Credentials => WaitReason::CredentialsRefused,
                LoginRefusal::Throttled { .. } => WaitReason::Throttled,
                LoginRefusal::Unavailable => WaitReason::Unavailable,
            };
            self.wait(Phase::WaitingToLogIn, Wait { reason, until }, step);
        } else if matches!(self.token, Token::Renewing { .. }) {
            self.token = Token::RenewalDue { at: self.next_login(refusal, step) };
        }
    }

    /// The owner cannot log in, because another connection holds the right to.
    pub(super) fn withheld(&mut self, step: &mut Step<'_>) {
        match self.phase {
            Phase::Stopping | Phase::Stopped => return,
            Phase::Verifying | Phase::Resuming | Phase::Ready => {
                self.close_abandoned(DisconnectReason::LeaseLost, step);
            }
            Phase::Connecting => step.put(Output::CloseSocket { code: ABANDONED }),
            Phase::Idle | Phase::LoggingIn | Phase::WaitingToLogIn | Phase::WaitingToReconnect | Phase::Failed(_) => {}
        }
        self.next_epoch();
        self.token = Token::Missing;
        self.ready_since = None;
        let until = step.at(self.policy.claim_backoff(), 1);
        self.wait(Phase::WaitingToLogIn, Wait { reason: WaitReason::LoginHeld, until }, step);
    }

    pub(super) fn next_login(&mut self, refusal: LoginRefusal, step: &mut Step<'_>) -> Millis {
        self.login_failures = self.login_failures.saturating_add(1);
        let mut backoff = self.policy.login_backoff();
        if let LoginRefusal::Throttled { retry_after: Some(asked) } = refusal {
            backoff.floor = asked.min(self.policy.login_backoff_max).max(backoff.floor);
        }
        let lasted = self.trouble_lasted(step.now);
        step.at(backoff.within(lasted), self.login_failures)
    }

    pub(super) fn token_refreshed(&mut self, now: Millis) {
        if matches!(self.token, Token::Refreshing { .. }) {
            self.evictions.refreshed();
            self.hold_token(now);
        }
    }

    pub(super) fn refresh_refused(&mut self, refusal: RefreshRefusal, step: &mut Step<'_>) {
        if !matches!(self.token, Token::Refreshing { .. }) {
            return;
        }
        match refusal {
            RefreshRefusal::Unavailable => self.hold_token(step.now),
            RefreshRefusal::Unauthorized => {
                self.evictions.refresh_refused();
                let at = self.eviction_pause(step).map_or(step.now, |wait| wait.until);
                self.token = Token::RenewalDue { at };
                self.tend_token(step);
            }
        }
    }

    /// Handles a token that a service refused. A service may also refuse a valid token, so a refresh comes before a
    /// login, and a minimum time passes between two logins.
    pub(super) fn service_refused_token(&mut self, can_refresh: bool, step: &mut Step<'_>) {
        if !self.is_live() || !self.holds_token() {
            return;
        }
        let give_up_at = step.now.after(self.policy.login_timeout);
        if can_refresh {
            self.token = Token::Refreshing { give_up_at };
            step.put(Output::RefreshToken);
        } else if step.now.since(self.granted_at) >= self.policy.login_backoff_base {
            self.token = Token::Renewing { give_up_at };
            step.put(Output::LogIn);
        }
    }

    pub(super) fn tend_token(&mut self, step: &mut Step<'_>) {
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
