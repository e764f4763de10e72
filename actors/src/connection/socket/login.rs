//! Obtains the connection's token and opens its socket.

use std::sync::Arc;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use futures_util::{StreamExt, future::Either};
use secrecy::ExposeSecret;
use serde_json::json;
use tertulia_core::{
    session::Input,
    ums::{InitConnection, ProfileQuery, Request, Response},
};

use super::{Connection, Login, frames::OfSocket, principal::Credentials, waiter::OwnRequest};

impl Connection {
    pub(super) fn log_in(&mut self, ctx: &mut Context<Self>) {
        let client = self.context.client.clone();
        let epoch = self.session.epoch();
        let changes = self.principal.changes();
        let settings = Arc::clone(&self.settings);
        let known = self.principal.consumer().cloned();
        let login = async move {
            match &settings.login {
                Login::Agent(login) => client.log_in(login).await.map(Credentials::Agent),
                Login::Consumer(login) => client.consumer_token(login, known.as_ref()).await.map(Credentials::Consumer),
            }
        };
        ctx.spawn(login.into_actor(self).map(move |outcome, connection, ctx| match outcome {
            Ok(credentials) => {
                connection.context.metrics().logins.inc();
                if epoch == connection.session.epoch() && changes == connection.principal.changes() {
                    connection.principal.logged_in(credentials, &connection.settings.account);
                    connection.store_identity();
                }
                connection.feed_of(epoch, Input::LoggedIn, ctx);
            }
            Err(error) => {
                connection.context.metrics().logins_refused.inc();
                connection.context.note_error(&error);
                let refusal = error.login_refusal();
                connection.context.process.platform.login_refused(&connection.settings.account, refusal);
                connection.feed_of(epoch, Input::LoginRefused(refusal), ctx);
            }
        }));
    }

    pub(super) fn refresh(&mut self, ctx: &mut Context<Self>) {
        let Some(Credentials::Agent(session)) = self.principal.credentials() else {
            return self.feed(Input::TokenRefreshed, ctx);
        };
        let (client, session) = (self.context.client.clone(), session.clone());
        let refresh = async move { client.refresh(&session).await };
        ctx.spawn(refresh.into_actor(self).map(|outcome, connection, ctx| match outcome {
            Ok(()) => connection.feed(Input::TokenRefreshed, ctx),
            Err(error) => {
                connection.context.note_error(&error);
                connection.feed(Input::TokenRefreshRefused(error.refresh_refusal()), ctx);
            }
        }));
    }

    pub(super) fn open_socket(&mut self, ctx: &mut Context<Self>) {
        let Some(credentials) = self.principal.credentials() else { return };
        let client = self.context.client.clone();
        let epoch = self.session.epoch();
        let bearer = match credentials {
            Credentials::Agent(session) => Some(session.bearer.clone()),
            Credentials::Consumer(_) => None,
        };
        let properties = self.settings.client_properties.clone();
        let open = async move {
            match bearer {
                Some(bearer) => client.open_brand_socket(&bearer, &properties).await.map(Either::Left),
                None => client.open_consumer_socket(&properties).await.map(Either::Right),
            }
        };
        ctx.spawn(open.into_actor(self).map(move |outcome, connection, ctx| match outcome {
            // The session has given this attempt up meanwhile: dropping the socket closes it.
            Ok(_) if epoch != connection.session.epoch() => {}
            Ok(socket) => {
                connection.context.metrics().sockets_opened.inc();
                let max_bytes = connection.context.process.platform.settings().max_answer_bytes;
                let incoming = match socket {
                    Either::Left(socket) => connection.link.open(socket, max_bytes).boxed_local(),
                    Either::Right(socket) => connection.link.open(socket, max_bytes).boxed_local(),
                };
                ctx.add_stream(incoming.map(move |incoming| OfSocket { epoch, incoming }));
                connection.feed(Input::SocketOpened, ctx);
            }
            Err(error) => {
                connection.context.metrics().sockets_refused.inc();
                connection.context.note_error(&error);
                connection.feed_of(epoch, Input::SocketRefused(error.socket_refusal()), ctx);
            }
        }));
    }

    /// The first request of a socket (protocol [§3.2](crate::protocol#32)).
    pub(super) fn verify(&mut self) {
        let (request, headers) = match self.principal.credentials() {
            Some(Credentials::Consumer(identity)) => {
                let jwt = identity.token.expose_secret();
                let properties = self.settings.client_properties.header();
                let authentication = json!({ "type": ".ams.headers.ConsumerAuthentication", "jwt": jwt });
                (Request::InitConnection(InitConnection {}), vec![authentication, properties])
            }
            Some(Credentials::Agent(session)) => {
                let user_id = Some(session.agent_id.to_string());
                (Request::GetUserProfile(ProfileQuery { user_id }), Vec::new())
            }
            None => return,
        };
        self.ask_own(OwnRequest::Verify, request, headers);
    }

    pub(super) fn verified(&mut self, response: &Response<'_>, ctx: &mut Context<Self>) {
        match response.outcome() {
            Ok(_) => {
                self.principal.accepted();
                self.feed(Input::Verified, ctx);
            }
            // The text is not reported, because it may repeat the token.
            Err(_) => {
                let code = response.code.0;
                self.context
                    .note_error(&format_args!("the platform answered {code} to the first request of the socket"));
                self.feed(Input::VerifyRefused { code }, ctx);
                if matches!(code, 401 | 403) {
                    self.identity_refused(ctx);
                }
            }
        }
    }
}
