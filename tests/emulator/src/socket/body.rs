//! The writing half of one websocket: a bounded queue turned into frames. What a request caused follows its answer
//! after a pause; a frame can come late; the connection ends with a close frame or without one.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_http::ws::{CloseCode, CloseReason, Codec, Item, Message};
use actix_web::body::{BodySize, BoxBody, MessageBody};
use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::codec::Encoder;

use super::lanes::{Lane, Lanes};
use crate::network::Network;

/// Frames that may wait for their hour at one socket; beyond it the queue is not read.
const WAITING_LIMIT: usize = 4_096;
/// Bytes written in one piece, roughly.
const CHUNK: usize = 64 * 1024;

/// One item for the writer of a socket.
#[derive(Debug)]
pub(crate) enum Outgoing {
    /// The answer to a request. It passes notifications that are held.
    Answer(Bytes),
    /// A notification, in order with the others.
    Frame(Bytes),
    /// A notification that a request of this socket caused: its answer is flushed, then comes a pause, then this.
    Held(Bytes),
    /// A frame that comes late, in no order.
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
    network: Network,
    lanes: Lanes,
    /// Rings when the next frame in the lanes is due.
    timer: Option<Pin<Box<Sleep>>>,
    /// What was given away has not been flushed yet: the server flushes when nothing more is ready.
    unflushed: bool,
    /// The next piece of a network that splits.
    next_piece: Option<Pin<Box<Sleep>>>,
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
        network: Network,
    ) -> Self {
        Self {
            queue,
            _reading: reading,
            overflown,
            codec: Codec::new(),
            buffer: BytesMut::new(),
            pause,
            network,
            lanes: Lanes::default(),
            timer: None,
            unflushed: false,
            next_piece: None,
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

    fn write_text(&mut self, mut text: Bytes) {
        if !self.network.splits() {
            if let Ok(text) = text.try_into() {
                self.write(Message::Text(text));
            }
            return;
        }
        let fragments = self.network.fragments(text.len());
        let Some((last, rest)) = fragments.split_last() else { return };
        for (place, length) in rest.iter().enumerate() {
            let part = text.split_to(*length);
            self.write(Message::Continuation(if place == 0 { Item::FirstText(part) } else { Item::Continue(part) }));
        }
        match text.split_to(*last) {
            whole if rest.is_empty() => {
                if let Ok(whole) = whole.try_into() {
                    self.write(Message::Text(whole));
                }
            }
            part => self.write(Message::Continuation(Item::Last(part))),
        }
    }

    fn take(&mut self, item: Outgoing) {
        let arrives = Instant::now() + self.network.delay();
        match item {
            Outgoing::Answer(text) => self.lanes.push(Lane::Answers, arrives, false, text),
            Outgoing::Frame(text) => self.lanes.push(Lane::Notifications, arrives, false, text),
            Outgoing::Held(text) => self.lanes.push(Lane::Notifications, arrives + self.pause, true, text),
            Outgoing::Late(after, text) => self.lanes.push(Lane::Late, arrives + self.pause + after, false, text),
            Outgoing::Pong(payload) => self.write(Message::Pong(payload)),
            Outgoing::Close(code) => {
                self.write_everything();
                let reason = code.map(|code| CloseReason { code: CloseCode::from(code), description: None });
                self.write(Message::Close(reason));
                self.closing = true;
            }
            Outgoing::Cut => {
                self.write_everything();
                self.cut = true;
            }
            Outgoing::Stall => {
                self.lanes.clear();
                self.stalled = true;
            }
        }
    }

    /// Writes what has a place in the order, due or not: it was sent before the connection ends.
    fn write_everything(&mut self) {
        for text in self.lanes.drain().collect::<Vec<_>>() {
            self.write_text(text);
        }
    }

    /// Writes what is due, as far as a chunk goes.
    fn write_due(&mut self) {
        let now = Instant::now();
        while self.buffer.len() < CHUNK {
            let unsent = self.unflushed || !self.buffer.is_empty();
            let Some(text) = self.lanes.pop_due(now, unsent) else { break };
            self.write_text(text);
        }
    }

    /// Wakes the task when the next frame is due.
    fn await_due(&mut self, cx: &mut Context<'_>) {
        let Some(due) = self.lanes.next_due() else {
            self.timer = None;
            return;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timer.deadline() != due {
            timer.as_mut().reset(due);
        }
        // What is due already waits for a flush, which comes once nothing more is ready.
        if timer.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }

    fn chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let splits = self.network.splits() && !self.cut;
        if splits && self.next_piece.as_mut().is_some_and(|pause| pause.as_mut().poll(cx).is_pending()) {
            self.unflushed = false;
            return Poll::Pending;
        }
        if self.buffer.is_empty() {
            self.unflushed = false;
            return Poll::Pending;
        }
        self.unflushed = true;
        if !splits {
            return Poll::Ready(Some(Ok(self.buffer.split().freeze())));
        }
        let (bytes, pause) = self.network.piece(self.buffer.len());
        self.next_piece = Some(Box::pin(sleep_until(Instant::now() + pause)));
        Poll::Ready(Some(Ok(self.buffer.split_to(bytes).freeze())))
    }

    /// What is left, then the end of the connection.
    fn last_chunk(&mut self) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready((!self.buffer.is_empty()).then(|| Ok(self.buffer.split().freeze())))
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
            this.write_due();
            if this.buffer.len() >= CHUNK || this.lanes.len() >= WAITING_LIMIT {
                this.await_due(cx);
                return this.chunk(cx);
            }
            match this.queue.poll_recv(cx) {
                Poll::Ready(Some(_)) if this.stalled => {}
                Poll::Ready(Some(item)) => this.take(item),
                Poll::Ready(None) => {
                    this.write_everything();
                    this.cut = true;
                }
                Poll::Pending => {
                    this.await_due(cx);
                    return this.chunk(cx);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::sync::mpsc;

    use super::*;
    use crate::network::NetworkSettings;

    fn body(frames: Receiver<Outgoing>, pause: Duration, network: NetworkSettings) -> SocketBody {
        SocketBody::new(frames, BoxBody::new(()), Arc::default(), pause, Network::new(network, 1))
    }

    /// The texts of small unfragmented frames, in order.
    async fn texts(mut body: Pin<Box<SocketBody>>, length: usize, count: usize) -> Vec<String> {
        let mut bytes = Vec::new();
        while bytes.len() < count * (length + 2) {
            bytes.extend(poll_fn(|cx| body.as_mut().poll_next(cx)).await.unwrap().unwrap());
        }
        bytes.chunks(length + 2).map(|frame| String::from_utf8_lossy(&frame[2..]).into_owned()).collect()
    }

    /// SB-12: a client that listens for a snapshot only after the response to its subscription gets the snapshot in a
    /// separate read.
    #[actix_web::test]
    async fn a_snapshot_never_shares_a_piece_with_its_answer() {
        tokio::time::pause();
        let (queue, frames) = mpsc::channel(2);
        let pause = Duration::from_millis(50);
        let mut body = Box::pin(body(frames, pause, NetworkSettings::default()));
        queue.try_send(Outgoing::Answer(Bytes::from_static(b"answer"))).unwrap();
        queue.try_send(Outgoing::Held(Bytes::from_static(b"snapshot"))).unwrap();
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

    /// A notification is never overtaken by a later one; an answer may overtake one that is held.
    #[actix_web::test]
    async fn what_a_request_caused_keeps_its_place_among_notifications_and_holds_up_no_answer() {
        tokio::time::pause();
        let (queue, frames) = mpsc::channel(8);
        let body = Box::pin(body(frames, Duration::from_millis(50), NetworkSettings::default()));
        for item in [
            Outgoing::Frame(Bytes::from_static(b"n0")),
            Outgoing::Answer(Bytes::from_static(b"a1")),
            Outgoing::Held(Bytes::from_static(b"n1")),
            Outgoing::Frame(Bytes::from_static(b"n2")),
            Outgoing::Answer(Bytes::from_static(b"a3")),
        ] {
            queue.try_send(item).unwrap();
        }
        assert_eq!(texts(body, 2, 5).await, ["n0", "a1", "a3", "n1", "n2"]);
    }

    /// However late the writer comes to it: the server flushes between the two.
    #[actix_web::test]
    async fn a_held_frame_waits_until_nothing_more_was_ready() {
        tokio::time::pause();
        let (queue, frames) = mpsc::channel(8);
        let mut body = Box::pin(body(frames, Duration::from_millis(5), NetworkSettings::default()));
        queue.try_send(Outgoing::Answer(Bytes::from_static(b"a1"))).unwrap();
        queue.try_send(Outgoing::Held(Bytes::from_static(b"n1"))).unwrap();
        assert_eq!(&poll_fn(|cx| body.as_mut().poll_next(cx)).await.unwrap().unwrap()[2..], b"a1");
        tokio::time::advance(Duration::from_secs(1)).await;
        let first = poll_fn(|cx| Poll::Ready(body.as_mut().poll_next(cx).is_pending())).await;
        assert!(first, "nothing is ready once");
        assert_eq!(&poll_fn(|cx| body.as_mut().poll_next(cx)).await.unwrap().unwrap()[2..], b"n1");
    }

    #[actix_web::test]
    async fn what_was_sent_before_a_close_comes_before_it() {
        let (queue, frames) = mpsc::channel(8);
        let mut body = Box::pin(body(frames, Duration::from_secs(9), NetworkSettings::default()));
        queue.try_send(Outgoing::Held(Bytes::from_static(b"n1"))).unwrap();
        queue.try_send(Outgoing::Close(Some(1001))).unwrap();
        let piece = poll_fn(|cx| body.as_mut().poll_next(cx)).await.unwrap().unwrap();
        assert_eq!((&piece[2..4], piece[4]), (&b"n1"[..], 0x88), "then the close frame");
    }

    #[actix_web::test]
    async fn a_latency_delays_answers_and_notifications_alike() {
        tokio::time::pause();
        let (queue, frames) = mpsc::channel(8);
        let latency = Duration::from_millis(80);
        let network = NetworkSettings { latency, ..NetworkSettings::default() };
        queue.try_send(Outgoing::Answer(Bytes::from_static(b"a1"))).unwrap();
        queue.try_send(Outgoing::Frame(Bytes::from_static(b"n1"))).unwrap();
        let began = Instant::now();
        assert_eq!(texts(Box::pin(body(frames, Duration::ZERO, network)), 2, 2).await, ["a1", "n1"]);
        assert!(began.elapsed() >= latency);
    }
}
