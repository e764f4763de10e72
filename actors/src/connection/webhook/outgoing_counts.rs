//! Numbers the requests of a connection without a socket, and limits the conversations being opened.

use tertulia_core::id::RequestId;

/// The most conversations being opened at the same time; beyond it a caller is refused.
const OPENING: usize = 1024;

/// What a connection without a socket counts of its requests.
#[derive(Default)]
pub(super) struct OutgoingCounts {
    /// The number of requests so far; the next number is the id of the next request.
    requests: u64,
    /// The number of conversations being opened.
    opening: usize,
}

impl OutgoingCounts {
    pub(super) fn next_id(&mut self) -> RequestId {
        self.requests += 1;
        RequestId::from(self.requests.to_string())
    }

    pub(super) fn is_opening_full(&self) -> bool {
        self.opening >= OPENING
    }

    pub(super) fn opening_began(&mut self) {
        self.opening += 1;
    }

    pub(super) fn opening_ended(&mut self) {
        self.opening = self.opening.saturating_sub(1);
    }
}
