//! A frame of a socket, in either direction.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tertulia_core::ums::{Dialect, Frame, RequestFrame};

fuzz_target!(|text: &str| {
    if let Ok(Frame::Response(response)) = Frame::decode(text) {
        let _ = response.outcome();
        let _ = response.published();
        let _ = response.subscribed();
    }
    // What can be read can be written, in both dialects.
    if let Ok(request) = RequestFrame::decode(text) {
        for dialect in [Dialect::Brand, Dialect::Consumer] {
            let _ = request.encode(dialect);
        }
    }
});
