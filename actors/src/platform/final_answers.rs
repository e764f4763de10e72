//! Removes informational answers, such as `103 Early Hints`, from what an HTTP client reads (RFC 9110 §15.2).
//!
//! The HTTP client `awc` takes the first head that it reads for the answer to its request. A server may send any number
//! of informational answers before the answer.

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use httparse::Status;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most bytes of informational answers to one request.
const MAX_BYTES: usize = 32 * 1024;
/// The most header lines of one informational answer. The client takes as many of an answer.
const MAX_LINES: usize = 96;

/// A client's HTTP/1 stream from which only final answers are read.
///
/// The client must write a whole request before it reads, and must read a whole answer before it writes the next
/// request. `awc` does both. The client must not send `Expect: 100-continue`, because it would never read the `100`.
pub(super) struct FinalAnswers<S> {
    stream: S,
    stage: Stage,
    /// Bytes that were read from the stream and not yet by the client.
    held: BytesMut,
    /// Bytes of informational answers removed since the last request.
    removed: usize,
}

/// What the next byte of the stream belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The head of an answer, which may be informational.
    Head,
    /// The final answer. Nothing is looked at any more.
    Answer,
    /// Another protocol, for good.
    Upgraded,
}

/// What bytes at [`Stage::Head`] begin with.
#[derive(Debug, PartialEq, Eq)]
enum Beginning {
    /// A whole informational answer of this length.
    Informational(usize),
    /// The final answer, or bytes that are not HTTP; the client tells which. The stage follows.
    Final(Stage),
    /// More bytes are needed to tell.
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
            // The upgrade that the client asked for.
            (Ok(_), Some(101)) => Self::Final(Stage::Upgraded),
            (Ok(Status::Complete(length)), Some(100..=199)) => Self::Informational(length),
            (Ok(Status::Partial), None | Some(100..=199)) => Self::Unknown,
            _ => Self::Final(Stage::Answer),
        }
    }
}

impl<S> FinalAnswers<S> {
    /// Wraps a stream on which no request was written yet.
    pub(super) fn of(stream: S) -> Self {
        Self { stream, stage: Stage::Head, held: BytesMut::new(), removed: 0 }
    }

    pub(super) fn stream(&self) -> &S {
        &self.stream
    }

    /// Whether the client can read without the stream.
    pub(super) fn holds_bytes(&self) -> bool {
        !self.held.is_empty() && self.stage != Stage::Head
    }

    /// Removes whole informational answers from the beginning of the held bytes.
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
                // The client reports an answer that ends too early.
                this.stage = Stage::Answer;
            } else if let (true, Beginning::Final(stage)) = (this.held.is_empty(), Beginning::of(piece)) {
                // Most answers come without informational ones. They are not copied.
                this.stage = stage;
                return Poll::Ready(Ok(()));
            } else {
                this.held.extend_from_slice(piece);
                buffer.set_filled(before);
                this.remove_informational()?;
            }
        }
        if this.held.is_empty() {
            return Pin::new(&mut this.stream).poll_read(context, buffer);
        }
        let length = this.held.len().min(buffer.remaining());
        buffer.put_slice(&this.held[..length]);
        this.held.advance(length);
        if this.held.is_empty() {
            // A websocket lives long and needs the memory no more.
            this.held = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FinalAnswers<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(Pin::new(&mut this.stream).poll_write(context, bytes))?;
        // Held bytes belong to the last answer, and must reach the client.
        if this.stage == Stage::Answer && this.held.is_empty() {
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
#[path = "final_answers_tests.rs"]
mod tests;
