//! What a child's owner is told of it, and why children end.

use std::any::Any;
use std::fmt;
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

/// Who answers for a guarded child and is told of every [`ChildExit`], on the child's arbiter.
pub trait Parent: Unpin + 'static {
    /// Writes the child's label for the log: ids, never content.
    ///
    /// # Errors
    /// Those of the formatter.
    fn write_name(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// Hears of a transition. Should do little more than `do_send`; its own panics are caught.
    fn told(&mut self, exit: ChildExit);
}

/// A parent made of a label and a closure.
pub struct Named {
    pub(super) name: Arc<str>,
    pub(super) on_exit: Box<dyn FnMut(ChildExit) + Send>,
}

impl Parent for Named {
    fn write_name(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }

    fn told(&mut self, exit: ChildExit) {
        (self.on_exit)(exit);
    }
}

/// Who is told, and what was told so far.
pub(super) struct Owner<P: Parent> {
    parent: P,
    restarts: u32,
    told_end: bool,
}

struct Name<'a, P>(&'a P);

impl<P: Parent> fmt::Display for Name<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write_name(f)
    }
}

impl<P: Parent> Owner<P> {
    pub(super) fn of(parent: P) -> Self {
        Self { parent, restarts: 0, told_end: false }
    }

    pub(super) fn restarting(&mut self, panic: String, after: Duration) {
        self.restarts = self.restarts.saturating_add(1);
        let restarts = self.restarts;
        tracing::error!(actor = %Name(&self.parent), restarts, ?after, "actor panicked, restarting");
        self.tell(ChildExit::Restarting { panic, restarts, after });
    }

    pub(super) fn ended(&mut self, reason: ExitReason) {
        self.told_end = true;
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
        quietly(|| self.parent.told(exit));
    }
}

impl<P: Parent> Drop for Owner<P> {
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
        tracing::error!("caught a panic of an actor that was being ended");
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
