//! The head of a WebSocket frame (RFC 6455 §5.2), read before any of its payload has arrived.

/// The longest payload of a control frame, in bytes (RFC 6455 §5.5).
const MAX_CONTROL_BYTES: u64 = 125;

/// The contents of a frame's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// Whether it is a ping, a pong or a close.
    pub is_control: bool,
    /// The length of the payload, in bytes.
    pub payload: u64,
}

impl FrameHead {
    /// Returns the head at the beginning of `bytes`; `None` if its length has not arrived yet.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (&[first, second], rest) = bytes.split_first_chunk()?;
        let payload = match second & 0x7f {
            126 => u64::from(u16::from_be_bytes(*rest.first_chunk()?)),
            127 => u64::from_be_bytes(*rest.first_chunk()?),
            length => u64::from(length),
        };
        Some(Self { is_control: first & 0x08 != 0, payload })
    }

    /// Returns whether the payload exceeds the limit of its kind of frame; a message may have `limit` bytes.
    #[must_use]
    pub fn exceeds(&self, limit: usize) -> bool {
        let limit = limit as u64;
        self.payload > if self.is_control { limit.min(MAX_CONTROL_BYTES) } else { limit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(bytes: &[u8]) -> Option<(bool, u64)> {
        FrameHead::read(bytes).map(|head| (head.is_control, head.payload))
    }

    #[test]
    fn the_length_is_known_as_soon_as_its_bytes_are_there() {
        for (whole, expected) in [
            (&[0x81, 0x05][..], (false, 5)),
            (&[0x82, 0x80 | 125], (false, 125)),
            (&[0x81, 126, 0x01, 0x00], (false, 256)),
            (&[0x00, 0x80 | 127, 0, 0, 1, 0, 0, 0, 0, 0], (false, 1 << 40)),
            (&[0x89, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], (true, u64::MAX)),
        ] {
            for end in 0..whole.len() {
                assert_eq!(head(&whole[..end]), None, "{whole:?} to {end}");
            }
            assert_eq!(head(whole), Some(expected), "{whole:?}");
            assert_eq!(head(&[whole, b"payload"].concat()), Some(expected), "{whole:?}");
        }
    }

    #[test]
    fn a_control_frame_may_be_no_longer_than_the_protocol_says() {
        let exceeds = |is_control, payload| FrameHead { is_control, payload }.exceeds(1_000);
        assert!(!exceeds(false, 1_000) && exceeds(false, 1_001));
        assert!(!exceeds(true, 125) && exceeds(true, 126));
        assert!(FrameHead { is_control: true, payload: 11 }.exceeds(10));
    }
}
