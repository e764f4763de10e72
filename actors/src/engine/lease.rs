//! The port to what decides who may log in: the platform allows one session a user, so one process at a time (U11).

use std::fmt;

use futures_util::future::BoxFuture;
use tertulia_core::id::AccountId;
use tokio_util::sync::CancellationToken;

/// Whose session a lease is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LoginName {
    /// The account.
    pub account: AccountId,
    /// The user as they log in; never a secret.
    pub user: String,
}

impl fmt::Display for LoginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.user)
    }
}

/// Grows with each lease of a login: whoever shows a lower one is late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FencingToken(pub u64);

/// The right to log in, until it is dropped or lost.
pub struct Lease {
    /// Which login.
    pub login: LoginName,
    /// Its number.
    pub token: FencingToken,
    /// Cancelled once the right is lost: sending ends at once.
    pub lost: CancellationToken,
    /// Gives the right back when it is dropped.
    pub hold: Box<dyn Send>,
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("login", &self.login).field("token", &self.token).finish_non_exhaustive()
    }
}

/// Why there is no lease.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// Another connection has it, here or in another process.
    #[error("{login} is logged in elsewhere: {holder}")]
    Held {
        /// Which login.
        login: LoginName,
        /// Who has it, as far as is known.
        holder: String,
    },
    /// It could not be asked for.
    #[error("whether {login} may log in could not be found out: {reason}")]
    Unavailable {
        /// Which login.
        login: LoginName,
        /// What went wrong.
        reason: String,
    },
}

/// Who may log in.
pub trait Leases: Send + Sync + 'static {
    /// Takes the right to log in, at once or not at all.
    fn acquire(&self, login: LoginName) -> BoxFuture<'_, Result<Lease, LeaseError>>;
}
