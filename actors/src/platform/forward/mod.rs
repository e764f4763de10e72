//! Forwards a caller's request to any service of the account, with the token of the login.
//!
//! The caller decides the method, the path at the service, the headers that concern the request itself, and the body.
//! The connection adds the address and the authorization. Headers that could change these are removed from the request.
//! The caller never gets the token: an answer that contains it is not delivered.

mod headers;
mod target;
mod token_search;

use std::io;

use actix_http::body::{BodyStream, SizedStream};
use awc::{
    ClientResponse,
    error::{PayloadError, SendRequestError},
    http::{Method, StatusCode},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, future, stream::BoxStream, stream::LocalBoxStream};
use http::{HeaderMap, HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};

use super::{HttpError, PlatformClient, Service, http::url};
use token_search::TokenSearch;

/// A body in pieces.
pub(crate) type ByteStream = BoxStream<'static, io::Result<Bytes>>;

/// The token of a login, in the form in which the platform's services accept it.
#[derive(Clone)]
pub(crate) enum Authorization {
    /// The session of an agent (protocol [§10.5](crate::protocol#105)).
    Agent(SecretString),
    /// The token of a consumer (protocol [§3.1](crate::protocol#31)).
    Consumer(SecretString),
    /// The token of an application (protocol [§10.3](crate::protocol#103)).
    Application(SecretString),
}

impl Authorization {
    pub(crate) fn token(&self) -> &SecretString {
        let (Self::Agent(token) | Self::Consumer(token) | Self::Application(token)) = self;
        token
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.token().expose_secret() == other.token().expose_secret()
    }

    /// The value of the header; `None` if the token cannot be in a header.
    fn header(&self) -> Option<HeaderValue> {
        let token = self.token().expose_secret();
        let text = match self {
            Self::Agent(_) => format!("Bearer {token}"),
            Self::Consumer(_) => format!("jwt {token}"),
            Self::Application(_) => token.to_owned(),
        };
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// A checked request, without its body.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) service: String,
    method: Method,
    /// The path and the query.
    target: String,
    headers: HeaderMap,
    /// The size of the body, if the caller gives a `Content-Length`.
    pub(crate) size: Option<u64>,
}

impl Outgoing {
    /// Checks a request to `service`.
    ///
    /// # Errors
    /// The reason why the request must not be forwarded.
    pub(crate) fn new(service: &str, head: http::request::Parts) -> Result<Self, &'static str> {
        let http::request::Parts { method, uri, headers, .. } = head;
        if Service::name_grants_tokens(service) {
            return Err("the service grants tokens");
        }
        if [Method::CONNECT, Method::TRACE].contains(&method) {
            return Err("the method is CONNECT or TRACE");
        }
        if uri.authority().is_some() {
            return Err("the path is a complete URL");
        }
        let target = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str).to_owned();
        target::check(&target)?;
        let size = headers.get(header::CONTENT_LENGTH).and_then(|size| size.to_str().ok()?.parse().ok());
        let headers = headers::of_request(&headers);
        Ok(Self { service: service.to_owned(), method, target, headers, size })
    }
}

/// The body of a request.
pub(crate) enum OutgoingBody {
    Whole(Bytes),
    /// A body that is sent while it arrives, of the given size if the size is known.
    Streamed(Option<u64>, ByteStream),
}

/// The answer of a service, before its body is read.
pub(crate) struct Forwarded {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) content: LocalBoxStream<'static, io::Result<Bytes>>,
}

/// Why a request has no answer.
#[derive(Debug)]
pub(crate) enum ForwardError {
    /// The discovery service does not know the service.
    UnknownService,
    /// The caller's body broke off.
    Body(io::Error),
    /// The service cannot be reached, or its answer cannot be delivered.
    Service(String),
}

impl PlatformClient {
    /// Returns the host of the service with this name.
    pub(crate) async fn host_to_forward(&self, service: &str) -> Result<String, ForwardError> {
        if !target::is_service_name(service) {
            return Err(ForwardError::UnknownService);
        }
        match self.host_named(service).await {
            Ok(Some(host)) => Ok(host),
            Ok(None) | Err(HttpError::Status { status: 400 | 404, .. }) => Err(ForwardError::UnknownService),
            Err(error) => Err(ForwardError::Service(error.to_string())),
        }
    }

    /// Sends a request to its service at `host`. Every status counts as an answer.
    pub(crate) async fn forward(
        &self,
        host: &str,
        outgoing: &Outgoing,
        authorization: &Authorization,
        body: OutgoingBody,
    ) -> Result<Forwarded, ForwardError> {
        let unusable = |detail: &str| ForwardError::Service(detail.to_owned());
        let Outgoing { service, method, target, headers, .. } = outgoing;
        let url =
            url("https", host, target).ok_or_else(|| unusable("the host and the path do not make a valid URL"))?;
        let mut request = self.http.request(method.clone(), url).no_decompress().timeout(self.transfer_timeout());
        for (name, value) in headers {
            request = request.append_header((name.clone(), value.clone()));
        }
        let authorization_value = authorization
            .header()
            .ok_or_else(|| unusable("the token has characters that a header must not contain"))?;
        request = request
            .insert_header((header::AUTHORIZATION, authorization_value))
            // The token is searched for in the answer, so the answer must not be compressed.
            .insert_header((header::ACCEPT_ENCODING, "identity"));
        if ![Method::GET, Method::HEAD].contains(method) {
            self.pass_gate().await.map_err(ForwardError::Service)?;
        }
        let has_body = [Method::POST, Method::PUT, Method::PATCH].contains(method);
        let sent = match body {
            OutgoingBody::Whole(bytes) if bytes.is_empty() && !has_body => request.send().await,
            OutgoingBody::Whole(bytes) => request.send_body(bytes).await,
            OutgoingBody::Streamed(Some(size), content) => request.send_body(SizedStream::new(size, content)).await,
            OutgoingBody::Streamed(None, content) => request.send_body(BodyStream::new(content)).await,
        };
        let response = sent.map_err(|error| self.not_answered(service, error))?;
        answer(response, host, authorization)
    }

    fn not_answered(&self, service: &str, error: SendRequestError) -> ForwardError {
        match error {
            SendRequestError::Body(error) => match error.downcast::<io::Error>() {
                Ok(error) => ForwardError::Body(*error),
                Err(error) => ForwardError::Service(error.to_string()),
            },
            error => {
                if matches!(error, SendRequestError::Connect(_)) {
                    self.forget_host_named(service);
                }
                ForwardError::Service(error.to_string())
            }
        }
    }
}

/// Checks the head of an answer and removes the headers that are not for the caller.
fn answer<S>(response: ClientResponse<S>, host: &str, authorization: &Authorization) -> Result<Forwarded, ForwardError>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin + 'static,
{
    let unusable = |detail: &str| Err(ForwardError::Service(detail.to_owned()));
    let status = response.status();
    if status.is_informational() {
        return unusable("the answer has an informational status (1xx)");
    }
    let is_plain = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !response.headers().get_all(header::CONTENT_ENCODING).all(is_plain) {
        return unusable("the answer is compressed although the request asked for no compression");
    }
    let search = TokenSearch::of(authorization.token());
    let headers = headers::of_answer(response.headers(), host);
    if headers.values().any(|value| search.is_in(value.as_bytes())) {
        return unusable("a header of the answer contains the token of the login");
    }
    Ok(Forwarded { status, headers, content: searched(response, search).boxed_local() })
}

/// Returns the pieces of a body. If the body contains the token, the stream ends in an error before the token.
fn searched(
    content: impl Stream<Item = Result<Bytes, PayloadError>> + Unpin + 'static,
    search: TokenSearch,
) -> impl Stream<Item = io::Result<Bytes>> {
    let pieces = futures_util::stream::unfold(Some((content, search)), |state| async {
        let (mut content, mut search) = state?;
        match content.next().await {
            Some(Ok(piece)) => match search.pass(piece) {
                Ok(piece) => Some((Ok(piece), Some((content, search)))),
                Err(error) => Some((Err(error), None)),
            },
            Some(Err(error)) => Some((Err(io::Error::other(error)), None)),
            None => Some((Ok(search.rest()), None)),
        }
    });
    // The body may be polled again after its end.
    pieces.filter(|piece| future::ready(!matches!(piece, Ok(piece) if piece.is_empty()))).fuse()
}
