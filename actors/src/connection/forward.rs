//! Forwards one request to a service of the platform, for connections with and without a socket.
//!
//! The connection's actor provides its token and its client. A separate task does the transfer. Both bodies are
//! streamed, and the faster side waits for the slower side.

use std::{io, time::Duration};

use actix::Message;
use awc::http::StatusCode;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, future, stream};
use http::Response;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::ConnectionError;
use crate::{
    platform::{Authorization, ByteStream, ForwardError, Forwarded, Outgoing, OutgoingBody, PlatformClient},
    request::RequestError,
};

/// The largest request body that is kept in memory, in bytes. A kept request can be sent again with another token.
const REPEATABLE: usize = 64 * 1024;
/// The most pieces of an answer that wait for a slow reader. At this limit, reading from the service pauses.
const WAITING: usize = 2;

/// Forwards a request. Dropping the receiver of the reply, or of the answer's body, ends the transfer.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Forward {
    pub(crate) outgoing: Outgoing,
    pub(crate) body: ByteStream,
    pub(crate) reply: oneshot::Sender<Result<Response<ByteStream>, ConnectionError>>,
}

/// Where a transfer gets its token.
pub(super) trait Tokens {
    /// Returns the token of the login. If `refused` is a token that a service refused, the token is renewed first where
    /// that is possible.
    async fn token(&self, refused: Option<&Authorization>) -> Result<Authorization, RequestError>;
}

/// A body before it is sent.
struct Body {
    /// The whole body, or its beginning.
    start: Bytes,
    /// The rest of a large body.
    rest: Option<ByteStream>,
}

impl Body {
    /// Reads the whole body, or the beginning of a large body.
    async fn begin(mut content: ByteStream) -> Result<Self, ConnectionError> {
        let mut start = BytesMut::new();
        while let Some(piece) = content.next().await {
            start.extend_from_slice(&piece.map_err(|error| broken(&error))?);
            if start.len() > REPEATABLE {
                return Ok(Self { start: start.freeze(), rest: Some(content) });
            }
        }
        Ok(Self { start: start.freeze(), rest: None })
    }

    /// Returns the body, and a copy for a second attempt if the body is kept.
    fn send(self, size: Option<u64>) -> (OutgoingBody, Option<Bytes>) {
        match self.rest {
            None => (OutgoingBody::Whole(self.start.clone()), Some(self.start)),
            Some(rest) => {
                let start = stream::once(future::ready(Ok(self.start)));
                (OutgoingBody::Streamed(size, start.chain(rest).boxed()), None)
            }
        }
    }
}

/// Carries out a transfer, from the token to the end of the answer.
pub(super) async fn transfer(client: PlatformClient, tokens: impl Tokens, forward: Forward, ending: CancellationToken) {
    let Forward { outgoing, body, mut reply } = forward;
    let answer = tokio::select! {
        answer = ask(&client, &tokens, &outgoing, body) => answer,
        () = ending.cancelled() => Err(RequestError::NotConnected.into()),
        // The caller no longer waits.
        () = reply.closed() => return,
    };
    let Forwarded { status, headers, content } = match answer {
        Ok(answer) => answer,
        Err(error) => {
            let _ = reply.send(Err(error));
            return;
        }
    };
    let (pieces, waiting) = mpsc::channel(WAITING);
    let mut response = Response::new(delivered(waiting));
    (*response.status_mut(), *response.headers_mut()) = (status, headers);
    if reply.send(Ok(response)).is_err() {
        return;
    }
    deliver(content, pieces, client.transfer_timeout(), ending).await;
}

/// Waits for the first piece of the body, so that an answer that fails at once is an error and not an incomplete
/// answer.
async fn begun(mut answer: Forwarded, service: &str) -> Result<Forwarded, ConnectionError> {
    let first = match answer.content.next().await {
        Some(Err(error)) => return Err(failure(ForwardError::Service(error.to_string()), service)),
        first => stream::iter(first),
    };
    answer.content = first.chain(answer.content).boxed_local();
    Ok(answer)
}

/// Gets the answer to a request. If the service refuses the token, the request is sent once more with another token.
async fn ask(
    client: &PlatformClient,
    tokens: &impl Tokens,
    outgoing: &Outgoing,
    body: ByteStream,
) -> Result<Forwarded, ConnectionError> {
    let failed = |error| failure(error, &outgoing.service);
    let within = client.request_timeout();
    let token = async |refused| timeout(within, tokens.token(refused)).await.unwrap_or(Err(RequestError::NotConnected));
    let authorization = token(None).await?;
    let host = client.host_to_forward(&outgoing.service).await.map_err(failed)?;
    let (body, again) = Body::begin(body).await?.send(outgoing.size);
    let answer = client.forward(&host, outgoing, &authorization, body).await.map_err(failed)?;
    if answer.status != StatusCode::UNAUTHORIZED {
        return begun(answer, &outgoing.service).await;
    }
    drop(answer);
    // The token is renewed even if this request cannot be sent again, so that the next request succeeds.
    let renewed = token(Some(&authorization)).await.ok().filter(|renewed| !renewed.is_same(&authorization));
    if let (Some(renewed), Some(again)) = (renewed, again) {
        let body = OutgoingBody::Whole(again);
        let answer = client.forward(&host, outgoing, &renewed, body).await.map_err(failed)?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return begun(answer, &outgoing.service).await;
        }
    }
    Err(ConnectionError::TokenRefused(outgoing.service.clone()))
}

fn failure(error: ForwardError, service: &str) -> ConnectionError {
    match error {
        ForwardError::UnknownService => ConnectionError::UnknownService(service.to_owned()),
        ForwardError::Body(error) => broken(&error),
        ForwardError::Service(detail) => ConnectionError::ServiceFailed { service: service.to_owned(), detail },
    }
}

fn broken(error: &io::Error) -> ConnectionError {
    ConnectionError::BrokenBody(error.to_string())
}

/// A piece of a body; `None` is the end of the body. A transfer that breaks off never sends the end.
type Piece = io::Result<Option<Bytes>>;

/// Sends the body of an answer to its reader, within the time limit of a transfer.
async fn deliver(
    mut content: stream::LocalBoxStream<'static, io::Result<Bytes>>,
    pieces: mpsc::Sender<Piece>,
    within: Duration,
    ending: CancellationToken,
) {
    let all = async {
        while let Some(piece) = content.next().await {
            let is_last = piece.is_err();
            if pieces.send(piece.map(Some)).await.is_err() || is_last {
                return;
            }
        }
        let _ = pieces.send(Ok(None)).await;
    };
    let broken = tokio::select! {
        all = timeout(within, all) => all.err().map(|_| io::Error::new(io::ErrorKind::TimedOut, "the transfer took too long")),
        () = ending.cancelled() => Some(io::Error::new(io::ErrorKind::ConnectionAborted, "the connection has ended")),
        () = pieces.closed() => None,
    };
    if let Some(error) = broken {
        // If the channel is full, the reader gets an error because the channel ends without the end of the body.
        let _ = pieces.try_send(Err(error));
    }
}

/// The body of an answer for its reader. A body that breaks off ends in an error.
fn delivered(pieces: mpsc::Receiver<Piece>) -> ByteStream {
    let all = stream::unfold(Some(pieces), |pieces| async {
        let mut pieces = pieces?;
        match pieces.recv().await {
            Some(Ok(Some(piece))) => Some((Ok(piece), Some(pieces))),
            Some(Ok(None)) => None,
            Some(Err(error)) => Some((Err(error), None)),
            None => Some((Err(io::ErrorKind::UnexpectedEof.into()), None)),
        }
    });
    // A reader may ask again after the end.
    all.fuse().boxed()
}
