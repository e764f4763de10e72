//! A WebSocket of events: one text message per event. The caller may send only control frames.

use std::{convert::Infallible, future, time::Duration};

use actix_http::ws::{CloseCode, CloseReason, Codec, Frame, Message, OpCode, Parser, ProtocolError};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, stream};
use tertulia_actors::core::websocket::FrameHead;
use tokio::time::{Instant, sleep_until};
use tokio_util::codec::{Decoder as _, Encoder as _};

use super::following::{End, Following, Next};

/// The largest accepted frame, in bytes; control frames have at most 125.
const LARGEST_FRAME: usize = 4 * 1024;
/// How long a frame may take from its first byte to its last.
const FRAME_WITHIN: Duration = Duration::from_secs(10);
/// Consecutive pings that may stay unanswered. After one more interval without a frame from the caller, the socket is
/// closed.
const UNANSWERED_PINGS: u32 = 2;

/// One caller's socket. A single task reads and writes, because reading may be needed before writing can continue.
pub(super) struct Socket<P> {
    following: Following,
    incoming: P,
    unread: BytesMut,
    codec: Codec,
    /// The deadline by which the frame being received must be complete.
    due: Option<Instant>,
    /// Pings since the caller's last frame.
    pings: u32,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing was sent to the caller yet.
    New,
    Open,
    /// The close frame was sent.
    Closed,
}

impl<P, E> Socket<P>
where
    P: Stream<Item = Result<Bytes, E>> + Unpin,
{
    /// Sends the items of `following`, and reads the caller's frames from `incoming`.
    pub(super) fn new(following: Following, incoming: P) -> Self {
        let codec = Codec::new().max_size(LARGEST_FRAME);
        Self { following, incoming, unread: BytesMut::new(), codec, due: None, pings: 0, stage: Stage::New }
    }

    /// The frames to send; the stream ends after a close frame, or when the caller is gone.
    pub(super) fn body(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        stream::unfold(self, |mut socket| async {
            let frames = socket.next().await?;
            Some((Ok(frames), socket))
        })
    }

    async fn next(&mut self) -> Option<Bytes> {
        match self.stage {
            Stage::New => {
                self.stage = Stage::Open;
                if !self.following.begins_with_gap() {
                    return Some(self.ping());
                }
            }
            Stage::Open => {}
            Stage::Closed => return None,
        }
        loop {
            // The codec checks the length only once the whole frame is in memory.
            if FrameHead::read(&self.unread).is_some_and(|head| head.exceeds(LARGEST_FRAME)) {
                return Some(self.close(CloseCode::Size, "only control frames are accepted"));
            }
            match self.codec.decode(&mut self.unread) {
                Ok(Some(frame)) => {
                    self.due = None;
                    if let Some(answer) = self.take(frame) {
                        return Some(answer);
                    }
                    continue;
                }
                Ok(None) => {}
                Err(ProtocolError::Overflow) => {
                    return Some(self.close(CloseCode::Size, "only control frames are accepted"));
                }
                Err(error) => return Some(self.close(CloseCode::Protocol, &error.to_string())),
            }
            if !self.unread.is_empty() {
                self.due.get_or_insert_with(|| Instant::now() + FRAME_WITHIN);
            }
            tokio::select! {
                biased;
                // If the caller is gone, the stream ends without a close frame.
                bytes = self.incoming.next() => self.unread.extend_from_slice(&bytes?.ok()?),
                () = late(self.due) => return Some(self.close(CloseCode::Policy, "a frame was not completed in time")),
                next = self.following.next() => return Some(self.tell(next)),
            }
        }
    }

    /// Handles a frame of the caller and returns the response frame, if any.
    fn take(&mut self, frame: Frame) -> Option<Bytes> {
        self.pings = 0;
        match frame {
            Frame::Ping(payload) => Some(self.frame(Message::Pong(payload))),
            Frame::Pong(_) => None,
            Frame::Close(reason) => {
                self.stage = Stage::Closed;
                let reason = reason.map(|CloseReason { code, .. }| code.into());
                Some(self.frame(Message::Close(reason)))
            }
            Frame::Text(_) | Frame::Binary(_) | Frame::Continuation(_) => {
                Some(self.close(CloseCode::Unsupported, "only control frames are accepted"))
            }
        }
    }

    fn tell(&mut self, next: Result<Next, End>) -> Bytes {
        let mut frames = BytesMut::new();
        match next {
            Ok(Next::Events(events)) => {
                for event in events {
                    Parser::write_message(&mut frames, &event.json, OpCode::Text, true, false);
                }
            }
            Ok(Next::Gap(gap)) => Parser::write_message(&mut frames, gap, OpCode::Text, true, false),
            Ok(Next::Nothing) if self.pings < UNANSWERED_PINGS => return self.ping(),
            Ok(Next::Nothing) => return self.close(CloseCode::Policy, "pings were not answered"),
            Err(End::Closing) => {
                return self.close(CloseCode::Away, "the gateway is stopping: reconnect with the last id");
            }
            Err(End::Revoked) => {
                return self.close(CloseCode::Policy, "the token is no longer valid, or has other rights");
            }
            Err(End::Unreadable) => return self.close(CloseCode::Error, "the log cannot be read"),
        }
        frames.freeze()
    }

    /// A ping with the current cursor, which also covers events that the filter left out.
    fn ping(&mut self) -> Bytes {
        self.pings += 1;
        let cursor = self.following.cursor().to_string();
        self.frame(Message::Ping(cursor.into()))
    }

    fn close(&mut self, code: CloseCode, description: &str) -> Bytes {
        self.stage = Stage::Closed;
        self.frame(Message::Close(Some(CloseReason { code, description: Some(description.to_owned()) })))
    }

    fn frame(&mut self, message: Message) -> Bytes {
        let mut frame = BytesMut::new();
        // Encoding can only fail for continuation frames, which are never sent here.
        let _ = self.codec.encode(message, &mut frame);
        frame.freeze()
    }
}

/// Completes at the deadline; never without one.
async fn late(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => future::pending().await,
    }
}
