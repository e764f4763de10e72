//! Gives the token of the login to requests that are forwarded to other services of the platform, and renews the token
//! if a service refuses it.

use actix::{Addr, Context, Handler, Message};
use tertulia_core::session::Input;

use super::{
    Connection,
    forwarding::{Forward, Tokens, transfer},
    lookup::TOGETHER,
    principal::Credentials,
};
use crate::{
    platform::Authorization,
    request::{Reply, RequestError},
};

/// Asks for the token of the login. If the current token is `refused`, the token is renewed first.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct AskToken {
    refused: Option<Authorization>,
    reply: Reply<Authorization>,
}

/// The session of a connection as the source of tokens.
struct SessionTokens(Addr<Connection>);

impl Tokens for SessionTokens {
    async fn token(&self, refused: Option<&Authorization>) -> Result<Authorization, RequestError> {
        let (reply, token) = tokio::sync::oneshot::channel();
        self.0.do_send(AskToken { refused: refused.cloned(), reply });
        token.await.unwrap_or(Err(RequestError::NotConnected))
    }
}

impl Connection {
    /// Answers the waiting requests for the token, unless the session is still getting a token.
    pub(super) fn give_token(&mut self) {
        if self.session.obtains_token() {
            return;
        }
        for reply in self.token_queue.take() {
            let _ = reply.send(self.authorization().ok_or(RequestError::NotConnected));
        }
    }

    /// The token in the form that services accept, if it is valid as far as the session knows.
    fn authorization(&self) -> Option<Authorization> {
        let credentials = self.principal.credentials().filter(|_| self.session.holds_token())?;
        Some(match credentials {
            Credentials::Agent(session) => Authorization::Agent(session.bearer.clone()),
            Credentials::Consumer(identity) => Authorization::Consumer(identity.token.clone()),
        })
    }
}

impl Handler<AskToken> for Connection {
    type Result = ();

    fn handle(&mut self, AskToken { refused, reply }: AskToken, ctx: &mut Context<Self>) {
        self.token_queue.push(reply);
        let is_refused = refused.zip(self.authorization()).is_some_and(|(refused, present)| refused.is_same(&present));
        if is_refused {
            let can_refresh = match self.principal.credentials() {
                Some(Credentials::Agent(session)) => session.can_refresh(),
                Some(Credentials::Consumer(_)) | None => false,
            };
            self.feed(Input::ServiceRefusedToken { can_refresh }, ctx);
        }
        self.give_token();
    }
}

impl Handler<Forward> for Connection {
    type Result = ();

    fn handle(&mut self, forward: Forward, _: &mut Context<Self>) {
        if self.lookups.len() >= TOGETHER {
            let _ = forward.reply.send(Err(RequestError::Overloaded.into()));
            return;
        }
        let tokens = SessionTokens(self.me.clone());
        let transfer = transfer(self.context.client.clone(), tokens, forward, self.ending.child_token());
        actix_rt::spawn(self.lookups.track_future(transfer));
    }
}
