//! The state of a webhook.

/// The state of a webhook.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// Events that were read and are not yet delivered.
    pub pending: usize,
    /// The position up to which the log was read.
    pub read: u64,
    /// When the current series of failures began.
    pub failing_since: Option<jiff::Timestamp>,
    /// Whether the receiver seems down and is only probed.
    pub is_down: bool,
    /// The last successful delivery of this process.
    pub last_delivery: Option<jiff::Timestamp>,
    /// The last failure of this process.
    pub last_error: Option<String>,
}
