//! HTTP requests in the name of a connection's agent, independent of its socket.

use actix::{AsyncContext, Context, Handler, Message, WrapFuture};
use futures_util::future::LocalBoxFuture;
use tokio::sync::oneshot;

use super::{Connection, ConnectionError, principal::Credentials};
use crate::{
    platform::{AgentSession, HttpError, PlatformClient},
    request::RequestError,
};

/// The most concurrent HTTP requests with the token of the login. Further requests fail.
pub(super) const TOGETHER: usize = 32;

/// A lookup, which runs when the agent's session is known or is known to be missing.
type Question = dyn FnOnce(PlatformClient, Result<AgentSession, RequestError>) -> LocalBoxFuture<'static, ()> + Send;

/// Makes an HTTP request as the connection's agent.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Lookup {
    ask: Box<Question>,
}

impl Lookup {
    /// The result of `ask` is sent to `reply`.
    pub(crate) fn new<T, F>(
        ask: impl FnOnce(PlatformClient, AgentSession) -> F + Send + 'static,
        reply: oneshot::Sender<Result<T, ConnectionError>>,
    ) -> Self
    where
        T: Send + 'static,
        F: Future<Output = Result<T, HttpError>> + 'static,
    {
        let ask = |client, session: Result<AgentSession, RequestError>| -> LocalBoxFuture<'static, ()> {
            Box::pin(async move {
                let outcome = match session {
                    Ok(session) => ask(client, session).await.map_err(ConnectionError::from),
                    Err(failure) => Err(failure.into()),
                };
                let _ = reply.send(outcome);
            })
        };
        Self { ask: Box::new(ask) }
    }
}

impl Handler<Lookup> for Connection {
    type Result = ();

    fn handle(&mut self, Lookup { ask }: Lookup, ctx: &mut Context<Self>) {
        let session = match self.principal.credentials() {
            _ if self.lookups.len() >= TOGETHER => Err(RequestError::Overloaded),
            Some(Credentials::Agent(session)) => Ok(session.clone()),
            Some(Credentials::Consumer(_)) => Err(RequestError::NotSupported("only an agent can ask this")),
            None => Err(RequestError::NotConnected),
        };
        let lookup = self.lookups.track_future(ask(self.context.client.clone(), session));
        ctx.spawn(lookup.into_actor(self));
    }
}
