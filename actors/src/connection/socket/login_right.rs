//! The right to log in, and whether it is being requested.

use crate::engine::Lease;

/// The right to log in, if the login has a name that other connections could use too.
#[derive(Default)]
pub(super) struct LoginRight {
    lease: Option<Lease>,
    /// Whether a request for the lease is running.
    is_requested: bool,
}

impl LoginRight {
    pub(super) fn is_held(&self) -> bool {
        self.lease.is_some()
    }

    /// Returns whether a request for the lease must be made: none is running.
    pub(super) fn request(&mut self) -> bool {
        !std::mem::replace(&mut self.is_requested, true)
    }

    /// The request for the lease has ended; `lease` is what was granted.
    pub(super) fn requested(&mut self, lease: Option<Lease>) {
        self.is_requested = false;
        if lease.is_some() {
            self.lease = lease;
        }
    }

    pub(super) fn give_back(&mut self) {
        self.lease = None;
    }

    /// Drops a lease that was lost. Returns whether there was one.
    pub(super) fn drop_lost(&mut self) -> bool {
        self.lease.take_if(|lease| lease.lost.is_cancelled()).is_some()
    }

    /// The actor was restarted: the reply to its request will not arrive. A lease stays.
    pub(super) fn restart(&mut self) {
        self.is_requested = false;
    }
}
