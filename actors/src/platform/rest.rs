//! The brand's REST API: one request as an agent (protocol [§10.5](crate::protocol#105)).

use awc::{Client, error::SendRequestError, http::header};
use bytes::Bytes;
use secrecy::ExposeSecret;
use tertulia_core::rest::{RestMethod, RestRequest};

use super::{
    AgentSession, HttpError, PlatformClient, SendFailure, Service,
    http::{MAX_ANSWER, address, unreachable},
};

/// A response of the REST API, success or refusal.
#[derive(Clone, Debug)]
pub(crate) struct RestAnswer {
    pub(crate) status: u16,
    /// The version of the resource that was read.
    pub(crate) etag: Option<String>,
    pub(crate) body: Bytes,
}

impl PlatformClient {
    /// Sends one request as the agent of `session`, conditional on the version `if_match` if given. Every status counts
    /// as a response.
    pub(crate) async fn rest(
        &self,
        session: &AgentSession,
        request: &RestRequest,
        if_match: Option<&str>,
    ) -> Result<RestAnswer, SendFailure> {
        let service = Service::Messaging;
        let host = self.host(service).await.map_err(SendFailure::NotSent)?;
        let method = match request.method() {
            RestMethod::Get => Client::get,
            RestMethod::Post => Client::post,
            RestMethod::Patch => Client::patch,
            RestMethod::Delete => Client::delete,
        };
        let address = address(service, &host, &request.path(&self.account)).map_err(SendFailure::NotSent)?;
        let mut sending = method(&self.http, address)
            .insert_header((header::AUTHORIZATION, format!("Bearer {}", session.bearer.expose_secret())))
            .insert_header(("brand-id", self.account.as_str()));
        if let Some(version) = if_match {
            sending = sending.insert_header((header::IF_MATCH, version));
        }
        if request.method() != RestMethod::Get {
            self.may_act(service, &host).await.map_err(SendFailure::NotSent)?;
        }
        let sent = match request.body() {
            Some(body) => sending.send_json(&body),
            None => sending.send(),
        };
        let mut response = sent.await.map_err(|error| {
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
        let etag = response.headers().get(header::ETAG).and_then(|etag| etag.to_str().ok()).map(str::to_owned);
        let body = response.body().limit(MAX_ANSWER).await.map_err(|error| {
            let detail = error.to_string();
            SendFailure::Unanswered(HttpError::Unexpected { service, host: host.clone(), detail })
        })?;
        Ok(RestAnswer { status, etag, body })
    }
}
