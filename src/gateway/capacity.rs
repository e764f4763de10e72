//! How many callers there may be: each is an open file, and the store and the platform's sockets need some too.

/// Callers at most, however many files may be open.
const MOST: u64 = 20_000;

/// How many callers there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Capacity {
    /// Connections of callers; more wait to be accepted.
    pub(super) callers: usize,
    /// Event streams among them; more are refused. Some connections are left for everybody else.
    pub(super) streams: usize,
}

impl Capacity {
    /// Of a process that may open so many files: half of them are for callers.
    pub(super) fn of(open_files: u64) -> Self {
        let callers = (open_files / 2).clamp(2, MOST);
        // At most 20,000, which fits.
        let callers = usize::try_from(callers).unwrap_or(usize::MAX);
        Self { callers, streams: callers * 4 / 5 }
    }

    /// Of this process.
    pub(super) fn here() -> Self {
        /// What nearly every system allows.
        const USUAL: u64 = 1_024;
        Self::of(rlimit::getrlimit(rlimit::Resource::NOFILE).map_or(USUAL, |(soft, _)| soft))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_leave_files_to_the_store_and_streams_leave_connections_to_other_callers() {
        assert_eq!(Capacity::of(1_024), Capacity { callers: 512, streams: 409 });
        assert_eq!(Capacity::of(20_000), Capacity { callers: 10_000, streams: 8_000 });
        assert_eq!(Capacity::of(u64::MAX), Capacity { callers: 20_000, streams: 16_000 });
        for files in [0, 1, 64, 4_096, 1 << 20] {
            let Capacity { callers, streams } = Capacity::of(files);
            assert!(0 < streams && streams < callers);
        }
    }
}
