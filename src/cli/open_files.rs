//! The limit of open files. Every socket counts as a file, and the usual soft limit of 1,024 is too low for a fleet.

/// Raises the soft limit to the hard limit, for commands that hold many sockets.
pub(super) fn raise_limit() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => tracing::debug!(limit, "limit of open files raised"),
        Err(error) => tracing::warn!(%error, "limit of open files not raised"),
    }
}
