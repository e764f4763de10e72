//! Whether the platform still responds on an open socket: sends keep-alives and expects frames.

use super::millis::Millis;
use super::policy::SessionPolicy;

/// The keep-alive state of one socket.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Liveness {
    last_frame: Millis,
    next_keep_alive: Millis,
    unanswered_since: Option<Millis>,
}

/// The next action of the keep-alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beat {
    KeepAlive,
    Dead,
}

impl Liveness {
    pub(super) fn opened(now: Millis, policy: &SessionPolicy) -> Self {
        Self { last_frame: now, next_keep_alive: now.after(policy.keep_alive_every), unanswered_since: None }
    }

    pub(super) fn frame_received(&mut self, now: Millis) {
        self.last_frame = now;
        self.unanswered_since = None;
    }

    pub(super) fn wake(&self, policy: &SessionPolicy) -> Millis {
        self.dead_at(policy).map_or(self.next_keep_alive, |at| at.min(self.next_keep_alive))
    }

    pub(super) fn beat(&mut self, now: Millis, policy: &SessionPolicy) -> Option<Beat> {
        if self.dead_at(policy).is_some_and(|at| now >= at) {
            return Some(Beat::Dead);
        }
        if now < self.next_keep_alive {
            return None;
        }
        self.next_keep_alive = now.after(policy.keep_alive_every);
        self.unanswered_since.get_or_insert(now);
        Some(Beat::KeepAlive)
    }

    /// Silence alone is no proof: if our own thread was blocked, the platform's frames wait unread. So the platform
    /// must also have had one keep-alive interval to respond to a keep-alive.
    fn dead_at(&self, policy: &SessionPolicy) -> Option<Millis> {
        let asked = self.unanswered_since?;
        Some(self.last_frame.after(policy.dead_after).max(asked.after(policy.keep_alive_every)))
    }
}
