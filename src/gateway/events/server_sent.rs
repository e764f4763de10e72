//! Server-Sent Events, as the HTML standard describes them.

use std::{convert::Infallible, io::Write as _, mem, ops::Range};

use bytes::Bytes;
use futures_util::{Stream, stream};

use super::following::{Following, Next};

/// When a browser comes back after its stream broke, in milliseconds. Each caller is told another time of it, so that after
/// a restart they do not all come at once.
const COME_BACK_AFTER: Range<u32> = 500..3_000;

/// One caller's stream.
pub(super) struct ServerSent {
    following: Following,
    /// The caller knows already that nothing is missed from here on.
    greeted: bool,
}

impl ServerSent {
    pub(super) fn new(following: Following) -> Self {
        Self { following, greeted: false }
    }

    /// The body of the answer; it ends with the gateway.
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
            // A cursor of no use is not replaced by another before the caller knows.
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

    /// A comment. It carries the cursor past what the filter kept out, and says that nothing is missed behind it.
    fn sign_of_life(&self, text: &mut Vec<u8>) {
        let _ = write!(text, "id: {}\n: heartbeat\n\n", self.following.cursor());
    }
}
