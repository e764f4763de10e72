//! The event stream of a gateway, and the reasons why it breaks.

use std::time::Duration;

use anyhow::anyhow;
use awc::{
    Client, ClientResponse,
    error::{ConnectError, PayloadError, SendRequestError},
    http::{Method, StatusCode, header},
};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream::LocalBoxStream};
use tokio::time::timeout;

use super::{
    super::gateway::{ANSWER_WITHIN, GatewayOptions, refusal},
    TailOptions,
};
use crate::event_blocks::{Block, Blocks};

/// The longest silence: three times the interval between two heartbeats.
const SILENCE: Duration = Duration::from_secs(45);
/// Why a stream ended.
pub(super) enum Broken {
    /// Another attempt may succeed, after the pause that the service asked for.
    ForNow { why: anyhow::Error, pause: Option<Duration> },
    /// Another attempt would fail in the same way.
    ForGood(anyhow::Error),
    /// Standard output is closed.
    NobodyReads,
}

/// The stream's address and filters, and the position after the last event that was read.
pub(super) struct Source {
    client: Client,
    address: String,
    gateway: GatewayOptions,
    filters: Vec<(&'static str, String)>,
    after: Option<String>,
    /// The pause that the service asked for after a break.
    pause: Option<Duration>,
}

impl Source {
    pub(super) fn new(options: &TailOptions) -> anyhow::Result<Self> {
        let named = |name: &'static str, values: &[String]| {
            values.iter().map(move |value| (name, value.clone())).collect::<Vec<_>>()
        };
        let mut filters = named("connection", &options.connection);
        filters.extend(named("conversation", &options.conversation));
        filters.extend(named("type", &options.kind));
        let gateway = options.gateway.clone();
        let (client, address) = (gateway.client()?, gateway.address("/v1/events"));
        Ok(Self { client, address, gateway, filters, after: options.after.clone(), pause: None })
    }

    /// Opens the stream after the last event that was read.
    pub(super) async fn open(&self) -> Result<EventStream, Broken> {
        let address = &self.address;
        let mut query = self.filters.clone();
        query.extend(self.after.iter().map(|after| ("after", after.clone())));
        let request = self.gateway.request(&self.client, Method::GET, address);
        let request = request.insert_header((header::ACCEPT, "text/event-stream"));
        let request = request.query(&query).map_err(|error| Broken::ForGood(anyhow!("{address}: {error}")))?;
        let response = match timeout(ANSWER_WITHIN, request.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) if is_ours(&error) => {
                return Err(Broken::ForGood(anyhow!("the request to {address} cannot be made: {error}")));
            }
            Ok(Err(error)) => return Err(self.for_now(anyhow!("{address} cannot be reached: {error}"))),
            Err(_) => return Err(self.for_now(anyhow!("{address} does not answer"))),
        };
        self.check(response).await
    }

    async fn check<S>(&self, response: ClientResponse<S>) -> Result<EventStream, Broken>
    where
        S: futures_util::Stream<Item = Result<Bytes, PayloadError>> + Unpin + 'static,
    {
        let (address, status) = (&self.address, response.status());
        if status.is_success() {
            let content_type = response.headers().get(header::CONTENT_TYPE);
            if content_type.is_none_or(|content_type| !content_type.as_bytes().starts_with(b"text/event-stream")) {
                return Err(Broken::ForGood(anyhow!("{address} did not answer with an event stream")));
            }
            return Ok(EventStream { chunks: response.boxed_local(), blocks: Blocks::default(), pause: self.pause });
        }
        let why = refusal(address, response).await;
        let passes =
            status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
        Err(if passes { self.for_now(anyhow!(why)) } else { Broken::ForGood(anyhow!(why)) })
    }

    fn for_now(&self, why: anyhow::Error) -> Broken {
        Broken::ForNow { why, pause: self.pause }
    }

    /// Records the position after `blocks`.
    pub(super) fn advance(&mut self, blocks: Vec<Block>) {
        for Block { id, retry, .. } in blocks {
            self.after = id.or(self.after.take());
            self.pause = retry.or(self.pause);
        }
    }
}

/// Whether the request failed on this side, so that another attempt would fail too.
fn is_ours(error: &SendRequestError) -> bool {
    matches!(
        error,
        SendRequestError::Url(_)
            | SendRequestError::Http(_)
            | SendRequestError::Connect(ConnectError::Unresolved | ConnectError::SslIsNotSupported)
    )
}

/// An open stream.
pub(super) struct EventStream {
    chunks: LocalBoxStream<'static, Result<Bytes, PayloadError>>,
    blocks: Blocks,
    pause: Option<Duration>,
}

impl EventStream {
    /// Returns the next blocks, at least one.
    pub(super) async fn next(&mut self) -> Result<Vec<Block>, Broken> {
        let broken = |why: anyhow::Error| Broken::ForNow { why, pause: self.pause };
        loop {
            let chunk = timeout(SILENCE, self.chunks.next())
                .await
                .map_err(|_| broken(anyhow!("the stream sent nothing, not even heartbeats")))?;
            let chunk = chunk.ok_or_else(|| broken(anyhow!("the stream ended")))?;
            let chunk = chunk.map_err(|error| broken(anyhow!("the stream broke: {error}")))?;
            let blocks = self.blocks.read(&chunk).map_err(|error| Broken::ForGood(error.into()))?;
            if !blocks.is_empty() {
                return Ok(blocks);
            }
        }
    }
}
