//! The interface to the service that grants logins. The platform allows one session per user, so only one process at a
//! time may log in as the user ([TK-6](crate::rules#tk-6)).

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{FutureExt, future::BoxFuture};
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

/// Grants the right to log in.
pub trait Leases: Send + Sync + 'static {
    /// Acquires the right to log in, immediately or not at all.
    fn acquire(&self, login: LoginName) -> BoxFuture<'_, Result<Lease, LeaseError>>;
}

/// Leases for the connections of this process only.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProcessLeases(Arc<Mutex<HashMap<LoginName, Taken>>>);

/// How often a login was acquired, and whether it is held now.
#[derive(Debug, Default)]
struct Taken {
    times: u64,
    now: bool,
}

/// Returns a login on drop.
struct Hold {
    leases: ProcessLeases,
    login: LoginName,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut logins = self.leases.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = logins.get_mut(&self.login) {
            taken.now = false;
        }
    }
}

impl ProcessLeases {
    fn take(&self, login: LoginName) -> Result<Lease, LeaseError> {
        let mut logins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = logins.entry(login.clone()).or_default();
        if taken.now {
            return Err(LeaseError::Held { login, holder: "another connection of this process".to_owned() });
        }
        (taken.times, taken.now) = (taken.times + 1, true);
        let hold = Hold { leases: self.clone(), login: login.clone() };
        Ok(Lease { login, token: taken.times, lost: CancellationToken::new(), hold: Box::new(hold) })
    }
}

impl Leases for ProcessLeases {
    fn acquire(&self, login: LoginName) -> BoxFuture<'_, Result<Lease, LeaseError>> {
        let taken = self.take(login);
        async move { taken }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_login_is_lent_once_at_a_time_and_its_number_grows() {
        let leases = ProcessLeases::default();
        let login = |user: &str| LoginName { platform: "p".into(), account: "1".into(), user: user.to_owned() };
        let first = leases.acquire(login("bot1")).await.unwrap();
        assert!(matches!(leases.acquire(login("bot1")).await, Err(LeaseError::Held { .. })));
        assert_eq!(leases.acquire(login("bot2")).await.unwrap().token, 1);
        drop(first);
        assert_eq!(leases.acquire(login("bot1")).await.unwrap().token, 2);
    }
}
