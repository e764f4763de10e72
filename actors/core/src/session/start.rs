//! How far a session has come since the process began, and whether the process must wait for it.

use super::{phase::Phase, wait::WaitReason};

/// How far a session has come since the process began. A later value replaces an earlier one, never the reverse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Start {
    /// The first attempt is running.
    #[default]
    UnderWay,
    /// An attempt failed because the platform was not reached or responded with errors.
    Unreachable,
    /// The session failed, was stopped, or had to wait because its login was refused, held elsewhere or throttled. The
    /// reason is the session's own, not the process's.
    Excused,
    /// The session was ready at least once.
    Resumed,
}

impl Start {
    /// Returns the start after the session has entered `phase`, where it waits because of `waiting`.
    #[must_use]
    pub fn after(self, phase: Phase, waiting: Option<WaitReason>) -> Self {
        let now = match (phase, waiting) {
            (Phase::Ready, _) => Self::Resumed,
            (Phase::Failed(_) | Phase::Stopped, _) => Self::Excused,
            (_, Some(reason)) if reason.concerns_login() || reason == WaitReason::Throttled => Self::Excused,
            (_, Some(_)) => Self::Unreachable,
            (_, None) => Self::UnderWay,
        };
        self.max(now)
    }

    /// Returns whether the process is not ready because of this session. `any_resumed` says whether any session of the
    /// process was ready at least once: then the process reaches the platform, and a session that does not is no reason.
    #[must_use]
    pub fn blocks(self, any_resumed: bool) -> bool {
        match self {
            Self::UnderWay => true,
            Self::Unreachable => !any_resumed,
            Self::Excused | Self::Resumed => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::output::FailureReason, *};

    #[test]
    fn a_session_blocks_until_it_has_resumed_or_has_a_reason_of_its_own() {
        let after = |phase, waiting| Start::UnderWay.after(phase, waiting);
        for phase in [Phase::Idle, Phase::LoggingIn, Phase::Connecting, Phase::Verifying, Phase::Resuming] {
            assert!(after(phase, None).blocks(true), "{phase:?}");
        }
        assert!(!after(Phase::Ready, None).blocks(false));
        assert!(!after(Phase::Failed(FailureReason::CredentialsRefused), None).blocks(false));
        for reason in [
            WaitReason::CredentialsRefused,
            WaitReason::LoggedInElsewhere,
            WaitReason::LoginHeld,
            WaitReason::TokenRefused,
            WaitReason::Throttled,
        ] {
            assert!(!after(Phase::WaitingToLogIn, Some(reason)).blocks(false), "{reason:?}");
        }
        for reason in [WaitReason::ConnectionLost, WaitReason::Unavailable] {
            let start = after(Phase::WaitingToReconnect, Some(reason));
            assert!(start.blocks(false) && !start.blocks(true), "{reason:?}");
        }
    }

    #[test]
    fn a_later_attempt_takes_nothing_back() {
        let resumed = Start::default().after(Phase::Ready, None);
        assert_eq!(resumed.after(Phase::WaitingToReconnect, Some(WaitReason::Unavailable)), Start::Resumed);
        let failed = Start::default().after(Phase::Failed(FailureReason::CredentialsRefused), None);
        assert_eq!(failed.after(Phase::LoggingIn, None), Start::Excused);
    }
}
