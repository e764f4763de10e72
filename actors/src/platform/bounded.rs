//! A websocket that bounds its frames before they arrive: a frame that declares too many bytes is refused by its head,
//! and a frame that stops arriving ends the socket.
//!
//! The underlying codec checks the length only when the whole frame is in memory.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use actix_codec::{AsyncRead, AsyncWrite, Decoder, Encoder, Framed};
use awc::{
    error::WsProtocolError,
    ws::{Codec, Frame, Message},
};
use bytes::BytesMut;
use futures_util::{Sink, Stream};
use tertulia_core::websocket::FrameHead;
use tokio::time::{Instant, Sleep, sleep};

/// How long the rest of a partly received frame may stay away.
const STANDSTILL: Duration = Duration::from_secs(10);

/// A websocket with bounded frames.
pub(crate) struct BoundedSocket<T> {
    framed: Pin<Box<Framed<T, BoundedCodec>>>,
    may_stand: Duration,
    standing: Option<Standing>,
}

/// A partly received frame.
struct Standing {
    /// The number of bytes received.
    bytes: usize,
    /// When more bytes must have arrived.
    deadline: Pin<Box<Sleep>>,
}

impl<T: AsyncRead + AsyncWrite> BoundedSocket<T> {
    /// Limits the frames of `framed` to `limit` bytes each.
    pub(crate) fn new(framed: Framed<T, Codec>, limit: usize) -> Self {
        let framed = framed.into_map_codec(|codec| BoundedCodec { codec: codec.max_size(limit), limit, partial: 0 });
        Self { framed: Box::pin(framed), may_stand: STANDSTILL, standing: None }
    }

    /// Ready if a partly received frame has made no progress for too long.
    fn poll_standstill(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let bytes = self.framed.codec_ref().partial;
        if bytes == 0 {
            self.standing = None;
            return Poll::Pending;
        }
        let may_stand = self.may_stand;
        let standing = self.standing.get_or_insert_with(|| Standing { bytes, deadline: Box::pin(sleep(may_stand)) });
        if standing.bytes != bytes {
            standing.bytes = bytes;
            standing.deadline.as_mut().reset(Instant::now() + may_stand);
        }
        standing.deadline.as_mut().poll(cx)
    }
}

impl<T: AsyncRead + AsyncWrite> Stream for BoundedSocket<T> {
    type Item = Result<Frame, WsProtocolError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let next = this.framed.as_mut().poll_next(cx);
        if next.is_ready() {
            this.standing = None;
            return next;
        }
        this.poll_standstill(cx).map(|()| {
            let error = io::Error::new(io::ErrorKind::TimedOut, "a frame was begun and does not go on");
            Some(Err(WsProtocolError::Io(error)))
        })
    }
}

impl<T: AsyncRead + AsyncWrite> Sink<Message> for BoundedSocket<T> {
    type Error = WsProtocolError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.get_mut().framed.as_mut().poll_ready(cx)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Self::Error> {
        self.get_mut().framed.as_mut().start_send(message)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Sink::<Message>::poll_flush(self.get_mut().framed.as_mut(), cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Sink::<Message>::poll_close(self.get_mut().framed.as_mut(), cx)
    }
}

/// The codec, called only for frames within the limit.
struct BoundedCodec {
    codec: Codec,
    limit: usize,
    /// The bytes received of an incomplete frame.
    partial: usize,
}

impl Decoder for BoundedCodec {
    type Item = Frame;
    type Error = WsProtocolError;

    fn decode(&mut self, bytes: &mut BytesMut) -> Result<Option<Frame>, WsProtocolError> {
        if FrameHead::read(bytes).is_some_and(|head| head.exceeds(self.limit)) {
            return Err(WsProtocolError::Overflow);
        }
        let frame = self.codec.decode(bytes)?;
        self.partial = if frame.is_none() { bytes.len() } else { 0 };
        Ok(frame)
    }
}

impl Encoder<Message> for BoundedCodec {
    type Error = WsProtocolError;

    fn encode(&mut self, message: Message, bytes: &mut BytesMut) -> Result<(), WsProtocolError> {
        self.codec.encode(message, bytes)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;
    use tokio::{
        io::{AsyncWriteExt as _, DuplexStream, duplex},
        time::timeout,
    };

    use super::*;

    const LIMIT: usize = 1_000;

    fn sockets() -> (BoundedSocket<DuplexStream>, DuplexStream) {
        let (ours, theirs) = duplex(64 * 1024);
        (BoundedSocket::new(Framed::new(ours, Codec::new().client_mode()), LIMIT), theirs)
    }

    #[actix_rt::test]
    async fn a_frame_that_declares_too_much_is_refused_by_its_head_alone() {
        for declared in [LIMIT as u64 + 1, 1 << 40, u64::MAX] {
            let (mut socket, mut peer) = sockets();
            let head = [&[0x81, 127][..], &declared.to_be_bytes()].concat();
            peer.write_all(&head).await.unwrap();
            assert!(matches!(socket.next().await, Some(Err(WsProtocolError::Overflow))), "{declared}");
        }
        let (mut socket, mut peer) = sockets();
        peer.write_all(&[0x89, 126, 0x01, 0x00]).await.unwrap();
        assert!(matches!(socket.next().await, Some(Err(WsProtocolError::Overflow))), "a long ping");
    }

    #[actix_rt::test]
    async fn a_frame_of_the_largest_size_is_read() {
        let (mut socket, mut peer) = sockets();
        let length = u16::try_from(LIMIT).unwrap().to_be_bytes();
        peer.write_all(&[&[0x81, 126][..], &length, &[b'x'; LIMIT]].concat()).await.unwrap();
        let Some(Ok(Frame::Text(text))) = socket.next().await else { panic!() };
        assert_eq!(text.len(), LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_frame_that_stands_still_ends_the_socket_and_one_that_goes_on_does_not() {
        let (mut socket, mut peer) = sockets();
        let dribble = async {
            peer.write_all(&[0x81, 10]).await.unwrap();
            for _ in 0..10 {
                sleep(STANDSTILL / 2).await;
                peer.write_all(b"x").await.unwrap();
            }
            peer
        };
        let (frame, mut peer) = tokio::join!(socket.next(), dribble);
        assert!(matches!(frame, Some(Ok(Frame::Text(text))) if text.len() == 10));
        // Between frames there is no deadline.
        let waited = timeout(STANDSTILL * 3, socket.next()).await;
        assert!(waited.is_err());
        peer.write_all(&[0x81, 10, b'x']).await.unwrap();
        let Some(Err(WsProtocolError::Io(error))) = socket.next().await else { panic!() };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
