//! What a panic writes to the log: its place, never its text.

use std::{panic, thread};

/// Logs panics only with their place and thread. A panic's text may quote a message or a secret, and the default hook
/// would print it.
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

#[cfg(test)]
mod tests {
    use std::{fs, sync::Arc};

    use tempfile::NamedTempFile;

    use super::*;

    #[test]
    fn a_panic_leaves_its_place_in_the_log_and_not_its_text() {
        let log = NamedTempFile::new().unwrap();
        let writer = Arc::new(log.reopen().unwrap());
        let subscriber = tracing_subscriber::fmt().with_writer(writer).finish();
        tracing::subscriber::with_default(subscriber, || {
            let usual = panic::take_hook();
            keep_silent();
            let caught = panic::catch_unwind(|| panic!("sEcReT-cAnArY"));
            panic::set_hook(usual);
            assert!(caught.is_err());
        });
        let text = fs::read_to_string(log.path()).unwrap();
        assert!(text.contains("panics.rs") && !text.contains("sEcReT-cAnArY"), "{text}");
    }
}
