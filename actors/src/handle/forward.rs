//! The platform's other HTTP services, with the token of the connection's login.

use std::io;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream::BoxStream};
use http::{Request, Response};
use tokio::{sync::oneshot, time::timeout};

use super::ConnectionHandle;
use crate::{
    connection::{ConnectionError, Forward, RequestError},
    fleet::Address,
    platform::Outgoing,
};

impl ConnectionHandle {
    /// Sends an HTTP request to a service of the account with the token of the connection's login, and returns the
    /// answer with any status. The platform allows one session per agent, so a second login of the same agent, such as
    /// one to read skills or users, would end the bot's session.
    ///
    /// `service` is a service name of the account's discovery, such as `accountConfigReadWrite`. A service that grants
    /// tokens is refused. The URI of `request` is a path at the service, with its query. The connection adds the host
    /// and the header `Authorization`: `Bearer` with an agent's token, `jwt` with a consumer's token, or only the token
    /// of an application (of a connector, or of an intake without an agent).
    ///
    /// Both bodies are streams, and the faster side waits for the slower side. The head of the answer and the beginning
    /// of its body must arrive within the platform's `transfer_timeout`, and the rest of the body within the same time
    /// again. If the service refuses the token with 401, the token is renewed once, and a request of at most 64 KiB is
    /// sent once more. Redirects are not followed. A connection makes a limited number of requests at a time.
    ///
    /// Headers about the connection, the login or the address of the caller are removed: `Connection` and the headers
    /// that it names, `Authorization`, `Cookie`, `Set-Cookie`, `Host` and others. A `Location` at the service becomes a
    /// path; any other `Location` is removed. If the head or the beginning of the body contains the token of the login,
    /// the result is an error. If a later part of the body contains the token, the body ends in an error before the
    /// token.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doctests/stage.rs"));
    /// # fn main() { stage::run(async |tertulia, _| {
    /// # let bot = stage::bot(tertulia).await;
    /// use futures_util::{StreamExt, stream};
    /// use http::Request;
    ///
    /// let path = "/api/account/12345678/configuration/le-users/skills?v=2.0";
    /// let request = Request::get(path).header("accept", "application/json").body(stream::empty())?;
    /// let mut answer = bot.platform_request("accountConfigReadWrite", request).await?;
    /// println!("{}", answer.status());
    /// while let Some(piece) = answer.body_mut().next().await {
    ///     println!("{} bytes", piece?.len());
    /// }
    /// # assert_eq!(answer.status(), 200);
    /// # Ok(())
    /// # }) }
    /// ```
    ///
    /// # Errors
    /// [`ConnectionError`]: [`UnknownService`](ConnectionError::UnknownService),
    /// [`NotForwarded`](ConnectionError::NotForwarded), [`TokenRefused`](ConnectionError::TokenRefused),
    /// [`ServiceFailed`](ConnectionError::ServiceFailed), [`BrokenBody`](ConnectionError::BrokenBody), or a
    /// [`RequestError`] if the connection has no valid token, has no room, or the service does not answer in time.
    pub async fn platform_request(
        &self,
        service: &str,
        request: Request<impl Stream<Item = io::Result<Bytes>> + Send + 'static>,
    ) -> Result<Response<BoxStream<'static, io::Result<Bytes>>>, ConnectionError> {
        let member = self.known()?;
        let (head, body) = request.into_parts();
        let outgoing = Outgoing::new(service, head).map_err(ConnectionError::NotForwarded)?;
        let (reply, answer) = oneshot::channel();
        let forward = Forward { outgoing, body: body.boxed(), reply };
        match member.address {
            Address::Socket(connection) => connection.do_send(forward),
            Address::Intake(inbox) => inbox.address.do_send(forward),
        }
        let within = self.system.process.platform.settings().transfer_timeout;
        match timeout(within, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(RequestError::NotConnected.into()),
            Err(_) => Err(RequestError::TimedOut.into()),
        }
    }
}
