//! What is asked by HTTP in the name of a connection's agent, beside its socket.

use actix::{ActorFutureExt, AsyncContext, Context, Handler, Message, WrapFuture};
use futures_util::future::LocalBoxFuture;
use tokio::sync::oneshot;

use super::{Connection, login::Credentials};
use crate::{
    platform::{AgentSession, HttpError, PlatformClient},
    request::RequestFailure,
};

/// Questions on their way at the same time; beyond it a caller is refused.
const TOGETHER: usize = 32;

/// Questions on their way by HTTP.
#[derive(Default)]
pub(super) struct Lookups(usize);

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// It could not be asked.
    #[error(transparent)]
    Request(#[from] RequestFailure),
    /// The platform refused it, or did not answer.
    #[error(transparent)]
    Http(#[from] HttpError),
}

/// A question, begun once it is known whether and in whose name it can be asked.
type Question = dyn FnOnce(PlatformClient, Result<AgentSession, RequestFailure>) -> LocalBoxFuture<'static, ()> + Send;

/// Asks something by HTTP, as the connection's agent.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Lookup {
    ask: Box<Question>,
}

impl Lookup {
    /// What `ask` answers goes to `reply`.
    pub(crate) fn new<T, F>(
        ask: impl FnOnce(PlatformClient, AgentSession) -> F + Send + 'static,
        reply: oneshot::Sender<Result<T, LookupError>>,
    ) -> Self
    where
        T: Send + 'static,
        F: Future<Output = Result<T, HttpError>> + 'static,
    {
        let ask = |client, session: Result<AgentSession, RequestFailure>| -> LocalBoxFuture<'static, ()> {
            Box::pin(async move {
                let outcome = match session {
                    Ok(session) => ask(client, session).await.map_err(LookupError::from),
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
        let session = match &self.credentials {
            _ if self.lookups.0 >= TOGETHER => Err(RequestFailure::Overloaded),
            Some(Credentials::Agent(session)) => Ok(session.clone()),
            Some(Credentials::Consumer(_)) => Err(RequestFailure::NotSupported("only an agent can ask this")),
            None => Err(RequestFailure::NotConnected),
        };
        self.lookups.0 += 1;
        ctx.spawn(
            ask(self.client.clone(), session).into_actor(self).map(|(), connection, _| connection.lookups.0 -= 1),
        );
    }
}
