//! How many callers the gateway accepts. Each caller needs an open file, and so do the store and the platform's
//! sockets.

/// Callers at most, whatever the limit of open files.
const MOST: u64 = 20_000;

/// Connections without a token from one address, at most.
const MOST_OF_ADDRESS: usize = 1_000;

/// The limits of callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Capacity {
    /// Callers' connections; more connections wait to be accepted.
    pub(super) callers: usize,
    /// Event streams among the connections; more are refused, so that connections remain for other requests.
    pub(super) streams: usize,
    /// Connections that have shown no token; the oldest is closed for a new one.
    pub(super) unknown: usize,
    /// Connections from one address that have shown no token.
    pub(super) unknown_of_address: usize,
}

impl Capacity {
    /// The limits of a process that may open `open_files` files: half of them are for callers.
    pub(super) fn of(open_files: u64) -> Self {
        let callers = (open_files / 2).clamp(2, MOST);
        // At most 20,000, so the conversion cannot fail.
        let callers = usize::try_from(callers).unwrap_or(usize::MAX);
        let unknown_of_address = (callers / 4).clamp(1, MOST_OF_ADDRESS);
        Self { callers, streams: callers * 4 / 5, unknown: (callers / 2).max(1), unknown_of_address }
    }

    /// The limits of this process.
    pub(super) fn here() -> Self {
        /// The usual limit on most systems.
        const USUAL: u64 = 1_024;
        Self::of(rlimit::getrlimit(rlimit::Resource::NOFILE).map_or(USUAL, |(soft, _)| soft))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_leave_files_to_the_store_and_streams_leave_connections_to_other_callers() {
        let of =
            |callers, streams, unknown, unknown_of_address| Capacity { callers, streams, unknown, unknown_of_address };
        assert_eq!(Capacity::of(1_024), of(512, 409, 256, 128));
        assert_eq!(Capacity::of(20_000), of(10_000, 8_000, 5_000, 1_000));
        assert_eq!(Capacity::of(u64::MAX), of(20_000, 16_000, 10_000, 1_000));
        for files in [0, 1, 64, 4_096, 1 << 20] {
            let Capacity { callers, streams, .. } = Capacity::of(files);
            assert!(0 < streams && streams < callers);
        }
    }
}
