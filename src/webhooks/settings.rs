//! How webhooks deliver.

use std::time::Duration;

/// How webhooks deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether receivers may be on this machine or on private networks, and use plain HTTP.
    pub allow_internal: bool,
    /// How long one attempt may take, connecting included.
    pub attempt_within: Duration,
    /// How long a webhook may only fail before it is disabled.
    pub disable_after: Duration,
}

impl Default for Settings {
    /// No internal addresses, 15 s, five days.
    fn default() -> Self {
        let disable_after = Duration::from_secs(5 * 24 * 60 * 60);
        Self { allow_internal: false, attempt_within: Duration::from_secs(15), disable_after }
    }
}
