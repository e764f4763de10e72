//! The right to log in. The platform allows one session per user, so a second login would only end the first
//! ([TK-6](crate::rules#tk-6)). A connection whose login is held elsewhere waits until it is free.

use std::{sync::Arc, time::Duration};

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use tertulia_core::session::{Input, WaitReason};
use tokio::time::timeout;

use super::{Connection, Login};
use crate::{
    engine::{LeaseError, LoginName},
    platform::AgentLogin,
};

/// How long the request for a lease may take.
const WITHIN: Duration = Duration::from_secs(10);

impl Connection {
    /// Acquires the right to log in, and begins. A login without a name cannot be used elsewhere and needs no lease.
    pub(super) fn claim(&mut self, ctx: &mut Context<Self>) {
        let Some(login) = self.login_name().filter(|_| !self.login_right.is_held()) else {
            return self.begin(ctx);
        };
        if !self.login_right.request() {
            return;
        }
        let acting = self.context.process.log.acting(&self.settings.id);
        let cluster = Arc::clone(&self.context.process.cluster);
        let acquired = async move {
            let unavailable =
                |reason: &str| LeaseError::Unavailable { login: login.clone(), reason: reason.to_owned() };
            let Some(acting) = acting else { return Err(unavailable("this process does not run the connection")) };
            let late = unavailable("no answer in time");
            timeout(WITHIN, cluster.claim(&acting, login)).await.unwrap_or(Err(late))
        };
        ctx.spawn(acquired.into_actor(self).map(|acquired, connection, ctx| {
            match acquired {
                Ok(lease) => {
                    tracing::debug!(connection = %connection.settings.id, token = lease.token, "lease taken");
                    connection.end_with(&lease.lost, ctx);
                    connection.login_right.requested(Some(lease));
                    connection.begin(ctx);
                }
                Err(error) => {
                    connection.login_right.requested(None);
                    // Reported once for each holder, however often the request is repeated.
                    let is_last_error =
                        connection.context.status.last_error().as_deref() == Some(error.to_string().as_str());
                    if !(is_last_error && connection.waits.was_reported(WaitReason::LoginHeld)) {
                        connection.context.note_error(&error);
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
            if connection.login_right.drop_lost() {
                connection.context.note_error(&"the right to log in was lost");
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
        let platform = self.context.process.platform.settings().discovery.clone();
        Some(LoginName { platform, account: self.settings.account.clone(), user: user.clone() })
    }
}
