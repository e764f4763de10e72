//! Opening a websocket (protocol [§3.1](crate::protocol#31)).

use awc::{
    error::WsProtocolError,
    ws::{Frame, Message},
};
use futures_util::{Sink, Stream};
use secrecy::{ExposeSecret, SecretString};
use tertulia_core::ums::ClientProperties;

use super::{
    HttpError, PlatformClient, Service,
    bounded::BoundedSocket,
    http::{upgrade_failed, with_scheme},
};

/// An open websocket.
pub trait Socket: Stream<Item = Result<Frame, WsProtocolError>> + Sink<Message> + 'static {}

impl<S: Stream<Item = Result<Frame, WsProtocolError>> + Sink<Message> + 'static> Socket for S {}

impl PlatformClient {
    /// Opens a brand's socket, within the connection rate. The URL contains the token and the application's properties
    /// from `client`.
    ///
    /// # Errors
    /// [`HttpError`]; its `socket_refusal` says what it means for the session.
    pub async fn open_brand_socket(
        &self,
        bearer: &SecretString,
        client: &ClientProperties,
    ) -> Result<impl Socket + use<>, HttpError> {
        let path = format!("messaging/brand/{}?v=2.1{}", bearer.expose_secret(), client.socket_query());
        self.open(Service::BrandSocket, &path).await
    }

    /// Opens a consumer's socket, within the connection rate. The first request on the socket sends the token.
    ///
    /// # Errors
    /// [`HttpError`]; its `socket_refusal` says what it means for the session.
    pub async fn open_consumer_socket(&self, client: &ClientProperties) -> Result<impl Socket + use<>, HttpError> {
        self.open(Service::Messaging, &format!("messaging/consumer?v=3{}", client.socket_query())).await
    }

    async fn open(&self, service: Service, path: &str) -> Result<impl Socket + use<>, HttpError> {
        self.platform.turns.connect().await;
        let host = self.host(service).await?;
        let path = format!("/ws_api/account/{}/{path}", self.account);
        let address = with_scheme("wss", service, &host, &path)?;
        match self.http.ws(address).connect().await {
            Ok((_, socket)) => Ok(BoundedSocket::new(socket, self.platform.settings.max_answer_bytes)),
            Err(error) => {
                self.forget_host(service);
                Err(upgrade_failed(service, &host, &error))
            }
        }
    }
}
