//! Forwards requests to other services of the platform. They have the token of the agent if the connection has one,
//! otherwise the token of the application.

use actix::{Context, Handler};
use tertulia_core::session::Phase;

use super::{
    actor::Intake,
    agent::RestSender,
    forwarding::{Forward, Tokens, transfer},
    grant::NotGranted,
    send::Sender,
};
use crate::{platform::Authorization, request::RequestError};

/// The grants of a connection as the source of tokens.
struct GrantedTokens {
    sender: Sender,
    rest: Option<RestSender>,
}

impl Tokens for GrantedTokens {
    async fn token(&self, refused: Option<&Authorization>) -> Result<Authorization, RequestError> {
        let refused = refused.map(Authorization::token);
        let granted = match &self.rest {
            Some(rest) => rest.agent.bearer(&rest.client, refused).await.map(Authorization::Agent),
            None => self.sender.tokens.app(&self.sender.client, refused).await.map(Authorization::Application),
        };
        granted.map_err(|NotGranted { error, .. }| {
            tracing::debug!(%error, "no token for a request to another service");
            RequestError::NotConnected
        })
    }
}

impl Handler<Forward> for Intake {
    type Result = ();

    fn handle(&mut self, forward: Forward, _: &mut Context<Self>) {
        if matches!(self.phase(), Phase::Idle | Phase::Stopped | Phase::Failed(_)) {
            let _ = forward.reply.send(Err(RequestError::NotConnected.into()));
            return;
        }
        let (client, turns) = (self.context.client.clone(), self.sender.turns.clone());
        let tokens = GrantedTokens { sender: self.sender.clone(), rest: self.rest.clone() };
        let ending = self.ending.clone();
        actix_rt::spawn(async move {
            match turns.enter().await {
                Ok(_turn) => transfer(client, tokens, forward, ending).await,
                Err(error) => drop(forward.reply.send(Err(error.into()))),
            }
        });
    }
}
