//! A client of the event stream that parses Server-Sent Events.

use std::time::Duration;

use actix_rt::time::timeout;
use anyhow::Context as _;
use awc::{Client, ClientResponse, error::PayloadError};
use futures_util::{Stream, StreamExt as _, stream::LocalBoxStream};
use serde_json::Value;

/// The longest silence: longer than the interval between two heartbeats.
const SILENCE: Duration = Duration::from_secs(40);

/// A position in the log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Cursor {
    pub(crate) epoch: String,
    pub(crate) offset: u64,
}

impl Cursor {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (epoch, offset) = text.rsplit_once('-')?;
        Some(Self { epoch: epoch.to_owned(), offset: offset.parse().ok()? })
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.epoch, self.offset)
    }
}

/// One block of the stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Block {
    /// The cursor after this block.
    pub(crate) id: Option<Cursor>,
    /// The event; `None` for a heartbeat.
    pub(crate) event: Option<Value>,
}

/// An open stream.
pub(crate) struct EventStream {
    chunks: LocalBoxStream<'static, Result<bytes::Bytes, PayloadError>>,
    unread: String,
}

impl EventStream {
    /// Opens `path` at `address`, after the cursor `after` if given.
    pub(crate) async fn open(address: &str, path: &str, after: Option<&Cursor>) -> anyhow::Result<Self> {
        let mut request = Client::builder().disable_timeout().finish().get(format!("http://{address}{path}"));
        if let Some(after) = after {
            request = request.insert_header(("last-event-id", after.to_string()));
        }
        let sent = timeout(SILENCE, request.send()).await.context("the stream did not open in time")?;
        let response: ClientResponse<_> = sent.map_err(|error| anyhow::anyhow!("cannot open the stream: {error}"))?;
        anyhow::ensure!(response.status().is_success(), "the stream was refused with {}", response.status());
        Ok(Self::of(response))
    }

    fn of(chunks: impl Stream<Item = Result<bytes::Bytes, PayloadError>> + 'static) -> Self {
        Self { chunks: chunks.boxed_local(), unread: String::new() }
    }

    /// Returns the next block. Fails if the stream ended or sent nothing for too long.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Block> {
        loop {
            if let Some((block, rest)) = self.unread.split_once("\n\n") {
                let block = read(block);
                self.unread = rest.to_owned();
                return block;
            }
            let chunk = timeout(SILENCE, self.chunks.next()).await.context("the stream sent nothing for too long")?;
            let chunk = chunk.context("the stream ended")??;
            self.unread.push_str(std::str::from_utf8(&chunk).context("the stream is not UTF-8")?);
        }
    }
}

fn read(block: &str) -> anyhow::Result<Block> {
    let mut read = Block::default();
    for line in block.lines() {
        if let Some(id) = line.strip_prefix("id: ") {
            read.id = Some(Cursor::parse(id).with_context(|| format!("{id:?} is not a cursor"))?);
        } else if let Some(data) = line.strip_prefix("data: ") {
            read.event = Some(serde_json::from_str(data).with_context(|| format!("not an event: {data:?}"))?);
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    #[actix_rt::test]
    async fn blocks_are_read_wherever_the_chunks_end() {
        let text = "id: e-1\ndata: {\"a\":1}\n\nid: e-1\n: heartbeat\n\ndata: {}\n\n";
        let cursor = Cursor::parse("e-1");
        for size in [1, 7, 100] {
            let chunks: Vec<_> =
                text.as_bytes().chunks(size).map(|chunk| Ok(bytes::Bytes::copy_from_slice(chunk))).collect();
            let mut stream = EventStream::of(stream::iter(chunks));
            let event = stream.next().await.unwrap();
            assert_eq!(event, Block { id: cursor.clone(), event: Some(serde_json::json!({"a": 1})) });
            assert_eq!(stream.next().await.unwrap(), Block { id: cursor.clone(), event: None });
            assert_eq!(stream.next().await.unwrap(), Block { id: None, event: Some(serde_json::json!({})) });
            assert!(stream.next().await.is_err());
        }
    }
}
