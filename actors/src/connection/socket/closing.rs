//! Reports the end of a socket.

use tertulia_core::session::{ClosedBy, Closure, DisconnectReason};

use super::Connection;

/// The most characters reported of the text of a close frame.
const MAX_CHARACTERS: usize = 123;

impl Connection {
    /// Stores the text with which the socket ended, for [`Self::tell_closed`]. A text that repeats the token is not
    /// stored.
    pub(super) fn note_closing(&mut self, text: Option<String>) {
        let text = text.filter(|text| !text.is_empty() && !self.principal.is_token_in(text)).map(|text| {
            let printable = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
            printable.take(MAX_CHARACTERS).collect()
        });
        self.link.note_closing(text);
    }

    /// Reports the end of a socket in the log and in `lastError`: who ended it, its close code, and why.
    pub(super) fn tell_closed(&mut self, closure: Closure, reason: DisconnectReason) {
        let text = closed(closure, reason, self.link.take_closing().as_deref());
        let connection = &self.settings.id;
        let Closure { by, code } = closure;
        if reason == DisconnectReason::ClosedByUs {
            tracing::info!(%connection, ?by, code, reason = %text, "the socket was closed");
            return;
        }
        tracing::warn!(%connection, ?by, code, reason = %text, "the socket was closed");
        self.context.status.note_error(text);
    }
}

fn closed(Closure { by, code }: Closure, reason: DisconnectReason, words: Option<&str>) -> String {
    let code = code.map(|code| format!(" with {code}")).unwrap_or_default();
    let words = words.map(|words| format!(" ({words})")).unwrap_or_default();
    match by {
        ClosedBy::Platform => format!("the platform closed the socket{code}: {reason}{words}"),
        ClosedBy::Us => format!("the socket was given up{code}: {reason}{words}"),
        ClosedBy::Transport => format!("the socket was lost{code}: {reason}{words}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_is_reported_with_who_closed_code_reason_and_the_platforms_words() {
        let text = |by, code, reason, words| closed(Closure { by, code }, reason, words);
        for (told, expected) in [
            (
                text(ClosedBy::Platform, Some(4401), DisconnectReason::TokenRejected, Some("bye")),
                "the platform closed the socket with 4401: the token is missing, expired or revoked (bye)",
            ),
            (
                text(ClosedBy::Us, Some(1001), DisconnectReason::DeadPeer, None),
                "the socket was given up with 1001: no frame arrived in time in spite of keep-alives",
            ),
            (
                text(ClosedBy::Transport, None, DisconnectReason::ConnectionLost, None),
                "the socket was lost: the link broke",
            ),
        ] {
            assert_eq!(told, expected);
        }
    }
}
