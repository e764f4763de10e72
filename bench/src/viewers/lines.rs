//! A minimal parser of event streams, because one thread parses thousands of them.

/// The parser's state of one stream.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// A line that has not ended yet.
    unread: Vec<u8>,
    offset: Option<u64>,
}

impl Lines {
    /// Calls `event` with the offset and the JSON of each event that ends in `bytes`. Other lines, such as the sizes of
    /// chunks, are skipped: each chunk contains whole lines.
    pub(super) fn read(&mut self, mut bytes: &[u8], mut event: impl FnMut(u64, &[u8])) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            if self.unread.is_empty() {
                Self::line(&bytes[..end], &mut self.offset, &mut event);
            } else {
                self.unread.extend_from_slice(&bytes[..end]);
                Self::line(&self.unread, &mut self.offset, &mut event);
                self.unread.clear();
            }
            bytes = &bytes[end + 1..];
        }
        self.unread.extend_from_slice(bytes);
    }

    fn line(line: &[u8], offset: &mut Option<u64>, event: &mut impl FnMut(u64, &[u8])) {
        if let Some(id) = line.strip_prefix(b"id: ") {
            let digits = id.rsplit(|byte| *byte == b'-').next().unwrap_or_default();
            *offset = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
        } else if let Some(json) = line.strip_prefix(b"data: ")
            && let Some(offset) = *offset
        {
            event(offset, json);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_wherever_the_bytes_are_cut() {
        let text = b"HTTP/1.1 200 OK\r\n\r\n1a\r\nretry: 1\nid: e-1\n: heartbeat\n\n\r\n9\r\nid: e-2\ndata: {}\n\n\r\n\
                     9\r\nid: e-f-3\ndata: {\"a\":1}\n\nid: e-4\ndata: {}\n\n\r\n";
        for size in [1, 2, 5, 1_000] {
            let (mut lines, mut events) = (Lines::default(), Vec::new());
            for bytes in text.chunks(size) {
                lines.read(bytes, |offset, json| events.push((offset, json.to_vec())));
            }
            let expected = [(2, b"{}".to_vec()), (3, b"{\"a\":1}".to_vec()), (4, b"{}".to_vec())];
            assert_eq!(events, expected, "{size}");
        }
    }
}
