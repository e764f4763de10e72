//! The right to log in: the platform allows one session a user, so whoever comes second would only throw the first one
//! out (TK-6, U11). A connection whose login is held waits, and takes over when it is free.

use std::{sync::Arc, time::Duration};

use actix::{ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use tertulia_core::session::{Input, WaitReason};
use tokio::time::timeout;

use super::{Connection, Login, Restart};
use crate::{
    engine::{LeaseError, LoginName},
    platform::AgentLogin,
};

/// How long asking for the right may take.
const WITHIN: Duration = Duration::from_secs(10);

impl Connection {
    /// Takes the right to log in, and begins. A login without a name of its own has nobody to share it with.
    pub(super) fn claim(&mut self, ctx: &mut Context<Self>) {
        let Some(login) = self.login_name().filter(|_| self.lease.is_none()) else {
            return self.begin(ctx);
        };
        if std::mem::replace(&mut self.claims, true) {
            return;
        }
        let leases = Arc::clone(&self.around.leases);
        let acquired = async move {
            let late = LeaseError::Unavailable { login: login.clone(), reason: "no answer in time".to_owned() };
            timeout(WITHIN, leases.acquire(login)).await.unwrap_or(Err(late))
        };
        ctx.spawn(acquired.into_actor(self).map(|acquired, connection, ctx| {
            connection.claims = false;
            match acquired {
                Ok(lease) => {
                    tracing::debug!(connection = %connection.settings.id, token = lease.token.0, "lease taken");
                    connection.end_with(&lease.lost, ctx);
                    connection.lease = Some(lease);
                    connection.begin(ctx);
                }
                Err(error) => {
                    // Once for each holder, however often it is asked for again.
                    let told = connection.status.borrow().last_error.as_deref() == Some(error.to_string().as_str());
                    if !(told && connection.waited_for == Some(WaitReason::LoginHeld)) {
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

    /// Stops sending once the lease is lost, and asks for it again.
    fn end_with(&self, lost: &tokio_util::sync::CancellationToken, ctx: &mut Context<Self>) {
        let lost = lost.clone();
        ctx.spawn(async move { lost.cancelled().await }.into_actor(self).map(|(), connection, ctx| {
            if connection.lease.as_ref().is_some_and(|lease| lease.lost.is_cancelled()) {
                connection.lease = None;
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
        let platform = self.around.platform.settings().discovery.clone();
        Some(LoginName { platform, account: self.settings.account.clone(), user: user.clone() })
    }
}

impl Handler<Restart> for Connection {
    type Result = ();

    fn handle(&mut self, _: Restart, ctx: &mut Self::Context) {
        tracing::info!(connection = %self.settings.id, "the connection is begun again");
        let awaits_lease = self.session.waiting().is_some_and(|wait| wait.reason == WaitReason::LoginHeld);
        if self.session.phase().is_at_rest() || awaits_lease {
            self.claim(ctx);
        } else {
            self.feed(Input::Restart, ctx);
        }
    }
}
