//! Finds a token in an answer that comes in pieces.

use std::io;

use bytes::{Bytes, BytesMut};
use memchr::memmem::Finder;
use secrecy::{ExposeSecret, SecretString};

/// The shortest run of letters and digits that is searched for in place of the whole token.
const TELLING: usize = 16;

/// Finds a token in a body, also if the token extends over several pieces.
pub(super) struct TokenSearch {
    finder: Finder<'static>,
    /// The end of the searched bytes, if the token may begin there. It is not delivered yet.
    held: BytesMut,
}

impl TokenSearch {
    /// Searches for the longest run of letters and digits in the token, because quoting and escaping change neither
    /// letters nor digits.
    pub(super) fn of(token: &SecretString) -> Self {
        let token = token.expose_secret();
        let runs = token.split(|letter: char| !letter.is_ascii_alphanumeric());
        let longest = runs.max_by_key(|run| run.len()).filter(|run| run.len() >= TELLING);
        Self { finder: Finder::new(longest.unwrap_or(token)).into_owned(), held: BytesMut::new() }
    }

    pub(super) fn is_in(&self, text: &[u8]) -> bool {
        !self.finder.needle().is_empty() && self.finder.find(text).is_some()
    }

    /// Returns the part of the body that may be delivered after this piece has arrived.
    ///
    /// # Errors
    /// The body contains the token.
    pub(super) fn pass(&mut self, piece: Bytes) -> io::Result<Bytes> {
        let mut text = if self.held.is_empty() {
            piece
        } else {
            self.held.extend_from_slice(&piece);
            std::mem::take(&mut self.held).freeze()
        };
        if self.is_in(&text) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer contains the token of the login"));
        }
        let needle = self.finder.needle();
        let longest = needle.len().saturating_sub(1).min(text.len());
        let begun = (1..=longest).rev().find(|length| text.ends_with(&needle[..*length])).unwrap_or(0);
        self.held = BytesMut::from(&text[text.len() - begun..]);
        text.truncate(text.len() - begun);
        Ok(text)
    }

    /// Returns the rest of the body after its last piece.
    pub(super) fn rest(self) -> Bytes {
        self.held.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "ab+abcabcabcabcabcabd/x";

    /// The delivered body, and whether it was cut off.
    fn passed(body: &[u8], size: usize) -> (Vec<u8>, bool) {
        let mut search = TokenSearch::of(&TOKEN.into());
        let mut delivered = Vec::new();
        for piece in body.chunks(size) {
            match search.pass(Bytes::copy_from_slice(piece)) {
                Ok(piece) => delivered.extend_from_slice(&piece),
                Err(_) => return (delivered, true),
            }
        }
        delivered.extend_from_slice(&search.rest());
        (delivered, false)
    }

    #[test]
    fn a_token_is_found_in_pieces_of_every_size_and_nothing_of_it_is_delivered() {
        for shown in [TOKEN, "ab%2Babcabcabcabcabcabd%2Fx", r"ab+abcabcabcabcabcabd\/x"] {
            let body = format!("before {shown} after");
            for size in 1..=body.len() {
                let (delivered, is_cut) = passed(body.as_bytes(), size);
                assert!(is_cut, "{shown} in pieces of {size}");
                assert!("before ab%2B".len() >= delivered.len(), "{}", String::from_utf8_lossy(&delivered));
            }
        }
    }

    #[test]
    fn a_body_without_the_token_is_delivered_whole() {
        for body in ["", "abcabcabcabcabcabcabcabcabcabc", "abcabcabcabcabcab", "ab+abc"] {
            for size in 1..=body.len().max(1) {
                assert_eq!(passed(body.as_bytes(), size), (body.as_bytes().to_vec(), false), "{body} by {size}");
            }
        }
    }

    #[test]
    fn a_token_without_a_long_run_is_searched_for_whole() {
        let search = TokenSearch::of(&"a-b-c".into());
        assert!(search.is_in(b"x a-b-c y") && !search.is_in(b"a b c"));
        assert!(!TokenSearch::of(&"".into()).is_in(b"anything"));
    }
}
