//! One websocket: incoming frames are joined and limited; outgoing messages are queued and limited.

use std::{io, pin::pin, time::Duration};

use actix_http::ws::Item;
use awc::{
    error::WsProtocolError,
    ws::{CloseCode, CloseReason, Frame, Message},
};
use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, Stream, StreamExt, stream, stream::SplitSink};
use tertulia_core::session::{ClosedBy, Closure};
use tokio::{sync::mpsc, time::timeout};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    engine::SendGate,
    frame_window::{FramePlace, FrameWindow},
    platform::Socket,
};

/// The most messages that wait to be written. The request table never has more requests in flight.
pub(super) const WRITE_QUEUE: usize = 1024;
/// The most messages that are written before they are flushed.
const MESSAGES_TOGETHER: usize = 64;
/// How long one write may take before the socket counts as dead.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the close frame may take to be written when this side ends the socket.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// The most fragments of one message.
const MAX_FRAGMENTS: usize = 1024;

/// An input from a socket.
pub(super) enum Incoming {
    /// A complete message. Its place is freed when the message was handled.
    Text(Bytes, FramePlace),
    /// A sign of life without content.
    Alive,
    /// The end of the socket. Nothing follows.
    Closed(Closure, Option<SocketError>),
}

/// Why a socket ended, as text.
#[derive(Debug, thiserror::Error)]
pub(super) enum SocketError {
    /// The text of the platform's close frame.
    #[error("{0}")]
    Closed(String),
    #[error("a message above the limit of {limit} bytes")]
    Oversize { limit: usize },
    #[error("a message of more than {MAX_FRAGMENTS} fragments")]
    TooManyFragments,
    #[error("a fragmented message was not continued")]
    Standstill,
    #[error("{0}")]
    Protocol(WsProtocolError),
}

/// The write half. Dropping it ends the socket.
struct SocketWriter {
    queue: mpsc::Sender<Message>,
    _task: AbortOnDropHandle<()>,
}

impl SocketWriter {
    /// Queues a text; `false` if the socket is gone or its queue is full.
    fn send(&self, text: String) -> bool {
        self.queue.try_send(Message::Text(text.into())).is_ok()
    }

    /// Replies to a ping.
    fn pong(queue: &mpsc::Sender<Message>, payload: Bytes) {
        // A full queue means that data is being sent, which shows life as well.
        let _ = queue.try_send(Message::Pong(payload));
    }

    /// Queues a close frame after the queued messages.
    fn close(&self, code: u16) {
        let reason = CloseReason { code: CloseCode::from(code), description: None };
        // If the queue is full, dropping the writer closes the socket.
        let _ = self.queue.try_send(Message::Close(Some(reason)));
    }
}

/// The socket of a connection, if any, and the window of frames that were read and not handled yet.
pub(super) struct Link {
    writer: Option<SocketWriter>,
    window: FrameWindow,
    gate: SendGate,
    /// The text with which the last socket ended, until it is reported.
    closing: Option<String>,
}

impl Link {
    pub(super) fn new(window: FrameWindow, gate: SendGate) -> Self {
        Self { writer: None, window, gate, closing: None }
    }

    /// Replaces the socket. Returns the stream of its inputs; see [`split`].
    pub(super) fn open<S: Socket>(&mut self, socket: S, max_bytes: usize) -> impl Stream<Item = Incoming> + use<S> {
        let (writer, incoming) = split(socket, self.window.clone(), self.gate.clone(), max_bytes);
        self.writer = Some(writer);
        incoming
    }

    /// Queues a text; `false` if there is no socket or its queue is full.
    pub(super) fn send(&self, text: String) -> bool {
        self.writer.as_ref().is_some_and(|writer| writer.send(text))
    }

    /// Queues a close frame after the queued messages.
    pub(super) fn close(&self, code: u16) {
        if let Some(writer) = &self.writer {
            writer.close(code);
        }
    }

    pub(super) fn drop_socket(&mut self) {
        self.writer = None;
    }

    /// Stores the text with which the socket ended, until it is reported.
    pub(super) fn note_closing(&mut self, text: Option<String>) {
        self.closing = text;
    }

    pub(super) fn take_closing(&mut self) -> Option<String> {
        self.closing.take()
    }

    /// Takes a place in the window for a frame of this many bytes that does not come from the socket.
    pub(super) fn take_place(&self, bytes: usize) -> Option<FramePlace> {
        self.window.try_take(bytes)
    }

    /// The number of frames that were read and not handled yet.
    pub(super) fn unhandled(&self) -> usize {
        self.window.unhandled()
    }
}

/// Splits a socket. `max_bytes` limits a message, in one frame or several. `window` limits the messages that were read
/// and not handled yet: when it is full nothing more is read, and TCP makes the platform wait. Messages pass `gate` before
/// they are written; those that wait together are written together. If this process may not act any more, or has been
/// suspended for long, they are dropped and the socket ends with 1001.
fn split<S: Socket>(
    socket: S,
    window: FrameWindow,
    gate: SendGate,
    max_bytes: usize,
) -> (SocketWriter, impl Stream<Item = Incoming> + use<S>) {
    let (mut sink, source) = socket.split();
    let (queue, mut messages) = mpsc::channel::<Message>(WRITE_QUEUE);
    let task = actix_rt::spawn(async move {
        let mut must_close = pin!(gate.sockets_must_close());
        let mut next = None;
        loop {
            let passed = async {
                let message = match next.take() {
                    Some(message) => message,
                    None => messages.recv().await?,
                };
                gate.pass().await.ok().map(|()| message)
            };
            let message = tokio::select! {
                biased;
                // Another process may run this connection soon. What is queued is dropped: it could be late.
                () = &mut must_close => Message::Close(Some(CloseCode::Away.into())),
                message = passed => match message {
                    Some(message) => message,
                    None => break,
                },
            };
            match timeout(WRITE_TIMEOUT, write(&mut sink, message, &mut messages, &gate)).await {
                Ok(Some(Written::Open { left })) => next = left,
                Ok(Some(Written::Closed) | None) | Err(_) => break,
            }
        }
    });
    let writer = SocketWriter { queue: queue.clone(), _task: AbortOnDropHandle::new(task) };
    let reader = Reader { source, pongs: queue, window, joined: None, max_bytes, ended: false };
    (writer, stream::unfold(reader, |mut reader| async { reader.next().await.map(|incoming| (incoming, reader)) }))
}

/// What follows a write.
enum Written {
    /// The socket stays open. A message that was taken from the queue may be left.
    Open { left: Option<Message> },
    /// A close frame was written, after which nothing may follow.
    Closed,
}

/// Writes a message and those that wait behind it, and flushes them together: each flush costs a record of TLS and a
/// system call. `None` if the socket is gone.
async fn write<S: Socket>(
    sink: &mut SplitSink<S, Message>,
    first: Message,
    waiting: &mut mpsc::Receiver<Message>,
    gate: &SendGate,
) -> Option<Written> {
    let mut next = Some(first);
    let mut written = 0;
    while let Some(message) = next.take() {
        let is_close = matches!(message, Message::Close(_));
        sink.feed(message).await.ok()?;
        if is_close {
            return sink.flush().await.ok().map(|()| Written::Closed);
        }
        written += 1;
        next = waiting.try_recv().ok();
        // What was written must not wait for a gate that has closed meanwhile.
        if written == MESSAGES_TOGETHER || !gate.is_open() {
            break;
        }
    }
    sink.flush().await.ok().map(|()| Written::Open { left: next })
}

struct Reader<S> {
    source: S,
    pongs: mpsc::Sender<Message>,
    window: FrameWindow,
    joined: Option<Joined>,
    max_bytes: usize,
    ended: bool,
}

#[derive(Default)]
struct Joined {
    bytes: BytesMut,
    fragments: usize,
}

impl<S: Stream<Item = Result<Frame, WsProtocolError>> + Unpin> Reader<S> {
    async fn next(&mut self) -> Option<Incoming> {
        while !self.ended {
            let whole = match self.source.next().await {
                Some(Ok(Frame::Text(bytes) | Frame::Binary(bytes))) => bytes,
                Some(Ok(Frame::Continuation(item))) => match self.join(item) {
                    Ok(Some(bytes)) => bytes,
                    Ok(None) => continue,
                    Err(error) => return Some(self.refuse(error).await),
                },
                Some(Ok(Frame::Ping(payload))) => {
                    SocketWriter::pong(&self.pongs, payload);
                    return Some(Incoming::Alive);
                }
                Some(Ok(Frame::Pong(_))) => return Some(Incoming::Alive),
                Some(Ok(Frame::Close(reason))) => {
                    let code = reason.as_ref().map(|reason| u16::from(reason.code));
                    let words = reason.as_ref().and_then(|reason| reason.description.clone());
                    let _ = self.pongs.try_send(Message::Close(reason));
                    return Some(self.end(ClosedBy::Platform, code, words.map(SocketError::Closed)));
                }
                Some(Err(WsProtocolError::Overflow)) => {
                    return Some(self.refuse(SocketError::Oversize { limit: self.max_bytes }).await);
                }
                Some(Err(WsProtocolError::Io(error))) if error.kind() == io::ErrorKind::TimedOut => {
                    return Some(self.end(ClosedBy::Transport, None, Some(SocketError::Standstill)));
                }
                Some(Err(WsProtocolError::Io(_))) | None => {
                    return Some(self.end(ClosedBy::Transport, None, None));
                }
                Some(Err(error)) => {
                    return Some(self.end(ClosedBy::Transport, None, Some(SocketError::Protocol(error))));
                }
            };
            let place = self.window.take(whole.len()).await?;
            return Some(Incoming::Text(whole, place));
        }
        None
    }

    fn join(&mut self, item: Item) -> Result<Option<Bytes>, SocketError> {
        let (bytes, last) = match item {
            Item::FirstText(bytes) | Item::FirstBinary(bytes) => {
                self.joined = None;
                (bytes, false)
            }
            Item::Continue(bytes) => (bytes, false),
            Item::Last(bytes) => (bytes, true),
        };
        let joined = self.joined.get_or_insert_default();
        joined.fragments += 1;
        if joined.fragments > MAX_FRAGMENTS {
            return Err(SocketError::TooManyFragments);
        }
        if joined.bytes.len() + bytes.len() > self.max_bytes {
            return Err(SocketError::Oversize { limit: self.max_bytes });
        }
        joined.bytes.extend_from_slice(&bytes);
        Ok(if last { self.joined.take().map(|joined| joined.bytes.freeze()) } else { None })
    }

    /// Ends the socket because of a message above the limit (close code 1009), and informs the platform.
    async fn refuse(&mut self, error: SocketError) -> Incoming {
        let reason = CloseReason { code: CloseCode::Size, description: None };
        if self.pongs.try_send(Message::Close(Some(reason))).is_ok() {
            // The writer ends after it has written a close frame.
            let _ = timeout(CLOSE_TIMEOUT, self.pongs.closed()).await;
        }
        self.end(ClosedBy::Us, None, Some(error))
    }

    fn end(&mut self, by: ClosedBy, code: Option<u16>, error: Option<SocketError>) -> Incoming {
        self.ended = true;
        Incoming::Closed(Closure { by, code }, error)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::RefCell,
        ops::Range,
        pin::Pin,
        rc::Rc,
        sync::Arc,
        task::{Context, Poll},
    };

    use actix_codec::Framed;
    use actix_http::ws::ProtocolError;
    use awc::ws::Codec;
    use futures_util::{FutureExt, Sink};
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
    };

    use super::*;
    use crate::{engine::Tenure, platform::BoundedSocket};

    type Frames = Vec<Result<Frame, ProtocolError>>;

    fn reader(
        frames: Frames,
        window: usize,
    ) -> (Reader<impl Stream<Item = Result<Frame, ProtocolError>> + Unpin>, mpsc::Receiver<Message>) {
        let (pongs, written) = mpsc::channel(8);
        let source = stream::iter(frames);
        let window = FrameWindow::new(window, Arc::default());
        (Reader { source, pongs, window, joined: None, max_bytes: 10, ended: false }, written)
    }

    fn part(item: Item) -> Result<Frame, ProtocolError> {
        Ok(Frame::Continuation(item))
    }

    async fn read(frames: Frames) -> Vec<String> {
        let (mut reader, _written) = reader(frames, 100);
        let mut arrived = Vec::new();
        while let Some(incoming) = reader.next().await {
            arrived.push(match incoming {
                Incoming::Text(bytes, _) => String::from_utf8_lossy(&bytes).into_owned(),
                Incoming::Alive => "alive".to_owned(),
                Incoming::Closed(closure, error) => {
                    let why = error.map(|error| format!(": {error}")).unwrap_or_default();
                    format!("{:?} {:?}{why}", closure.by, closure.code)
                }
            });
        }
        arrived
    }

    #[actix_rt::test]
    async fn fragments_are_joined() {
        let frames = vec![
            part(Item::FirstText("one".into())),
            part(Item::Continue(" two".into())),
            part(Item::Last(" 3".into())),
            Ok(Frame::Text("next".into())),
        ];
        assert_eq!(read(frames).await, ["one two 3", "next", "Transport None"]);
    }

    #[actix_rt::test]
    async fn fragments_beyond_the_byte_limit_end_the_socket() {
        let frames = vec![part(Item::FirstText("123456".into())), part(Item::Last("78901".into()))];
        assert_eq!(read(frames).await, ["Us None: a message above the limit of 10 bytes"]);
    }

    /// Empty fragments have no bytes, so their number is limited too.
    #[actix_rt::test]
    async fn fragments_beyond_the_count_limit_end_the_socket() {
        let mut frames = vec![part(Item::FirstText(Bytes::new()))];
        frames.extend((0..MAX_FRAGMENTS).map(|_| part(Item::Continue(Bytes::new()))));
        assert_eq!(read(frames).await, ["Us None: a message of more than 1024 fragments"]);
    }

    #[actix_rt::test]
    async fn a_ping_is_answered_and_shows_life() {
        let (mut reader, mut written) = reader(vec![Ok(Frame::Ping("a".into()))], 1);
        assert!(matches!(reader.next().await, Some(Incoming::Alive)));
        assert_eq!(written.recv().await, Some(Message::Pong("a".into())));
    }

    #[actix_rt::test]
    async fn a_close_tells_its_code_and_is_answered() {
        let reason = CloseReason { code: CloseCode::from(4401), description: None };
        let (mut reader, mut written) = reader(vec![Ok(Frame::Close(Some(reason)))], 1);
        let Some(Incoming::Closed(closure, None)) = reader.next().await else { panic!() };
        assert_eq!(closure, Closure { by: ClosedBy::Platform, code: Some(4401) });
        assert!(matches!(written.recv().await, Some(Message::Close(_))));
        assert!(reader.next().await.is_none());
    }

    /// Promise 7: the length is checked before the content arrives, and the platform receives the reason for the end.
    #[actix_rt::test]
    async fn a_frame_that_declares_more_than_it_may_ends_the_socket_with_1009() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut platform, _) = listener.accept().await.unwrap();
        let socket = BoundedSocket::new(Framed::new(ours, Codec::new().client_mode()), 1_000);
        let (_writer, incoming) = split(socket, FrameWindow::new(1, Arc::default()), SendGate::default(), 1_000);
        let mut incoming = pin!(incoming);
        platform.write_all(&[&[0x81, 127][..], &(1_u64 << 40).to_be_bytes()].concat()).await.unwrap();
        let Some(Incoming::Closed(closure, Some(SocketError::Oversize { limit: 1_000 }))) = incoming.next().await
        else {
            panic!("the frame is taken")
        };
        assert_eq!(closure.by, ClosedBy::Us);
        // The head of the frame, the mask, and the masked code.
        let mut close = [0; 8];
        platform.read_exact(&mut close).await.unwrap();
        assert_eq!(close[..2], [0x88, 0x82]);
        assert_eq!(u16::from_be_bytes([close[6] ^ close[2], close[7] ^ close[3]]), 1009);
    }

    /// Promise 6: the frames that were read and not handled yet are limited; at the limit nothing more is read.
    #[actix_rt::test]
    async fn nothing_is_read_while_the_window_is_used_up() {
        let (mut reader, _written) = reader(vec![Ok(Frame::Text("1".into())), Ok(Frame::Text("2".into()))], 1);
        let first = reader.next().await;
        {
            let mut second = pin!(reader.next());
            assert!(second.as_mut().now_or_never().is_none());
            drop(first);
            assert!(matches!(second.await, Some(Incoming::Text(..))));
        }
    }

    /// A socket that never receives anything and counts what it writes.
    #[derive(Clone, Default)]
    struct CountingSocket(Rc<RefCell<Counts>>);

    #[derive(Default, PartialEq, Debug)]
    struct Counts {
        texts: Vec<String>,
        flushes: usize,
    }

    impl Stream for CountingSocket {
        type Item = Result<Frame, WsProtocolError>;

        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            Poll::Pending
        }
    }

    impl Sink<Message> for CountingSocket {
        type Error = WsProtocolError;

        fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            Poll::Ready(Ok(()))
        }

        fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Self::Error> {
            if let Message::Text(text) = message {
                self.0.borrow_mut().texts.push(text.to_string());
            }
            Ok(())
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            self.0.borrow_mut().flushes += 1;
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            Poll::Ready(Ok(()))
        }
    }

    async fn write_numbers(numbers: Range<usize>, gate: &SendGate) -> (Counts, Option<Message>) {
        let (queue, mut waiting) = mpsc::channel(WRITE_QUEUE);
        let texts = numbers.map(|number| Message::Text(number.to_string().into()));
        texts.for_each(|text| queue.try_send(text).unwrap());
        let socket = CountingSocket::default();
        let (mut sink, _source) = socket.clone().split();
        let first = waiting.recv().await.unwrap();
        let Some(Written::Open { left }) = write(&mut sink, first, &mut waiting, gate).await else { panic!("open") };
        (socket.0.take(), left)
    }

    #[actix_rt::test]
    async fn messages_that_wait_together_are_flushed_once() {
        let (counts, left) = write_numbers(0..3, &SendGate::default()).await;
        assert_eq!(counts, Counts { texts: vec!["0".into(), "1".into(), "2".into()], flushes: 1 });
        assert_eq!(left, None);
        let (counts, left) = write_numbers(0..MESSAGES_TOGETHER + 5, &SendGate::default()).await;
        assert_eq!((counts.texts.len(), counts.flushes), (MESSAGES_TOGETHER, 1));
        assert_eq!(left, Some(Message::Text(MESSAGES_TOGETHER.to_string().into())), "the next one is not lost");
    }

    #[actix_rt::test]
    async fn what_was_written_is_flushed_before_a_closed_gate_is_waited_for() {
        let tenure = Tenure::default();
        tenure.suspend(true);
        let (counts, left) = write_numbers(0..3, &SendGate::new(tenure)).await;
        assert_eq!(counts, Counts { texts: vec!["0".into()], flushes: 1 });
        assert_eq!(left, Some(Message::Text("1".into())));
    }
}
