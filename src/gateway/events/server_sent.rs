//! Server-Sent Events, according to the HTML standard.

use std::{convert::Infallible, io::Write as _, mem, ops::Range};

use bytes::Bytes;
use futures_util::{Stream, stream};

use super::following::{Following, Next};

/// When a browser reconnects after its stream broke, in milliseconds. Each caller gets a random value, so that callers
/// do not all reconnect at once after a restart.
const COME_BACK_AFTER: Range<u32> = 500..3_000;

/// One caller's stream.
pub(super) struct ServerSent {
    following: Following,
    /// Whether the first piece was sent.
    greeted: bool,
}

impl ServerSent {
    pub(super) fn new(following: Following) -> Self {
        Self { following, greeted: false }
    }

    /// The response's body; ends when the gateway stops.
    pub(super) fn body(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        stream::unfold(self, |mut stream| async {
            let piece = stream.next().await?;
            Some((Ok(piece), stream))
        })
    }

    async fn next(&mut self) -> Option<Bytes> {
        let mut text = Vec::new();
        if !mem::replace(&mut self.greeted, true) {
            // Writing into memory does not fail.
            let _ = writeln!(text, "retry: {}", rand::random_range(COME_BACK_AFTER));
            // With an unknown cursor the gap event comes first: a heartbeat would replace the cursor unnoticed.
            if !self.following.begins_with_gap() {
                self.sign_of_life(&mut text);
                return Some(text.into());
            }
        }
        match self.following.next().await.ok()? {
            Next::Events(events) => {
                for event in events {
                    self.event(event.offset, &event.json, &mut text);
                }
            }
            Next::Gap(gap) => self.event(self.following.cursor().offset, &gap, &mut text),
            Next::Nothing => self.sign_of_life(&mut text),
        }
        Some(text.into())
    }

    fn event(&self, offset: u64, json: &[u8], text: &mut Vec<u8>) {
        let _ = write!(text, "id: {}-{offset}\ndata: ", self.following.epoch());
        text.extend_from_slice(json);
        text.extend_from_slice(b"\n\n");
    }

    /// A comment with the current cursor, which moves the caller past events that the filter left out.
    fn sign_of_life(&self, text: &mut Vec<u8>) {
        let _ = write!(text, "id: {}\n: heartbeat\n\n", self.following.cursor());
    }
}
