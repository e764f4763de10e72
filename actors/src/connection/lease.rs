//! The right to log in: the platform allows one session a user, so whoever comes second would only throw the first one
//! out (TK-6, U11).

use std::{sync::Arc, time::Duration};

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use tertulia_core::session::{FailureReason, Input};
use tokio::time::timeout;

use super::{Connection, Login};
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
        let leases = Arc::clone(&self.around.leases);
        let acquired = async move {
            let late = LeaseError::Unavailable { login: login.clone(), reason: "no answer in time".to_owned() };
            timeout(WITHIN, leases.acquire(login)).await.unwrap_or(Err(late))
        };
        ctx.spawn(acquired.into_actor(self).map(|acquired, connection, ctx| match acquired {
            Ok(lease) => {
                tracing::debug!(connection = %connection.settings.id, token = lease.token.0, "lease taken");
                connection.lease = Some(lease);
                connection.begin(ctx);
            }
            Err(error) => {
                connection.note_error(&error);
                let reason = match error {
                    LeaseError::Held { .. } => FailureReason::LoggedInElsewhere,
                    LeaseError::Unavailable { .. } => FailureReason::LeaseLost,
                };
                connection.feed(Input::GivenUp(reason), ctx);
            }
        }));
    }

    /// Begins, and ends with the lease.
    fn begin(&mut self, ctx: &mut Context<Self>) {
        if let Some(lost) = self.lease.as_ref().map(|lease| lease.lost.clone()) {
            ctx.spawn(async move { lost.cancelled().await }.into_actor(self).map(|(), connection, ctx| {
                connection.lease = None;
                connection.feed(Input::GivenUp(FailureReason::LeaseLost), ctx);
            }));
        }
        self.feed(Input::Start, ctx);
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
