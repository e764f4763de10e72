//! A caller's connection below HTTP: plain or TLS, and closed if the caller makes the gateway wait too long.
//!
//! The HTTP server has deadlines for the first head of a connection and for an idle connection. This layer finds
//! callers who send a later head too slowly, do not read a response, or pipeline too many requests.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use prometheus_client::metrics::counter::Counter;
use rustix::net::sockopt::set_socket_linger;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::clients::{self, Client, ClientPermit};

/// How often HTTP may poll a connection without reading or writing. Once its buffer is full of requests that wait for
/// an earlier response, such as an event stream, HTTP polls all the time.
const LOOKS: u32 = 10_000;

/// How long callers may make the gateway wait.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For the TLS handshake.
    pub handshake: Duration,
    /// For the head of a connection's first request.
    pub head: Duration,
    /// For the next request on an idle connection.
    pub keep_alive: Duration,
    /// From the first byte of a request to the first byte of a response: longer than any request takes.
    pub unanswered: Duration,
    /// Until a caller who does not read a response reads some of it.
    pub stalled: Duration,
    /// The same limit once the gateway is stopping.
    pub parting: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(10),
            keep_alive: Duration::from_secs(30),
            unanswered: Duration::from_secs(180),
            stalled: Duration::from_secs(60),
            parting: Duration::from_secs(2),
        }
    }
}

/// The socket, plain or with TLS.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Makes the system close the connection at once when it is dropped. Otherwise the system would try for minutes to
    /// send the rest to a caller who does not read.
    fn cut_off(&self) {
        let socket = match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => stream.get_ref().0,
        };
        if let Err(error) = set_socket_linger(socket, Some(Duration::ZERO)) {
            tracing::debug!(%error, "cannot set a connection to close at once");
        }
    }
}

macro_rules! either {
    ($stream:expr, $io:ident => $call:expr) => {
        match $stream {
            Stream::Plain($io) => {
                let $io = Pin::new($io);
                $call
            }
            Stream::Tls($io) => {
                let $io = Pin::new(&mut **$io);
                $call
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), io => io.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        either!(self.get_mut(), io => io.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), io => io.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), io => io.poll_shutdown(cx))
    }
}

/// What all connections share.
#[derive(Clone)]
pub(super) struct Ending {
    /// Cancelled when the gateway stops.
    pub(super) closing: CancellationToken,
    /// Connections closed because their callers did not read.
    pub(super) stalled: Counter,
}

/// A stream that fails if the caller makes it wait too long.
pub(super) struct Watched {
    stream: Stream,
    patience: Patience,
    ending: Ending,
    /// Set while a request has begun to arrive and no response has begun.
    unanswered: Alarm,
    /// Set while the caller reads nothing of a response.
    stalled: Alarm,
    /// The gateway's stop, observed while the caller reads nothing.
    closing: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// Polls by HTTP since it last read or wrote.
    looks: u32,
    place: ClientPermit,
    /// The end of the connection to make room for others.
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Watched {
    pub(super) fn new(stream: Stream, patience: Patience, ending: Ending, place: ClientPermit) -> Self {
        let (unanswered, stalled) = (Alarm::default(), Alarm::default());
        let ended = Box::pin(place.client().ended.clone().cancelled_owned());
        Self { stream, patience, ending, unanswered, stalled, closing: None, looks: 0, place, ended }
    }

    /// The client of this connection.
    pub(super) fn client(&self) -> &Client {
        self.place.client()
    }
}

/// An optional deadline, with the timer that wakes the task.
#[derive(Default)]
struct Alarm {
    at: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    fn set(&mut self, within: Duration) {
        self.at.get_or_insert_with(|| Instant::now() + within);
    }

    /// Sets the deadline to at most `within` from now.
    fn hasten(&mut self, within: Duration) {
        let by = Instant::now() + within;
        self.at = Some(self.at.map_or(by, |at| at.min(by)));
    }

    fn clear(&mut self) {
        self.at = None;
    }

    /// Ready if the deadline has passed; otherwise the task is woken at the deadline.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.at else { return Poll::Pending };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() != at {
            sleep.as_mut().reset(at);
        }
        ready!(sleep.as_mut().poll(cx));
        // A completed sleep must not be polled again.
        self.sleep = None;
        Poll::Ready(())
    }
}

fn timed_out<T>(why: &'static str) -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, why)))
}

impl AsyncRead for Watched {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.looks = 0;
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        if read.is_ready() {
            match buffer.filled().len() - before {
                0 => this.place.client().silent.cancel(),
                bytes => {
                    this.place.client().received(bytes);
                    this.unanswered.set(this.patience.unanswered);
                }
            }
            return read;
        }
        if this.ended.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(clients::gave_way()));
        }
        match this.unanswered.poll(cx) {
            Poll::Ready(()) => timed_out("the caller did not send the whole request in time"),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl Watched {
    /// Counts a poll in which HTTP could not read.
    fn looked(&mut self) -> io::Result<()> {
        self.looks += 1;
        if self.looks <= LOOKS {
            return Ok(());
        }
        tracing::info!("a connection was closed: the caller pipelined too many requests");
        Err(io::Error::other("the caller pipelined too many requests"))
    }

    /// Updates the deadlines after a write, by whether the caller accepted bytes.
    fn judge<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled.clear();
            self.closing = None;
            return written;
        }
        self.stalled.set(self.patience.stalled);
        let closing = self.closing.get_or_insert_with(|| Box::pin(self.ending.closing.clone().cancelled_owned()));
        if closing.as_mut().poll(cx).is_ready() {
            self.stalled.hasten(self.patience.parting);
        }
        match self.stalled.poll(cx) {
            Poll::Ready(()) => {
                self.ending.stalled.inc();
                self.stream.cut_off();
                tracing::info!("a connection was closed: the caller does not read the answer");
                timed_out("the caller does not read the answer")
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncWrite for Watched {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        if matches!(written, Poll::Ready(Ok(1..))) {
            this.unanswered.clear();
            this.looks = 0;
        } else {
            this.looked()?;
        }
        this.judge(written, cx)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.looked()?;
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        this.judge(flushed, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let shut = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.judge(shut, cx)
    }
}
