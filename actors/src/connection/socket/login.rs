//! Obtains the connection's token and opens its socket.

use std::sync::Arc;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use futures_util::{StreamExt, future::Either};
use secrecy::ExposeSecret;
use serde_json::json;
use tertulia_core::{
    command::Identity,
    id::UserId,
    session::Input,
    ums::{InitConnection, ProfileQuery, Request, Response},
};

use super::{Connection, Login, actor::OwnRequest, frames::OfSocket};
use crate::platform::{AgentSession, ConsumerIdentity};

/// The result of a login.
#[derive(Clone)]
pub(super) enum Credentials {
    Agent(AgentSession),
    Consumer(ConsumerIdentity),
}

impl Connection {
    pub(super) fn log_in(&mut self, ctx: &mut Context<Self>) {
        let client = self.client.clone();
        let epoch = self.session.epoch();
        let identities = self.identities;
        let settings = Arc::clone(&self.settings);
        let known = match &self.credentials {
            Some(Credentials::Consumer(identity)) => Some(identity.clone()),
            Some(Credentials::Agent(_)) | None => None,
        };
        let login = async move {
            match &settings.login {
                Login::Agent(login) => client.log_in(login).await.map(Credentials::Agent),
                Login::Consumer(login) => client.consumer_token(login, known.as_ref()).await.map(Credentials::Consumer),
            }
        };
        ctx.spawn(login.into_actor(self).map(move |outcome, connection, ctx| match outcome {
            Ok(credentials) => {
                connection.metrics().logins.inc();
                if epoch == connection.session.epoch() && identities == connection.identities {
                    connection.take_credentials(credentials);
                }
                connection.feed_of(epoch, Input::LoggedIn, ctx);
            }
            Err(error) => {
                connection.metrics().logins_refused.inc();
                connection.note_error(&error);
                let refusal = error.login_refusal();
                connection.process.platform.login_refused(&connection.settings.account, refusal);
                connection.feed_of(epoch, Input::LoginRefused(refusal), ctx);
            }
        }));
    }

    fn take_credentials(&mut self, credentials: Credentials) {
        if let Credentials::Agent(session) = &credentials {
            let AgentSession { agent_id, user_id, name, .. } = session;
            // A token from a provider may have no public id; the agent id is used until a state contains the public id.
            let user_id = user_id.clone().unwrap_or_else(|| UserId::from(agent_id.as_str()));
            self.identity = Some(Arc::new(Identity::Brand {
                account: self.settings.account.clone(),
                agent_id: agent_id.clone(),
                user_id,
                name: name.clone(),
            }));
        }
        self.credentials = Some(credentials);
        self.store_identity();
    }

    pub(super) fn refresh(&mut self, ctx: &mut Context<Self>) {
        let Some(Credentials::Agent(session)) = &self.credentials else {
            return self.feed(Input::TokenRefreshed, ctx);
        };
        let (client, session) = (self.client.clone(), session.clone());
        let refresh = async move { client.refresh(&session).await };
        ctx.spawn(refresh.into_actor(self).map(|outcome, connection, ctx| match outcome {
            Ok(()) => connection.feed(Input::TokenRefreshed, ctx),
            Err(error) => {
                connection.note_error(&error);
                connection.feed(Input::TokenRefreshRefused(error.refresh_refusal()), ctx);
            }
        }));
    }

    pub(super) fn open_socket(&mut self, ctx: &mut Context<Self>) {
        let Some(credentials) = &self.credentials else { return };
        let client = self.client.clone();
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
                connection.metrics().sockets_opened.inc();
                let max_bytes = connection.process.platform.settings().max_answer_bytes;
                let incoming = match socket {
                    Either::Left(socket) => connection.link.open(socket, max_bytes).boxed_local(),
                    Either::Right(socket) => connection.link.open(socket, max_bytes).boxed_local(),
                };
                ctx.add_stream(incoming.map(move |incoming| OfSocket { epoch, incoming }));
                connection.feed(Input::SocketOpened, ctx);
            }
            Err(error) => {
                connection.metrics().sockets_refused.inc();
                connection.note_error(&error);
                connection.feed_of(epoch, Input::SocketRefused(error.socket_refusal()), ctx);
            }
        }));
    }

    /// The first request of a socket (protocol [§3.2](crate::protocol#32)).
    pub(super) fn verify(&mut self) {
        let (request, headers) = match &self.credentials {
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
                self.identity_accepted();
                self.feed(Input::Verified, ctx);
            }
            // The text is not reported, because it may repeat the token.
            Err(_) => {
                let code = response.code.0;
                self.note_error(&format_args!("the platform answered {code} to the first request of the socket"));
                self.feed(Input::VerifyRefused { code }, ctx);
                if matches!(code, 401 | 403) {
                    self.identity_refused(ctx);
                }
            }
        }
    }

    /// Whether a text of the platform contains the token in use.
    pub(super) fn tells_token(&self, text: &str) -> bool {
        let token = match &self.credentials {
            Some(Credentials::Agent(session)) => session.bearer.expose_secret(),
            Some(Credentials::Consumer(identity)) => identity.token.expose_secret(),
            None => return false,
        };
        !token.is_empty() && text.contains(token)
    }
}
