//! The Send API: a consumer's requests over HTTPS, sent by an application (protocol [§10.3](crate::protocol#103)).

use awc::error::SendRequestError;
use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};

use super::{
    HttpError, PlatformClient, Service,
    http::{MAX_ANSWER, address, unreachable},
};

/// A response of the Send API, success or refusal.
#[derive(Debug)]
pub(crate) struct SendAnswer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

/// A request without a response.
#[derive(Debug)]
pub(crate) enum SendFailure {
    /// The request was not sent.
    NotSent(HttpError),
    /// The request was sent and may have been applied.
    Unanswered(HttpError),
}

/// The endpoint of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SendPath {
    /// Sets the profile and opens a conversation.
    Conversation,
    /// Every other request.
    Send,
}

/// A request with the identities of its sender and its consumer.
#[derive(Debug)]
pub(crate) struct SendLetter<'a> {
    /// The application's token.
    pub(crate) app: &'a SecretString,
    /// The token of the consumer.
    pub(crate) consumer: &'a SecretString,
    /// Describes the consumer's device; sent as a header.
    pub(crate) client_properties: &'a str,
    /// One request or several.
    pub(crate) body: String,
}

impl PlatformClient {
    /// Posts a request. Every status counts as a response.
    pub(crate) async fn send_for_consumer(
        &self,
        path: SendPath,
        SendLetter { app, consumer, client_properties, body }: SendLetter<'_>,
    ) -> Result<SendAnswer, SendFailure> {
        let service = Service::Messaging;
        let host = self.host(service).await.map_err(SendFailure::NotSent)?;
        let end = match path {
            SendPath::Conversation => "conversation",
            SendPath::Send => "conversation/send",
        };
        let path = format!("/api/account/{}/messaging/consumer/{end}?v=3", self.account);
        let request = self
            .http
            .post(address(service, &host, &path).map_err(SendFailure::NotSent)?)
            .insert_header(("content-type", "application/json"))
            .insert_header(("authorization", app.expose_secret()))
            .insert_header(("x-lp-on-behalf", consumer.expose_secret()))
            .insert_header(("client-properties", client_properties));
        self.may_act(service, &host).await.map_err(SendFailure::NotSent)?;
        let mut response = request.send_body(body).await.map_err(|error| {
            let failure = unreachable(service, &host, &error);
            match error {
                SendRequestError::Connect(_) | SendRequestError::Url(_) => {
                    self.forget_host(service);
                    SendFailure::NotSent(failure)
                }
                _ => SendFailure::Unanswered(failure),
            }
        })?;
        let status = response.status().as_u16();
        let body = response.body().limit(MAX_ANSWER).await.map_err(|error| {
            let detail = error.to_string();
            SendFailure::Unanswered(HttpError::Unexpected { service, host: host.clone(), detail })
        })?;
        Ok(SendAnswer { status, body })
    }
}
