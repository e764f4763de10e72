//! What a child's owner is told of it, and why children end.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// What happens to a guarded child. Told to its owner on every transition; nothing follows `Ended`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChildExit {
    /// The child panicked. It will be restarted with the same address and queue.
    Restarting {
        /// The panic's text. It may quote a message, so it is never logged.
        panic: String,
        /// Restarts since the child was started, this one included.
        restarts: u32,
        /// How long until then.
        after: Duration,
    },
    /// The child is gone, and its address is closed.
    Ended {
        /// Why.
        reason: ExitReason,
        /// Restarts since the child was started.
        restarts: u32,
    },
}

/// Why a guarded child is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExitReason {
    /// It stopped itself, or nobody held its address any more.
    Normal,
    /// It panicked while it was created or was ending, or when nobody held its address any more.
    Panicked(String),
    /// It panicked, with this text, more often than its policy allows.
    GaveUp(String),
    /// Its arbiter was stopped under it.
    ArbiterStopped,
}

/// Told of every [`ChildExit`], on the child's arbiter. Should do little more than `do_send`; its own panics are caught.
pub type OnExit = Box<dyn FnMut(ChildExit) + Send>;

/// Who is told, and what was told so far.
pub(super) struct Owner {
    name: Arc<str>,
    on_exit: OnExit,
    restarts: u32,
    told_end: bool,
}

impl Owner {
    pub(super) fn of(name: Arc<str>, on_exit: OnExit) -> Self {
        Self { name, on_exit, restarts: 0, told_end: false }
    }

    pub(super) fn restarting(&mut self, panic: String, after: Duration) {
        self.restarts = self.restarts.saturating_add(1);
        let restarts = self.restarts;
        tracing::error!(actor = %self.name, restarts, ?after, "actor panicked, restarting");
        self.tell(ChildExit::Restarting { panic, restarts, after });
    }

    pub(super) fn ended(&mut self, reason: ExitReason) {
        self.told_end = true;
        let restarts = self.restarts;
        match &reason {
            ExitReason::Normal | ExitReason::ArbiterStopped => {
                tracing::debug!(actor = %self.name, restarts, "actor ended");
            }
            ExitReason::Panicked(_) => tracing::error!(actor = %self.name, restarts, "actor panicked at its end"),
            ExitReason::GaveUp(_) => tracing::error!(actor = %self.name, restarts, "actor panicked, given up"),
        }
        self.tell(ChildExit::Ended { reason, restarts });
    }

    fn tell(&mut self, exit: ChildExit) {
        quietly(|| (self.on_exit)(exit));
    }
}

impl Drop for Owner {
    /// Whoever held the child away without an end was its arbiter.
    fn drop(&mut self) {
        if !self.told_end {
            self.ended(ExitReason::ArbiterStopped);
        }
    }
}

/// Runs what may panic once more.
pub(super) fn quietly(act: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(act)) {
        tracing::error!("a panic while an actor was ended was caught");
        panic_text(payload);
    }
}

/// The text of a panic. A payload of another type is leaked: its drop could panic again.
pub(super) fn panic_text(payload: Box<dyn Any + Send>) -> String {
    let payload = match payload.downcast::<&'static str>() {
        Ok(text) => return (*text).to_owned(),
        Err(payload) => payload,
    };
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => {
            std::mem::forget(payload);
            "a panic without text".to_owned()
        }
    }
}
