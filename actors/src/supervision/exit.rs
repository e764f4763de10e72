//! The reports to the owner of a guarded child, and why children end.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// A transition of a guarded child. Its owner gets every transition; nothing follows `Ended`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ChildExit {
    /// The child panicked. It will be restarted with the same address and queue.
    Restarting {
        /// The panic's text. It may quote a message, so it is never logged.
        panic: String,
        /// The number of restarts since the child was started, including this one.
        restarts: u32,
        /// The delay until the restart.
        after: Duration,
    },
    /// The child has ended, and its address is closed.
    Ended {
        /// The reason.
        reason: ExitReason,
        /// The number of restarts since the child was started.
        restarts: u32,
    },
}

/// Why a guarded child has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ExitReason {
    /// The child stopped itself, or every address of it was dropped.
    Normal,
    /// The child panicked while it was created or was ending, or after every address of it was dropped.
    Panicked(String),
    /// The child panicked more often than its policy allows; the text is of the last panic.
    GaveUp(String),
    /// The child's arbiter was stopped.
    ArbiterStopped,
}

/// The owner of a guarded child. Receives every [`ChildExit`], on the child's arbiter.
pub(crate) trait Parent: Unpin + 'static {
    /// Writes the child's label for the log: ids, never content.
    ///
    /// # Errors
    /// The errors of the formatter.
    fn write_name(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// Called on a transition. Should do little more than `do_send`; its own panics are caught.
    fn exited(&mut self, exit: ChildExit);
}

/// A parent made of a label and a closure.
pub(crate) struct Named {
    pub(super) name: Arc<str>,
    pub(super) on_exit: Box<dyn FnMut(ChildExit) + Send>,
}

impl Parent for Named {
    fn write_name(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }

    fn exited(&mut self, exit: ChildExit) {
        (self.on_exit)(exit);
    }
}

/// The owner, and what was reported to it so far.
pub(super) struct Owner<P: Parent> {
    parent: P,
    restarts: u32,
    is_end_reported: bool,
}

struct Name<'a, P>(&'a P);

impl<P: Parent> fmt::Display for Name<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write_name(f)
    }
}

impl<P: Parent> Owner<P> {
    pub(super) fn of(parent: P) -> Self {
        Self { parent, restarts: 0, is_end_reported: false }
    }

    pub(super) fn restarting(&mut self, panic: String, after: Duration) {
        self.restarts = self.restarts.saturating_add(1);
        let restarts = self.restarts;
        tracing::error!(actor = %Name(&self.parent), restarts, ?after, "actor panicked, restarting");
        self.tell(ChildExit::Restarting { panic, restarts, after });
    }

    pub(super) fn ended(&mut self, reason: ExitReason) {
        self.is_end_reported = true;
        let (restarts, actor) = (self.restarts, Name(&self.parent));
        match &reason {
            ExitReason::Normal | ExitReason::ArbiterStopped => {
                tracing::debug!(%actor, restarts, "actor ended");
            }
            ExitReason::Panicked(_) => tracing::error!(%actor, restarts, "actor panicked while it ended"),
            ExitReason::GaveUp(_) => tracing::error!(%actor, restarts, "actor panicked too often, given up"),
        }
        self.tell(ChildExit::Ended { reason, restarts });
    }

    fn tell(&mut self, exit: ChildExit) {
        quietly(|| self.parent.exited(exit));
    }
}

impl<P: Parent> Drop for Owner<P> {
    /// If the child was dropped without an end, its arbiter dropped it.
    fn drop(&mut self) {
        if !self.is_end_reported {
            self.ended(ExitReason::ArbiterStopped);
        }
    }
}

/// Runs `act` and catches its panic.
pub(super) fn quietly(act: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(act)) {
        tracing::error!("caught a panic of an actor that was being ended");
        panic_text(payload);
    }
}

/// Returns the text of a panic. A payload of another type is leaked: its drop could panic again.
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
