//! This node's right to act.

use super::{lease_duration::LeaseDuration, standing::Standing};
use crate::session::Millis;

/// This node's right to act, from its last answered beat until a time that the node knows by its own clock.
///
/// The clock must not stop while the machine sleeps. A new tenure begins with each join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tenure {
    lease: LeaseDuration,
    /// When the latest answered beat was sent.
    sent: Millis,
    is_over: bool,
}

impl Tenure {
    /// Begins a tenure with a join that was requested at `sent` and has succeeded.
    #[must_use]
    pub fn joined(lease: LeaseDuration, sent: Millis) -> Self {
        Self { lease, sent, is_over: false }
    }

    /// A beat that was sent at `sent` was answered. Answers may arrive in any order. A tenure that is over stays over.
    pub fn answered(&mut self, sent: Millis) {
        self.sent = self.sent.max(sent);
    }

    /// The response to a beat or a commit says that this node was fenced.
    pub fn fenced(&mut self) {
        self.is_over = true;
    }

    /// Returns the standing at `now`.
    #[must_use]
    pub fn standing(&self, now: Millis) -> Standing {
        if self.is_over { Standing::Over } else { self.lease.standing(now.since(self.sent)) }
    }

    /// Returns whether something may be sent to the platform at `now`.
    #[must_use]
    pub fn may_act(&self, now: Millis) -> bool {
        self.standing(now) == Standing::Valid
    }

    /// Returns whether sockets may be open at `now`. They outlast a short suspension.
    #[must_use]
    pub fn may_keep_sockets(&self, now: Millis) -> bool {
        !self.is_over && now.since(self.sent) < self.lease.sockets_close_after()
    }

    /// Returns when the standing, or the right to keep sockets, changes next if no beat is answered until then. `None`
    /// if only an answer can change them, or nothing.
    #[must_use]
    pub fn next_change(&self, now: Millis) -> Option<Millis> {
        let ends = [self.lease.suspended_after(), self.lease.sockets_close_after()];
        if self.is_over { None } else { ends.map(|end| self.sent.after(end)).into_iter().find(|end| *end > now) }
    }
}
