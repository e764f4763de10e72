//! Removes informational responses, such as `103 Early Hints`, from the stream that an HTTP client reads
//! (RFC 9110 §15.2).
//!
//! The HTTP client `awc` takes the first head that it reads for the response to its request. A server may send any
//! number of informational responses before the final response.
//!
//! `awc` also takes the end of the stream for the end of a body. A body that has a length or chunks and breaks off must
//! not count as complete, so the end of the stream within such a response is an error here (RFC 9112 §8).

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use httparse::Status;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most bytes of informational responses to one request.
const MAX_BYTES: usize = 32 * 1024;
/// The most header lines of one informational response, equal to the client's limit for a response.
const MAX_LINES: usize = 96;

/// A client's HTTP/1 stream from which only final responses are read.
///
/// The client must write a whole request before it reads, and must read a whole response before it writes the next
/// request. `awc` does both. The client must not send `Expect: 100-continue`, because it would never read the `100`.
pub(super) struct FinalAnswers<S> {
    stream: S,
    stage: Stage,
    /// Bytes read from the stream but not yet by the client.
    held: BytesMut,
    /// Bytes of informational responses removed since the last request.
    removed: usize,
}

/// What the next byte of the stream belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The head of a response, which may be informational.
    Head,
    /// The final response. The bytes are passed through unchecked.
    Answer {
        /// Whether the head says where the body ends. Otherwise the end of the stream ends it.
        is_framed: bool,
    },
    /// Another protocol, permanently.
    Upgraded,
}

/// A response whose head is not understood here. The client reports what is wrong with it.
const UNCHECKED: Stage = Stage::Answer { is_framed: false };

/// What the bytes at [`Stage::Head`] begin with.
#[derive(Debug, PartialEq, Eq)]
enum Beginning {
    /// A complete informational response of this length.
    Informational(usize),
    /// The final response, or bytes that are not HTTP, which the client reports. Contains the next stage.
    Final(Stage),
    /// More bytes are needed to decide.
    Unknown,
}

impl Beginning {
    fn of(bytes: &[u8]) -> Self {
        let mut lines = [httparse::EMPTY_HEADER; MAX_LINES];
        let mut head = httparse::Response::new(&mut lines);
        let parsed = httparse::ParserConfig::default()
            .allow_spaces_after_header_name_in_responses(true)
            .parse_response(&mut head, bytes);
        match (parsed, head.code) {
            // The upgrade that the client requested.
            (Ok(_), Some(101)) => Self::Final(Stage::Upgraded),
            (Ok(Status::Complete(length)), Some(100..=199)) => Self::Informational(length),
            (Ok(Status::Partial), _) if bytes.len() <= MAX_BYTES => Self::Unknown,
            (Ok(Status::Partial), None | Some(100..=199)) => Self::Unknown,
            (Ok(Status::Complete(_)), Some(_)) => {
                let ends = |name: &str| {
                    ["content-length", "transfer-encoding"].iter().any(|end| name.eq_ignore_ascii_case(end))
                };
                Self::Final(Stage::Answer { is_framed: head.headers.iter().any(|line| ends(line.name)) })
            }
            _ => Self::Final(UNCHECKED),
        }
    }
}

impl<S> FinalAnswers<S> {
    /// Wraps a stream to which no request was written yet.
    pub(super) fn of(stream: S) -> Self {
        Self { stream, stage: Stage::Head, held: BytesMut::new(), removed: 0 }
    }

    pub(super) fn stream(&self) -> &S {
        &self.stream
    }

    /// Whether the client can read without reading the stream.
    pub(super) fn holds_bytes(&self) -> bool {
        !self.held.is_empty() && self.stage != Stage::Head
    }

    /// Removes complete informational responses from the beginning of the held bytes.
    fn remove_informational(&mut self) -> io::Result<()> {
        while self.stage == Stage::Head {
            match Beginning::of(&self.held) {
                Beginning::Informational(length) => {
                    self.held.advance(length);
                    self.removed += length;
                }
                Beginning::Final(stage) => self.stage = stage,
                Beginning::Unknown if self.removed + self.held.len() > MAX_BYTES => {
                    return Err(io::Error::other("the informational answers are too long"));
                }
                Beginning::Unknown => break,
            }
        }
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FinalAnswers<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        while this.stage == Stage::Head {
            let before = buffer.filled().len();
            ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
            let piece = &buffer.filled()[before..];
            if piece.is_empty() {
                // The client reports a response that ends too early.
                this.stage = UNCHECKED;
            } else if let (true, Beginning::Final(stage)) = (this.held.is_empty(), Beginning::of(piece)) {
                // Most responses have no informational responses before them. They are not copied.
                this.stage = stage;
                return Poll::Ready(Ok(()));
            } else {
                this.held.extend_from_slice(piece);
                buffer.set_filled(before);
                this.remove_informational()?;
            }
        }
        if this.held.is_empty() {
            let before = buffer.filled().len();
            ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
            // After a complete body, the client does not read before it writes the next request.
            let is_cut_off = buffer.filled().len() == before && this.stage == Stage::Answer { is_framed: true };
            return Poll::Ready(if is_cut_off { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) });
        }
        let length = this.held.len().min(buffer.remaining());
        buffer.put_slice(&this.held[..length]);
        this.held.advance(length);
        if this.held.is_empty() {
            // A websocket lives long and no longer needs this memory.
            this.held = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FinalAnswers<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(Pin::new(&mut this.stream).poll_write(context, bytes))?;
        // Held bytes belong to the last response and must reach the client.
        if matches!(this.stage, Stage::Answer { .. }) && this.held.is_empty() {
            (this.stage, this.removed) = (Stage::Head, 0);
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

/// The held bytes may be a secret.
impl<S: fmt::Debug> fmt::Debug for FinalAnswers<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FinalAnswers").field("stream", &self.stream).field("stage", &self.stage).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
