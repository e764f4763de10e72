//! The right to log in. The platform allows one session per user, so a second login would only end the first
//! ([TK-6](crate::rules#tk-6)). A connection whose login is held elsewhere waits until it is free.

use std::{sync::Arc, time::Duration};

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use tertulia_core::session::{Input, WaitReason};
use tokio::time::timeout;

use super::{Connection, Login};
use crate::{
    engine::{Lease, LeaseError, LoginName},
    platform::AgentLogin,
};

/// How long the request for a lease may take.
const WITHIN: Duration = Duration::from_secs(10);

/// The right to log in, if the login has a name that other connections could use too.
#[derive(Default)]
pub(super) struct LoginRight {
    lease: Option<Lease>,
    /// Whether a request for the lease is running.
    is_asked: bool,
}

impl LoginRight {
    pub(super) fn give_back(&mut self) {
        self.lease = None;
    }

    /// The actor was restarted: the reply to its request will not arrive. A lease stays.
    pub(super) fn restart(&mut self) {
        self.is_asked = false;
    }
}

impl Connection {
    /// Acquires the right to log in, and begins. A login without a name cannot be used elsewhere and needs no lease.
    pub(super) fn claim(&mut self, ctx: &mut Context<Self>) {
        let Some(login) = self.login_name().filter(|_| self.login_right.lease.is_none()) else {
            return self.begin(ctx);
        };
        if std::mem::replace(&mut self.login_right.is_asked, true) {
            return;
        }
        let leases = Arc::clone(&self.process.leases);
        let acquired = async move {
            let late = LeaseError::Unavailable { login: login.clone(), reason: "no answer in time".to_owned() };
            timeout(WITHIN, leases.acquire(login)).await.unwrap_or(Err(late))
        };
        ctx.spawn(acquired.into_actor(self).map(|acquired, connection, ctx| {
            connection.login_right.is_asked = false;
            match acquired {
                Ok(lease) => {
                    tracing::debug!(connection = %connection.settings.id, token = lease.token, "lease taken");
                    connection.end_with(&lease.lost, ctx);
                    connection.login_right.lease = Some(lease);
                    connection.begin(ctx);
                }
                Err(error) => {
                    // Reported once for each holder, however often the request is repeated.
                    let told = connection.status.borrow().last_error.as_deref() == Some(error.to_string().as_str());
                    if !(told && connection.waits.was_told(WaitReason::LoginHeld)) {
                        connection.note_error(&error);
                    }
                    connection.feed(Input::Withheld, ctx);
                }
            }
        }));
    }

    fn begin(&mut self, ctx: &mut Context<Self>) {
        self.feed(Input::Start, ctx);
    }

    /// Stops sending when the lease is lost, and requests it again.
    fn end_with(&self, lost: &tokio_util::sync::CancellationToken, ctx: &mut Context<Self>) {
        let lost = lost.clone();
        ctx.spawn(async move { lost.cancelled().await }.into_actor(self).map(|(), connection, ctx| {
            if connection.login_right.lease.as_ref().is_some_and(|lease| lease.lost.is_cancelled()) {
                connection.login_right.lease = None;
                connection.note_error(&"the right to log in was lost");
                connection.feed(Input::Withheld, ctx);
            }
        }));
    }

    fn login_name(&self) -> Option<LoginName> {
        let user = match &self.settings.login {
            Login::Agent(AgentLogin::Password { username, .. } | AgentLogin::ApiKey { username, .. }) => username,
            Login::Agent(AgentLogin::Bearer { user_id, .. }) => user_id,
            Login::Agent(_) | Login::Consumer(_) => return None,
        };
        let platform = self.process.platform.settings().discovery.clone();
        Some(LoginName { platform, account: self.settings.account.clone(), user: user.clone() })
    }
}
