//! What a panic leaves in the log: where it was, never what it said.

use std::{panic, thread};

/// Logs panics by their place and thread alone. A panic's text may quote a message or a secret, and the default hook
/// prints it.
pub fn keep_silent() {
    panic::set_hook(Box::new(|panic| {
        let thread = thread::current();
        let thread = thread.name().unwrap_or("unnamed");
        match panic.location() {
            Some(place) => tracing::error!(file = place.file(), line = place.line(), thread, "panic"),
            None => tracing::error!(thread, "panic"),
        }
    }));
}
