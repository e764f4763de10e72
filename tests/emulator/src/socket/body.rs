//! The writing half of one websocket: a bounded queue turned into frames. It can pause before a snapshot, send a
//! frame late, end with a close frame, or end the connection without one.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_http::ws::{CloseCode, CloseReason, Codec, Message};
use actix_web::body::{BodySize, BoxBody, MessageBody};
use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::codec::Encoder;

/// Frames that may wait for their late hour at one socket; one more goes out at once.
const LATE_LIMIT: usize = 256;
/// Bytes written in one piece, roughly.
const CHUNK: usize = 64 * 1024;

/// One item for the writer of a socket.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Frame(Bytes),
    /// Flushes what is before it, pauses, then goes out.
    Snapshot(Bytes),
    Late(Duration, Bytes),
    Pong(Bytes),
    /// Answers or starts the close handshake.
    Close(Option<u16>),
    /// Ends the connection without a close frame.
    Cut,
    /// Nothing comes out any more, the connection stays.
    Stall,
}

/// The response body of an upgraded connection.
pub(crate) struct SocketBody {
    queue: Receiver<Outgoing>,
    /// The body that `actix-ws` made: the reading half ends when it is dropped.
    _reading: BoxBody,
    /// Set when the queue had overflowed: the connection ends as soon as it can be written.
    overflown: Arc<AtomicBool>,
    codec: Codec,
    buffer: BytesMut,
    pause: Duration,
    pausing: Option<(Pin<Box<Sleep>>, Bytes)>,
    late: Vec<(Instant, Bytes)>,
    timer: Option<Pin<Box<Sleep>>>,
    closing: bool,
    cut: bool,
    stalled: bool,
}

impl SocketBody {
    pub(crate) fn new(
        queue: Receiver<Outgoing>,
        reading: BoxBody,
        overflown: Arc<AtomicBool>,
        pause: Duration,
    ) -> Self {
        Self {
            queue,
            _reading: reading,
            overflown,
            codec: Codec::new(),
            buffer: BytesMut::new(),
            pause,
            pausing: None,
            late: Vec::new(),
            timer: None,
            closing: false,
            cut: false,
            stalled: false,
        }
    }

    fn write(&mut self, message: Message) {
        if self.closing {
            return;
        }
        // The codec refuses nothing but broken continuations, which are never sent here.
        let _ = self.codec.encode(message, &mut self.buffer);
    }

    fn write_text(&mut self, text: Bytes) {
        if let Ok(text) = text.try_into() {
            self.write(Message::Text(text));
        }
    }

    fn write_late(&mut self) {
        let now = Instant::now();
        let (due, waiting): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.late).into_iter().partition(|(at, _)| *at <= now);
        self.late = waiting;
        for (_, text) in due {
            self.write_text(text);
        }
    }

    fn take(&mut self, item: Outgoing) {
        match item {
            Outgoing::Frame(text) => self.write_text(text),
            Outgoing::Snapshot(text) => {
                self.pausing = Some((Box::pin(sleep_until(Instant::now() + self.pause)), text));
            }
            Outgoing::Late(after, text) if self.late.len() < LATE_LIMIT => {
                self.late.push((Instant::now() + after, text));
                self.timer = None;
            }
            Outgoing::Late(_, text) => self.write_text(text),
            Outgoing::Pong(payload) => self.write(Message::Pong(payload)),
            Outgoing::Close(code) => {
                let reason = code.map(|code| CloseReason { code: CloseCode::from(code), description: None });
                self.write(Message::Close(reason));
                self.closing = true;
            }
            Outgoing::Cut => self.cut = true,
            Outgoing::Stall => self.stalled = true,
        }
    }

    /// Waits for the earliest late frame; ready when one is due.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(earliest) = self.late.iter().map(|(at, _)| *at).min() else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(earliest)));
        std::task::ready!(timer.as_mut().poll(cx));
        self.timer = None;
        Poll::Ready(())
    }

    fn chunk(&mut self) -> Poll<Option<Result<Bytes, Infallible>>> {
        if self.buffer.is_empty() { Poll::Pending } else { Poll::Ready(Some(Ok(self.buffer.split().freeze()))) }
    }

    /// What is left, then the end of the connection.
    fn last_chunk(&mut self) -> Poll<Option<Result<Bytes, Infallible>>> {
        if self.buffer.is_empty() { Poll::Ready(None) } else { self.chunk() }
    }
}

impl MessageBody for SocketBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let this = &mut *self;
        loop {
            if this.cut || this.overflown.load(Ordering::Relaxed) {
                return this.last_chunk();
            }
            if let Some((sleep, _)) = &mut this.pausing {
                if sleep.as_mut().poll(cx).is_pending() {
                    return this.chunk();
                }
                if let Some((_, text)) = this.pausing.take() {
                    this.write_text(text);
                }
            }
            if this.poll_late(cx).is_ready() {
                this.write_late();
            }
            if this.buffer.len() >= CHUNK {
                return this.chunk();
            }
            match this.queue.poll_recv(cx) {
                Poll::Ready(Some(_)) if this.stalled => {}
                Poll::Ready(Some(item)) => this.take(item),
                Poll::Ready(None) => this.cut = true,
                Poll::Pending => return this.chunk(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::sync::mpsc;

    use super::*;

    /// SB-12: whoever listens for a snapshot only once the subscription is answered finds it in a read of its own.
    #[actix_web::test]
    async fn a_snapshot_never_shares_a_piece_with_its_answer() {
        tokio::time::pause();
        let (queue, frames) = mpsc::channel(2);
        let pause = Duration::from_millis(50);
        let mut body = Box::pin(SocketBody::new(frames, BoxBody::new(()), Arc::default(), pause));
        queue.try_send(Outgoing::Frame(Bytes::from_static(b"answer"))).unwrap();
        queue.try_send(Outgoing::Snapshot(Bytes::from_static(b"snapshot"))).unwrap();
        let began = Instant::now();
        let mut pieces = Vec::new();
        for _ in 0..2 {
            let piece = poll_fn(|cx| body.as_mut().poll_next(cx)).await.unwrap().unwrap();
            pieces.push((String::from_utf8_lossy(&piece[2..]).into_owned(), began.elapsed()));
        }
        let [(first, at), (second, after)] = &pieces[..] else { panic!("{pieces:?}") };
        assert_eq!((first.as_str(), second.as_str()), ("answer", "snapshot"));
        assert!(at.is_zero() && *after >= pause, "{pieces:?}");
    }
}
