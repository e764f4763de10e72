//! The right to log in. The platform allows one session per user, so only one process at a time may log in as the user
//! ([TK-6](crate::rules#tk-6)).

use std::fmt;

use tertulia_core::id::AccountId;
use tokio_util::sync::CancellationToken;

/// The user that a lease is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LoginName {
    /// The platform, identified by the address of its discovery service.
    pub platform: String,
    /// The account.
    pub account: AccountId,
    /// The login name; never a secret.
    pub user: String,
}

impl fmt::Display for LoginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.user)
    }
}

/// The right to log in, until the lease is dropped or lost.
pub struct Lease {
    /// The login.
    pub login: LoginName,
    /// The fencing token. It grows with each lease of a login: a holder with a lower token is outdated.
    pub token: u64,
    /// Cancelled when the lease is lost: the holder must stop sending at once.
    pub lost: CancellationToken,
    /// Returns the right on drop.
    pub hold: Box<dyn Send>,
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("login", &self.login).field("token", &self.token).finish_non_exhaustive()
    }
}

/// Why a lease was not granted.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// Another connection has the lease, in this process or another one.
    #[error("{login} is logged in elsewhere: {holder}")]
    Held {
        /// The login.
        login: LoginName,
        /// The holder, as far as known.
        holder: String,
    },
    /// The request for the lease failed.
    #[error("cannot determine whether {login} may log in: {reason}")]
    Unavailable {
        /// The login.
        login: LoginName,
        /// The error.
        reason: String,
    },
}
