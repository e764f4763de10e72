//! Tells an actor about its own panic while it is restarted. actix passes nothing to `Supervised::restarting`.

use std::cell::RefCell;

thread_local! {
    static FAILURE: RefCell<Option<ActorPanic>> = const { RefCell::new(None) };
}

/// A panic of the calling actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ActorPanic {
    /// The panic's text. It may quote a message, so it is never logged.
    pub panic: String,
    /// Whether the actor is given up: it is not started again, and is dropped after this call.
    pub is_last: bool,
}

/// Returns the panic because of which the calling actor is restarted or given up; `None` outside
/// `Supervised::restarting` of a guarded actor.
#[must_use]
pub(crate) fn failure() -> Option<ActorPanic> {
    FAILURE.with_borrow(Clone::clone)
}

/// Runs `act`, during which [`failure`] returns `failure`.
pub(super) fn during<T>(failure: ActorPanic, act: impl FnOnce() -> T) -> T {
    struct Forget;

    impl Drop for Forget {
        fn drop(&mut self) {
            FAILURE.set(None);
        }
    }

    FAILURE.set(Some(failure));
    let _forget = Forget;
    act()
}
