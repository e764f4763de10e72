//! A webhook of the platform: a line with its signature, then the body.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tertulia_core::{ums::Frame, webhook::verify};

fuzz_target!(|data: &[u8]| {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (signature, body) = data.split_at(end);
    let _ = verify(b"secret", body, std::str::from_utf8(signature).ok());
    if let Ok(text) = std::str::from_utf8(body) {
        let _ = Frame::decode(text);
    }
});
